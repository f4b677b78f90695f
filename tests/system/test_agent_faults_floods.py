"""Too much of everything: hostile connections, clients that do not read, descriptors that run out."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.agent import extension, wire
from kit.agent.client import AgentClient
from kit.agent.errors import AgentTimeout
from kit.agent.forms import key_id
from kit.agent.launch import Options, Running, start_agent
from kit.agent.startup import Limits
from kit.core.framing import frame
from tests.system.family import await_that, descriptors, family, state, whole
from tests.system.signers import CONTENT, ECDSA_P256, Signers

WORKERS = 2
WAVES, IN_A_WAVE = 20, 500
# What a process may grow by: it holds buffers for half messages while they last.
_GROWTH_KIB = 16 * 1024
_LIST = bytes(frame(wire.extension_request("list@kit"), *extension.encode(extension.List())))


@pytest.fixture
def agent(short_tmp: Path) -> Iterator[Running]:
    options = Options(workers=WORKERS, limits=Limits(message_s=2, unread_s=2))
    log = f"{short_tmp}/log"
    with start_agent(f"{short_tmp}/agent.sock", log_path=log, options=options) as running:
        with AgentClient(running.socket_path) as client:
            client.generate("web", "p-256", ("tls-server",))
        yield running


def _nothing(_peer: socket.socket) -> None:
    pass


def _send(data: bytes) -> Callable[[socket.socket], None]:
    def send(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            peer.sendall(data)

    return send


HOSTILE: tuple[Callable[[socket.socket], None], ...] = (
    _nothing,
    _send(_LIST[:2]),
    _send(_LIST[:9]),
    _send(b"\xff\xff\xff\xff"),
    _send(b"\0\3\xff\xff" + bytes(60_000)),
    _send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    _send(_LIST * 20),
    lambda peer: peer.shutdown(socket.SHUT_RDWR),
)


def _connect(path: str) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(20)
    peer.connect(path)
    peer.setblocking(False)
    return peer


def _resident_kib(pid: int) -> int:
    fields = Path(f"/proc/{pid}/status").read_text()
    return int(fields.split("VmRSS:")[1].split()[0])


def test_ten_thousand_hostile_connections_keep_a_good_client_from_nothing(agent: Running) -> None:
    processes = family(agent.socket_path)
    before = {pid: _resident_kib(pid) for pid in processes.everybody}
    with Signers(agent.socket_path, ["web"]) as good:
        for _ in range(WAVES):
            count = good.count
            with contextlib.ExitStack() as wave:
                for number in range(IN_A_WAVE):
                    peer = wave.enter_context(_connect(agent.socket_path))
                    HOSTILE[number % len(HOSTILE)](peer)
                await_that(lambda count=count: good.count > count + 20, "signatures")  # type: ignore[misc]
                with AgentClient(agent.socket_path, timeout_s=20) as another:
                    another.list_keys()
    assert good.errors == []
    assert family(agent.socket_path) == processes
    for pid, resident in before.items():
        assert _resident_kib(pid) < resident + _GROWTH_KIB
    with AgentClient(agent.socket_path) as client:
        await_that(lambda: client.status().connections == 1, "the end of the others' connections")
        assert client.status().accepted > WAVES * IN_A_WAVE


def test_a_client_that_never_reads_is_ended_and_holds_up_nobody(agent: Running) -> None:
    with _connect(agent.socket_path) as deaf, Signers(agent.socket_path, ["web"] * 2) as good:
        with contextlib.suppress(BlockingIOError):
            while True:
                deaf.send(_LIST * 100)
        await_that(lambda: good.count > 100, "signatures")

        def ended() -> bool:
            try:
                return bool(deaf.send(b"x")) and False
            except BlockingIOError:
                return False
            except OSError:
                return True

        await_that(ended, "the end of the connection", 10)
    assert good.errors == []


@contextlib.contextmanager
def _without_descriptors(pid: int) -> Iterator[None]:
    """The process can open nothing more; what it has stays."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = _settled(pid)
    free = next(number for number in itertools.count() if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, hard))
    yield
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def _settled(pid: int) -> set[int]:
    """Its descriptors, once it has let go of the client that it handed to another process just now."""
    used, before = set(descriptors(pid)), set[int]()
    while used != before:
        time.sleep(0.05)  # there is nothing to wait for but that nothing happens
        used, before = set(descriptors(pid)), used
    return used


def _signs(client: AgentClient) -> None:
    assert len(client.sign(key_id(client.find("web").spki), ECDSA_P256, CONTENT)) > 60


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change another process's limits")
def test_without_a_descriptor_left_the_supervisor_lets_clients_wait(agent: Running, short_tmp: Path) -> None:
    supervisor = family(agent.socket_path).supervisor
    with AgentClient(agent.socket_path, timeout_s=20) as old, AgentClient(agent.socket_path) as new:
        _signs(old)
        with _without_descriptors(supervisor):
            new.timeout_s = 1
            with pytest.raises(AgentTimeout):
                new.list_keys()
            _signs(old)
        new.timeout_s = 20
        _signs(new)
    assert "pause why='no descriptor left'" in (short_tmp / "log").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change another process's limits")
def test_a_worker_is_replaced_when_there_are_descriptors_again(agent: Running, short_tmp: Path) -> None:
    processes = family(agent.socket_path)
    with AgentClient(agent.socket_path, timeout_s=20) as client:
        _signs(client)
        with _without_descriptors(processes.supervisor):
            os.kill(processes.workers[0], signal.SIGKILL)
            log = short_tmp / "log"
            await_that(lambda: "start-failed" in log.read_text(), "a word in the log")
        whole(agent.socket_path, WORKERS, without=processes.workers[0])
        _signs(client)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change another process's limits")
def test_a_worker_without_a_descriptor_left_is_replaced_and_clients_are_served(agent: Running) -> None:
    victim = family(agent.socket_path).workers[0]
    with contextlib.ExitStack() as clients:
        clients.enter_context(_without_descriptors(victim))
        for _ in range(8):
            _signs(clients.enter_context(AgentClient(agent.socket_path, timeout_s=20)))
        await_that(lambda: state(victim) == "", "its end")
        whole(agent.socket_path, WORKERS, without=victim)
        _signs(clients.enter_context(AgentClient(agent.socket_path, timeout_s=20)))
