"""The client against a real agent, and against ones that go, hang or talk nonsense."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from kit.agent import wire
from kit.agent.client import AgentClient
from kit.agent.errors import (
    AgentFailed,
    AgentLocked,
    AgentTimeout,
    AgentUnavailable,
    KeyRefused,
    UnknownKey,
)
from kit.agent.extension import GetStatus
from kit.agent.forms import fingerprint, key_id
from kit.agent.launch import Running, start_agent
from kit.agent.link import Link
from kit.agent.links import Links
from kit.agent.public import load_spki
from kit.core.errors import ProtocolError, Unavailable, UsageError
from kit.core.framing import frame
from tests.agent.samples import TLS_1_3_HEAD

CONTENT = TLS_1_3_HEAD + bytes(32)
P256 = 0x0403


@pytest.fixture
def agent(short_tmp: Path) -> Iterator[Running]:
    with start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull) as running:
        yield running


@pytest.fixture
def client(agent: Running) -> Iterator[AgentClient]:
    with AgentClient(agent.socket_path) as connected:
        yield connected


@contextmanager
def _impostor(path: str, talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A socket whose clients meet `talk`, one after the other."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    talk(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield path
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


def test_no_agent_is_unavailable_with_a_way_out(short_tmp: Path) -> None:
    with pytest.raises(AgentUnavailable) as caught:
        AgentClient(f"{short_tmp}/agent.sock").status()
    assert "kit agent start" in str(caught.value.hint)


def test_a_key_is_found_by_name_fingerprint_and_id(client: AgentClient) -> None:
    key = client.generate("web", "p-256")
    for wanted in ("web", fingerprint(key.ssh_blob, key.spki), key_id(key.spki).hex()):
        assert client.find(wanted).spki == key.spki
    with pytest.raises(UnknownKey, match="'mail'"):
        client.find("mail")


def test_each_status_is_its_own_error(client: AgentClient) -> None:
    key = client.generate("web", "p-256", ("ssh",))
    with pytest.raises(KeyRefused) as refused:
        client.sign(key_id(key.spki), P256, CONTENT, "tls-server")
    assert refused.value.purpose == "tls-server"
    with pytest.raises(UnknownKey):
        client.sign(bytes(32), P256, CONTENT)
    with pytest.raises(UsageError):
        client.generate("web", "p-256")
    rsa = client.generate("rsa", "rsa-2048", ("decrypt",))
    with pytest.raises(AgentFailed):
        client.decrypt(key_id(rsa.spki), b"\xff" * 256)
    assert client.lock(bytearray(b"x"))
    with pytest.raises(AgentLocked):
        client.list_keys()
    assert not client.unlock(bytearray(b"y"))
    assert client.unlock(bytearray(b"x"))


def test_threads_that_ask_at_once_get_their_own_answers(client: AgentClient) -> None:
    key = client.generate("web", "p-256")
    public = load_spki(key.spki)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    signatures: list[bytes] = []

    def sign() -> None:
        for _ in range(20):
            content = CONTENT[:-4] + threading.get_ident().to_bytes(8, "big")[-4:]
            signature = client.sign(key_id(key.spki), P256, content)
            public.verify(signature, content, ec.ECDSA(hashes.SHA256()))
            signatures.append(signature)

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(signatures)) == 80
    assert client.status().accepted <= 4


def test_a_thread_for_each_signature_costs_no_connection_for_each(client: AgentClient) -> None:
    key = client.generate("web", "p-256")
    for _ in range(20):
        thread = threading.Thread(target=client.sign, args=(key_id(key.spki), P256, CONTENT))
        thread.start()
        thread.join(30)
    status = client.status()
    assert (status.signed, status.accepted) == (20, 1)


def test_a_connection_in_use_while_the_client_is_closed_is_not_used_again(client: AgentClient) -> None:
    thread = threading.Thread(target=client.generate, args=("slow", "rsa-3072"))
    thread.start()
    while thread.is_alive():
        client.close()
    thread.join()
    deadline_s = time.monotonic() + 10
    while client.status().connections > 1:  # until the agent has seen it closed
        assert time.monotonic() < deadline_s


def test_a_child_after_fork_has_a_connection_of_its_own(client: AgentClient) -> None:
    key = client.generate("web", "p-256")
    child = os.fork()
    if not child:
        try:
            os._exit(0 if all(client.sign(key_id(key.spki), P256, CONTENT) for _ in range(50)) else 1)
        finally:
            os._exit(2)
    for _ in range(50):
        assert client.sign(key_id(key.spki), P256, CONTENT)
    assert os.waitpid(child, 0)[1] == 0


def test_a_client_finds_the_next_agent_on_the_same_socket(short_tmp: Path) -> None:
    path = f"{short_tmp}/agent.sock"
    with AgentClient(path) as client:
        for _ in range(3):
            with start_agent(path, log_path=os.devnull) as running:
                assert client.status().pid == running.pid
                client.generate("web", "p-256")
        with pytest.raises(AgentUnavailable):
            client.status()


def test_after_stop_the_socket_is_free_at_once(short_tmp: Path) -> None:
    path = f"{short_tmp}/agent.sock"
    for _ in range(3):
        start_agent(path, detach=True)
        with AgentClient(path) as client:
            client.stop()
        assert not list(short_tmp.iterdir())


def test_closing_and_using_again_opens_a_new_connection(client: AgentClient) -> None:
    client.status()
    client.close()
    assert client.status().accepted == 2


def test_an_agent_that_hangs_costs_the_time_limit(short_tmp: Path) -> None:
    release = threading.Event()
    with _impostor(f"{short_tmp}/a", lambda peer: (peer.recv(999), release.wait(10))[0]) as path:  # type: ignore[func-returns-value]
        with pytest.raises(AgentTimeout):
            AgentClient(path, timeout_s=0.1).status()
        release.set()


@pytest.mark.parametrize(
    "answer",
    [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1\x06", b"\0\0\0\5\x1d\0\0\0\0", b"\0\0\0\6\x1d\0\0\0\0\0"],
)
def test_an_answer_that_is_nonsense_is_a_protocol_error(short_tmp: Path, answer: bytes) -> None:
    with _impostor(f"{short_tmp}/a", lambda peer: peer.sendall(peer.recv(999) and answer)) as path:
        with pytest.raises(ProtocolError):
            AgentClient(path).status()


def _right_answer(agent: Running) -> bytes:
    """What it says when it is asked for its status, frame and all."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(agent.socket_path)
        peer.sendall(frame(wire.extension_request(GetStatus.name)))
        head = peer.recv(4, socket.MSG_WAITALL)
        return head + peer.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)


def _reciting(*connections: list[bytes]) -> Callable[[socket.socket], None]:
    """For each connection in turn, what it says to each question."""
    left = iter(connections)

    def talk(peer: socket.socket) -> None:
        for answer in next(left):
            if peer.recv(999):
                peer.sendall(answer)

    return talk


@pytest.mark.parametrize("nonsense", [b"\0\0\0\1\x06", b"\0\0\0\5\x1d\0\0\0\0"])
def test_nothing_is_asked_on_a_connection_that_said_nonsense(
    agent: Running, short_tmp: Path, nonsense: bytes
) -> None:
    """It may be one answer behind, and would be so for ever."""
    talk = _reciting([nonsense, nonsense], [_right_answer(agent)])
    with _impostor(f"{short_tmp}/a", talk) as path, AgentClient(path) as client:
        with pytest.raises(ProtocolError):
            client.status()
        assert client.status().pid == agent.pid


def test_a_connection_that_said_nonsense_is_never_another_thread_s(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Link] = []
    monkeypatch.setattr(Links, "give_back", lambda _links, link, _taken_in: given.append(link))
    with _impostor(f"{short_tmp}/a", _reciting([b"\0\0\0\1\x06"])) as path:
        with pytest.raises(ProtocolError):
            AgentClient(path).status()
    assert given == []


@pytest.mark.parametrize("much", [7, 10_000])
def test_nothing_is_asked_on_a_connection_that_said_too_much(
    agent: Running, short_tmp: Path, much: int
) -> None:
    right = _right_answer(agent)
    talk = _reciting([right + right[:much], right[much:] or b"\0\0\0\0"], [right])
    with _impostor(f"{short_tmp}/a", talk) as path, AgentClient(path) as client:
        for _ in range(2):
            assert client.status().pid == agent.pid


def test_an_agent_that_closes_is_unavailable(short_tmp: Path) -> None:
    with _impostor(f"{short_tmp}/a", lambda peer: peer.sendall(peer.recv(999)[:3])) as path:
        with pytest.raises(AgentUnavailable, match="closed"):
            AgentClient(path).status()


def test_another_kind_of_agent_is_named_as_such(short_tmp: Path) -> None:
    with _impostor(f"{short_tmp}/a", lambda peer: peer.sendall(peer.recv(999) and b"\0\0\0\1\x05")) as path:
        with pytest.raises(Unavailable, match=r"status@kit"):
            AgentClient(path).status()


class Alarm(TimeoutError):
    """What a signal handler of the program raises; a class that is an OSError too."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_of_a_signal_handler_comes_through_and_the_next_call_is_right(
    client: AgentClient,
) -> None:
    key = client.generate("web", "p-256")
    raised = 0

    def ring(_number: int, _frame: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    try:
        for _ in range(100):
            try:
                # Again and again: what is raised inside a callback of the
                # garbage collector is lost there, and hypothesis has one.
                # Seldom, lest the next comes before the timer is ended.
                signal.setitimer(signal.ITIMER_REAL, 0.001, 10)
                while True:
                    client.sign(key_id(key.spki), P256, CONTENT)
            except Alarm:
                signal.setitimer(signal.ITIMER_REAL, 0)
                raised += 1
            assert client.find("web").spki == key.spki
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert raised == 100
