"""The bridge outlives what it depends on: programs that use it never connect again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.agent.pkcs11.client import failed
from tests.agent.samples import TLS_1_3_HEAD
from tests.peers import find
from tests.system.accounts import NOBODY, run_as_nobody
from tests.system.agents import KIT, Agent, await_end, running_agent
from tests.system.family import await_that, descriptors, family, field, left, whole
from tests.system.pkcs11_program import DEVICE_ERROR, HANDLE_INVALID, Program

KINDS = ("ipc", "mnt", "net", "uts")
LOCKS = ("pkcs11.sock.agent.lock", "pkcs11.sock.lock")
CONTENT = TLS_1_3_HEAD + bytes(32)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    tmp_path.chmod(0o700)
    with running_agent(tmp_path, "--pkcs11", "--workers", "2") as running:
        running.ok("generate", "web", "--type", "p-256")
        yield running


def place(agent: Agent) -> str:
    return str(agent.directory / "pkcs11.sock")


def restarted(agent: Agent, *options: str) -> Agent:
    """Another agent in the place of one that ended."""
    command = [KIT, "agent", "start", "--socket", agent.socket, "--json", "--pkcs11", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return Agent(agent.socket, json.loads(done.stdout)["pid"], agent.directory)


def killed(agent: Agent) -> None:
    holders = family(agent.socket).holders
    os.kill(agent.pid, signal.SIGKILL)
    for pid in (agent.pid, *holders):
        await_end(pid)


def stopped(agent: Agent) -> None:
    agent.ok("stop")
    await_end(agent.pid)


def verify(agent: Agent, name: str, signature: bytes) -> None:
    key = load_pem_public_key(agent.ok("public", name, "--format", "pem").encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    key.verify(encode_dss_signature(r, s), CONTENT, ec.ECDSA(hashes.SHA256()))


def test_a_program_signs_with_a_key_that_names_its_user(agent: Agent) -> None:
    with Program(place(agent)) as program:
        verify(agent, "web", program.signature(program.key("web"), CONTENT))
    assert agent.keys()["web"]["signed"] == 1


def test_start_tells_where_programs_find_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    where = tmp_path / "a place.sock"
    command = [KIT, "agent", "start", "--socket", str(tmp_path / "agent.sock"), "--pkcs11", str(where), "--"]
    done = subprocess.run(
        [*command, "sh", "-c", 'echo "$P11_KIT_SERVER_ADDRESS"; test -S "$0"', str(where)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == (f"unix:path={tmp_path}/a%20place.sock\n", 0), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_keys_come_and_go_under_a_connected_program(agent: Agent) -> None:
    with Program(place(agent)) as program:
        handle = program.key("web")
        agent.ok("generate", "more", "--type", "p-256")
        assert program.keys() == ["more", "web"]
        agent.ok("remove", "web")
        assert failed(lambda: program.signature(handle, CONTENT)) == HANDLE_INVALID
        assert program.keys() == ["more"]


def test_no_signature_is_lost_while_workers_are_killed(agent: Agent) -> None:
    """Each is asked again of another worker; one is always left, as only one at a time is killed."""
    done = threading.Event()
    count = 0
    with Program(place(agent)) as program:
        handle = program.key("web")

        def sign() -> None:
            nonlocal count
            while not done.is_set():
                program.signature(handle, CONTENT)
                count += 1

        thread = threading.Thread(target=sign)
        thread.start()
        try:
            for _ in range(4):
                before, victim = count, whole(agent.socket, 2).workers[0]
                os.kill(victim, signal.SIGKILL)
                whole(agent.socket, 2, without=victim)
                await_that(lambda before=before: count > before, "signatures go on")
        finally:
            done.set()
            thread.join(20)
        program.signature(handle, CONTENT)
    assert not thread.is_alive()


@pytest.mark.parametrize("end", [stopped, killed])
def test_a_program_stays_connected_while_the_agent_is_replaced(agent: Agent, end: object) -> None:
    bridge = family(agent.socket).bridge
    with Program(place(agent)) as program:
        handle = program.key("web")
        program.signature(handle, CONTENT)
        end(agent)  # type: ignore[operator]
        assert failed(lambda: program.signature(handle, CONTENT)) == DEVICE_ERROR
        assert failed(program.keys) == DEVICE_ERROR
        with running_again(agent) as again:
            assert family(again.socket).bridge == bridge
            assert program.keys() == []
            again.ok("generate", "new", "--type", "p-256")
            verify(again, "new", program.signature(program.key("new"), CONTENT))
            with Program(place(again)) as another:
                assert another.keys() == ["new"]


def running_again(agent: Agent) -> Running:
    return Running(restarted(agent, "--workers", "2"))


class Running:
    """An agent that is stopped at the end of the block."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def __enter__(self) -> Agent:
        return self.agent

    def __exit__(self, *_error: object) -> None:
        self.agent.kit("stop")
        await_end(self.agent.pid)


def test_without_agent_and_programs_there_is_no_bridge_and_nothing_of_it(agent: Agent) -> None:
    bridge = family(agent.socket).bridge
    with Program(place(agent)) as program:
        program.keys()
        await_that(lambda: connections(agent) == 1, "the program is counted")
        stopped(agent)
        assert left([bridge]) == [bridge]
    await_that(lambda: not left([bridge]), "the bridge ends with its last program")
    with running_again(agent) as again:  # what it left is not in the next one's way
        assert family(again.socket).bridge not in (0, bridge)
        with Program(place(again)) as program:
            assert program.keys() == []
    names = {path.name for path in agent.directory.iterdir()}
    assert not {name for name in names if name.startswith("pkcs11")}


def connections(agent: Agent) -> int:
    processes = json.loads(agent.ok("status", "--json"))["processes"]
    return sum(row["connections"] for row in processes if row["role"] == "bridge")


def test_a_bridge_that_ends_is_replaced(agent: Agent) -> None:
    first = family(agent.socket).bridge
    os.kill(first, signal.SIGKILL)
    await_that(lambda: family(agent.socket).bridge not in (0, first), "another bridge")
    with Program(place(agent)) as program:
        assert program.keys() == ["web"]


def test_two_agents_do_not_have_one_bridge(agent: Agent) -> None:
    command = [
        KIT,
        "agent",
        "start",
        "--socket",
        str(agent.directory / "other.sock"),
        "--pkcs11",
        place(agent),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 69
    assert done.stderr.startswith(f"kit: error: the bridge at '{place(agent)}' belongs to another agent\n")
    with Program(place(agent)) as program:
        assert program.keys() == ["web"]


def test_a_bridge_of_another_version_keeps_its_clients_and_gives_up_its_place(agent: Agent) -> None:
    old = family(agent.socket).bridge
    with Program(place(agent)) as program:
        program.keys()
        killed(agent)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as newer:
            newer.connect(place(agent) + ".agent")
            greeting, descriptors, _, _ = socket.recv_fds(newer, 256, 8)
            for descriptor in descriptors:
                os.close(descriptor)
            assert greeting.startswith(b"kit bridge ")
            newer.send(b"retire")
            assert newer.recv(16) == b""
        with running_again(agent) as again:
            assert family(again.socket).bridge != old
            assert failed(program.keys) == DEVICE_ERROR
            with Program(place(again)) as another:
                assert another.keys() == []
    await_that(lambda: not left([old]), "the old one ends with its last program")


def test_the_audit_log_names_the_program_and_not_the_bridge(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    log = tmp_path / "audit"
    with running_agent(tmp_path, "--pkcs11", "--audit", str(log)) as agent:
        agent.ok("generate", "web", "--type", "p-256")
        with Program(place(agent)) as program:
            program.signature(program.key("web"), CONTENT)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (signed,) = [line for line in lines if line["event"] == "sign"]
    assert (signed["pid"], signed["uid"], signed["key"]) == (os.getpid(), os.getuid(), "web")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees whether it gave up everything")
def test_the_bridge_is_sandboxed_like_a_worker(agent: Agent) -> None:
    processes = family(agent.socket)
    for name in ("Seccomp", "NoNewPrivs", "CapPrm", "CapEff", "CapBnd", "Groups"):
        assert field(processes.bridge, name) == field(processes.workers[0], name), name
    assert os.listdir(f"/proc/{processes.bridge}/root") == []  # noqa: PTH208
    spaces = [
        Path(f"/proc/{pid}/ns/{kind}").stat().st_ino for pid in (processes.bridge, "self") for kind in KINDS
    ]
    assert len(set(spaces)) == 2 * len(KINDS)


def test_the_bridge_has_nothing_open_but_its_sockets(agent: Agent) -> None:
    kinds = sorted(what.split(":")[0] for what in descriptors(family(agent.socket).bridge).values())
    assert kinds == ["/dev/null"] * 3 + [str(agent.directory / name) for name in LOCKS] + [
        "anon_inode",
        *["socket"] * 3,
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_plain_user_has_a_bridge_too(short_tmp: Path) -> None:
    """Within a user namespace, as workers are, where the system has them."""
    home = short_tmp
    os.chown(home, NOBODY, NOBODY)
    (module,) = Path("/usr/lib").glob("*/pkcs11/p11-kit-client.so")
    script = f"{KIT} agent generate web --type p-256 && {find('pkcs11-tool')} --module {module} -O"
    start = [
        KIT,
        "agent",
        "start",
        "--socket",
        str(home / "agent.sock"),
        "--pkcs11",
        "--",
        "sh",
        "-c",
        script,
    ]
    shown = run_as_nobody(start, home)
    assert "Private Key Object; EC" in shown
    assert list(home.iterdir()) == []
