"""The system's units under a real systemd: what they forbid the service is nothing that the agent needs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.agent.pkcs11.client import failed
from tests.agent.samples import TLS_1_3_HEAD
from tests.system.booted import CONFIG, KEY, Booted, booted
from tests.system.pkcs11_program import DEVICE_ERROR, Program
from tests.tls.authority import make_key

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has namespaces for systemd")

CONTENT = TLS_1_3_HEAD + bytes(32)
_AUDIT = "/var/log/kit/audit.jsonl"
_PKCS11 = "/run/kit/pkcs11.sock"
_CONFIGURATION = f'[agent]\naudit = "{_AUDIT}"\n[pkcs11]\n[keys.web]\nfile = "{KEY}"\npeers = ["uid:0"]\n'


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    directory = tmp_path_factory.mktemp("machine")
    pem = make_key("ecdsa").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / Path(KEY).name).touch(mode=0o600)
    (directory / Path(KEY).name).write_bytes(pem)
    (directory / Path(CONFIG).name).write_text(_CONFIGURATION)
    with booted(directory) as running:
        running.run("systemctl", "start", "kit-agent.socket", "kit-agent.service")
        yield running


def test_root_and_the_group_reach_the_socket(machine: Booted) -> None:
    assert machine.run("stat", "--format=%U %G %a", "/run/kit/agent.sock") == "root kit 660"
    assert machine.run("systemctl", "show", "--value", "--property=StatusText", "kit-agent") != ""


def test_every_measure_is_applied(machine: Booted) -> None:
    status = json.loads(machine.kit("status", "--json"))
    assert {m["measure"]: m["state"] for m in status["measures"] if m["state"] != "applied"} == {}
    detail = {m["measure"]: m["detail"] for m in status["measures"]}
    assert "_kit" in detail["user change"]


def test_the_audit_log_is_its_user_s_also_after_a_rotation(machine: Booted) -> None:
    assert machine.run("stat", "--format=%U %a", _AUDIT) == "_kit 600"
    machine.run("mv", _AUDIT, f"{_AUDIT}.1")
    machine.run("systemctl", "reload", "kit-agent")
    assert machine.run("stat", "--format=%U %a", _AUDIT) == "_kit 600"
    assert '"event":"reload"' in machine.run("cat", _AUDIT)


def test_a_reload_that_fails_is_told_and_changes_nothing(machine: Booted) -> None:
    machine.run("sh", "-c", f"echo nonsense >>{CONFIG}")
    assert "failed" in machine.run("systemctl", "reload", "kit-agent", ok=False)
    machine.run("sed", "--in-place", "/nonsense/d", CONFIG)
    assert machine.state("kit-agent.service") == "active running"
    assert "web" in machine.kit("list")


def bridge(machine: Booted) -> int:
    rows = json.loads(machine.kit("status", "--json"))["processes"]
    return int(next(row["pid"] for row in rows if row["role"] == "bridge"))


def test_root_and_the_group_reach_the_socket_of_programs(machine: Booted) -> None:
    assert machine.run("stat", "--format=%U %G %a", _PKCS11) == "root kit 660"


def test_a_program_stays_connected_over_restarts_of_the_service(machine: Booted) -> None:
    first = bridge(machine)
    with Program(machine.root + _PKCS11) as program:
        handle = program.key("web")
        for _ in range(2):
            machine.run("systemctl", "restart", "kit-agent.service")
            assert len(program.signature(handle, CONTENT)) == 64
            assert bridge(machine) == first
        with Program(machine.root + _PKCS11) as another:
            assert another.keys() == ["web"]


def test_a_service_that_is_stopped_leaves_a_bridge_only_to_programs(
    machine: Booted, wait_until: Callable[..., None]
) -> None:
    def processes() -> int:
        group = "/sys/fs/cgroup/system.slice/kit-agent.service/cgroup.procs"
        return sum(line.isdigit() for line in machine.run("cat", group, ok=False).splitlines())

    with Program(machine.root + _PKCS11) as program:
        handle = program.key("web")
        machine.run("systemctl", "stop", "kit-agent.service")
        assert failed(lambda: program.signature(handle, CONTENT)) == DEVICE_ERROR
        assert processes() == 1
    wait_until(lambda: processes() == 0, "the end of the bridge", 30)
    assert "web" in machine.kit("list")


def test_a_client_waits_until_a_start_works_again(machine: Booted, wait_until: Callable[..., None]) -> None:
    machine.run("sh", "-c", f"echo nonsense >>{CONFIG}")
    machine.run("systemctl", "restart", "kit-agent", ok=False)

    def starts() -> int:
        return int(machine.run("systemctl", "show", "--value", "--property=NRestarts", "kit-agent"))

    before = starts()
    wait_until(lambda: starts() > before + 6, "more starts than systemd's usual limit", 30)
    assert machine.state("kit-agent.socket").startswith("active")
    machine.run("sed", "--in-place", "/nonsense/d", CONFIG)
    assert "web" in machine.kit("list")


def test_a_killed_service_comes_again(machine: Booted, wait_until: Callable[..., None]) -> None:
    machine.run("systemctl", "kill", "--signal=KILL", "kit-agent")
    assert "web" in machine.kit("list")
    wait_until(lambda: machine.state("kit-agent.service") == "active running", "the service", 30)


def test_the_next_client_starts_a_stopped_service(machine: Booted) -> None:
    machine.run("systemctl", "stop", "kit-agent.service")
    assert machine.run("systemctl", "show", "--value", "--property=Result", "kit-agent") == "success"
    assert "web" in machine.kit("list")


def test_the_socket_takes_the_service_with_it(machine: Booted) -> None:
    machine.run("systemctl", "stop", "kit-agent.socket")
    assert machine.state("kit-agent.service") == "inactive dead"
    assert "agent.sock" not in machine.run("ls", "/run/kit").split()
    machine.run("systemctl", "start", "kit-agent.socket", "kit-agent.service")
