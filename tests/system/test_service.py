"""The agent as a service, restarted and reloaded under load, with systemd's program at its socket."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.activated import DEADLINE_S, Activated, activated, await_more, clients, signing
from tests.system.agents import KIT
from tests.system.family import descriptors
from tests.system.serving import serving
from tests.tls.authority import Authority, make_key


@pytest.fixture
def authority(short_tmp: Path) -> Authority:
    return Authority(short_tmp)


@pytest.fixture
def service(short_tmp: Path, authority: Authority) -> Iterator[Activated]:
    with activated(short_tmp, authority.ecdsa) as running:
        yield running


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _processes(service: Activated) -> dict[str, int]:
    """The pids of the service's processes, by their roles."""
    command = service.pid
    supervisor = _child(command)
    zygote = _child(supervisor)
    return {"command": command, "supervisor": supervisor, "zygote": zygote, "worker": _child(zygote)}


def _handshakes(authority: Authority, port: int) -> Callable[[int], None]:
    """A handshake that a client verifies, with a server whose key is the agent's."""
    context = ssl.create_default_context(cafile=authority.ca_file)

    def shake_hands(_index: int) -> None:
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
            context.wrap_socket(client, server_hostname="localhost").close()

    return shake_hands


def _restarts_fail_nobody(service: Activated, ask: Callable[[int], None]) -> None:
    with clients(ask) as made:
        await_more(made)
        for _ in range(3):
            service.restart(signal.SIGTERM)
            await_more(made)
    assert [one.errors for one in made] == [[]] * len(made)


@pytest.mark.parametrize("connected", [True, False], ids=["one connection", "a new one each time"])
def test_a_restart_fails_no_signature(service: Activated, connected: bool) -> None:
    _restarts_fail_nobody(service, signing(service, connected=connected))


def test_a_restart_fails_no_handshake(
    service: Activated, authority: Authority, kit_program: str, short_tmp: Path
) -> None:
    handle = str(short_tmp / "web.handle")
    command = [KIT, "agent", "handle", "web", "--output", handle, "--socket", service.socket]
    subprocess.run(command, check=True, timeout=60)
    with serving(kit_program, "--cert", str(service.leaf.chain), "--key", handle) as server:
        _restarts_fail_nobody(service, _handshakes(authority, server.port))


@pytest.mark.parametrize("role", ["command", "supervisor", "zygote"])
def test_after_a_kill_the_clients_go_on_and_lost_at_most_what_they_were_asking(
    service: Activated, role: str
) -> None:
    with clients(signing(service, connected=True)) as made:
        await_more(made)
        service.restart(signal.SIGKILL, _processes(service)[role])
        await_more(made)
    assert [one.errors for one in made if len(one.errors) > 1] == []


def test_the_manager_hears_that_the_agent_serves_lives_and_ends(service: Activated) -> None:
    assert service.told.next("WATCHDOG") == service.told.next("WATCHDOG") == {"WATCHDOG": "1"}
    os.kill(service.pid, signal.SIGTERM)
    assert service.told.next("STOPPING") == {"STOPPING": "1"}
    ready = service.told.next("READY")
    assert (ready["READY"], "STATUS" in ready) == ("1", True)


@pytest.mark.parametrize("how", ["signal", "command"])
def test_a_reload_serves_the_new_key_and_the_manager_hears_when(
    service: Activated, authority: Authority, how: str
) -> None:
    before = service.fingerprint()
    authority.leaf("ecdsa", make_key("ecdsa"))  # in the same file
    if how == "signal":
        os.kill(service.pid, signal.SIGHUP)
    else:
        subprocess.run([KIT, "agent", "reload", "--socket", service.socket], check=True, timeout=60)
    assert service.told.next("RELOADING")["MONOTONIC_USEC"].isdigit()
    assert service.told.next("READY")["READY"] == "1"
    assert service.fingerprint() != before


def test_what_the_manager_says_the_moment_that_it_serves_is_heard(service: Activated) -> None:
    """The command knows a little later than the manager that the agent serves."""
    for number, answer in ((signal.SIGHUP, "RELOADING"), (signal.SIGTERM, "STOPPING")):
        for _ in range(3):
            service.restart(signal.SIGTERM)
            os.kill(service.pid, number)
            assert service.told.next(answer)
            assert service.told.next("READY")


def test_a_client_waits_while_the_agent_cannot_start(
    service: Activated, wait_until: Callable[..., None]
) -> None:
    good = service.config.read_text()
    service.config.write_text(good + "nonsense")
    os.kill(service.pid, signal.SIGTERM)
    wait_until(lambda: service.log.count("kit: error: ") > 1, "a second start that fails", 30)
    answers: list[bytes] = []
    asking = threading.Thread(target=lambda: answers.append(service.fingerprint()))
    asking.start()
    failed = service.log.count("kit: error: ")
    wait_until(lambda: service.log.count("kit: error: ") > failed + 1, "two more that fail", 30)
    assert answers == []
    service.config.write_text(good)
    asking.join(30)
    assert answers == [service.fingerprint()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what the agent's processes have open")
def test_whoever_holds_a_key_does_not_hold_the_listening_socket(service: Activated) -> None:
    table = Path("/proc/net/unix").read_text().splitlines()
    inode = next(
        line.split()[6] for line in table if line.endswith(f" {service.socket}") and " 0001 01 " in line
    )
    holders = {
        role for role, pid in _processes(service).items() if f"socket:[{inode}]" in descriptors(pid).values()
    }
    assert holders == {"command", "supervisor"}
