"""Whatever a program does to a bridge, it loses its own connection and nothing else.

Each attack runs against one real agent; after each, a program that was connected all the time must be served,
the agent's own clients too, and the bridge be the same process, within its memory.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.agent.client import AgentClient
from kit.agent.forms import key_id
from kit.agent.launch import Options, start_agent
from kit.agent.startup import Limits
from tests.agent.pkcs11.client import (
    HANDSHAKE,
    CallFailed,
    ay,
    blob,
    body,
    failed,
    mechanism,
    pieces,
    template,
    u,
    u32,
    wanted,
)
from tests.agent.samples import TLS_1_3_HEAD
from tests.system.family import await_that, descriptors, family, field, state
from tests.system.pkcs11_program import CLASS, ECDSA_SHA256, LABEL, PRIVATE_KEY, Program
from tests.tls.authority import Authority

LIMITS = Limits(message_s=1.0, unread_s=1.0)
# Measured: 22 MiB at rest, 41 after the worst.
MEMORY_LIMIT_KIB = 96 * 1024
CONTENT = TLS_1_3_HEAD + bytes(32)
CERTIFICATE, VALUE = 1, 0x11
INITIALIZE = b"".join(pieces(0x10, body(1, ay(HANDSHAKE) + b"\x00" + ay(b"\x00"))))
SESSION_COUNT, DATA_LEN_RANGE, HOST_MEMORY, ARGUMENTS_BAD = 0xB1, 0x21, 0x2, 0x7
# A user has a quarter of a bridge's 512 connections.
SHARE = 128


class Target:
    """The bridge under attack, and its old program."""

    def __init__(self, path: str, agent: str) -> None:
        self.path, self.agent = path, agent
        self.program = Program(path)
        self.key = self.program.key("web")
        self.bridge = family(agent).bridge
        self.everybody = family(agent).everybody

    def connect(self, sends: bytes = b"") -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(self.path)  # a time limit would turn a full backlog into an error
        peer.settimeout(20)
        peer.sendall(sends)
        return peer

    def throw(self, data: bytes) -> bytes:
        """Send this, end it, and read what comes back until the bridge closes."""
        with self.connect() as peer:
            got = b""
            with contextlib.suppress(ConnectionError):
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                while part := peer.recv(65536):
                    got += part
            return got

    def check(self) -> None:
        """They are the same processes, they sign, and none holds more than it may."""
        assert len(self.program.signature(self.key, CONTENT)) == 64
        with AgentClient(self.agent, timeout_s=20) as client:
            assert client.list_keys()
            assert client.sign(key_id(client.find("web").spki), 0x0403, CONTENT)
        now = family(self.agent)
        assert (now.bridge, now.everybody) == (self.bridge, self.everybody)
        assert memory_kib(self.bridge) < MEMORY_LIMIT_KIB


def memory_kib(pid: int) -> int:
    return int(field(pid, "VmRSS").split()[0])


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    directory = tmp_path_factory.mktemp("bridge")
    directory.chmod(0o700)
    leaf = Authority(directory).ecdsa
    config = directory / "agent.toml"
    config.write_text(
        f'[keys.web]\nfile = "{leaf.key}"\ncertificate = "{leaf.chain}"\n'
        f'purposes = ["tls-server"]\npeers = ["uid:{os.geteuid()}"]\n'
    )
    log = directory / "log"
    options = Options(limits=LIMITS, pkcs11="", config=str(config), workers=2)
    with start_agent(f"{directory}/agent.sock", log_path=str(log), options=options) as running:
        found = Target(running.pkcs11_path, running.socket_path)
        with found.program:
            yield found
    # A bug costs a program its connection, or a process its life, and stands in the log.
    events = {line.split()[2] for line in log.read_text().splitlines()}
    assert (
        not {"bug", "bridge-bug", "bridge-kill", "bridge-ended", "worker-ended", "kill", "give-up"} & events
    )


@pytest.fixture(autouse=True)
def _the_bridge_survives(target: Target) -> Iterator[None]:
    yield
    target.check()


def closed(peer: socket.socket) -> bool:
    """Does the bridge end the connection, whatever it says before?"""
    try:
        while peer.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


# What a program does not send, or not read.


def test_who_says_nothing_is_not_waited_for(target: Target) -> None:
    with target.connect() as peer:
        assert closed(peer)


@pytest.mark.parametrize("size", [1, 2, 13, 40, len(INITIALIZE)])
def test_a_greeting_that_stops_half_way_is_not_waited_for(target: Target, size: int) -> None:
    with target.connect((b"\x02" + INITIALIZE)[:size]) as peer:
        assert closed(peer)


def test_a_greeting_that_comes_in_drops_has_the_same_time(target: Target) -> None:
    done = threading.Event()
    with target.connect() as peer:

        def drip() -> None:
            with contextlib.suppress(OSError):
                for byte in b"\x02" + INITIALIZE[:-1]:
                    peer.sendall(bytes([byte]))
                    if done.wait(0.1):
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert closed(peer)
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize("size", [1, 12, 30])
def test_a_request_that_stops_half_way_is_not_waited_for(target: Target, size: int) -> None:
    with Program(target.path) as program:
        program.socket.sendall(b"".join(pieces(0x99, body(10, u(1) + u(4))))[:size])
        assert closed(program.socket)


def test_a_program_that_is_silent_between_requests_stays(target: Target) -> None:
    """Longer than a half-sent request may take, which another one shows."""
    with Program(target.path) as silent, Program(target.path) as halfway:
        halfway.socket.sendall(b"\x00")
        assert closed(halfway.socket)
        assert silent.keys() == ["web"]


def everything(program: Program, times: int) -> bytes:
    """Requests whose answers are a hundred times as long as they."""
    (certificate,) = program.find(program.session, {CLASS: CERTIFICATE})
    arguments = u(program.session) + u(certificate) + wanted([VALUE] * 64, 0xFFFFFFF0)
    return b"".join(b"".join(pieces(0x100 + number, body(24, arguments))) for number in range(times))


def test_who_reads_no_answers_piles_none_up_and_is_not_waited_for(target: Target) -> None:
    with contextlib.ExitStack() as stack:
        peers = []
        for _ in range(8):
            program = stack.enter_context(Program(target.path))
            requests = everything(program, 400)
            program.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                program.socket.send(requests)
            peers.append(program.socket)
        await_that(lambda: all(select.select([peer], [], [], 0)[0] for peer in peers), "answers")
        target.check()
        for peer in peers:
            peer.settimeout(20)
            assert closed(peer)


def test_who_reads_slowly_gets_every_answer(target: Target) -> None:
    with Program(target.path) as program:
        times = 60
        thread = threading.Thread(target=program.socket.sendall, args=(everything(program, times),))
        thread.start()
        for number in range(times):
            head = program._receive(12)
            assert struct.unpack(">II", head[:8]) == (0x100 + number, 0)
            program._receive(int.from_bytes(head[8:], "big"))
        thread.join()
        assert program.keys() == ["web"]


_STOPPED = """
import os, signal, sys
from tests.agent.pkcs11.client import body, pieces
from tests.system.pkcs11_program import Program
program = Program(sys.argv[1])
program.socket.sendall(b"".join(pieces(0x99, body(3)))[: int(sys.argv[2])])
print("sent", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_requests_far_ahead_of_their_answers_are_all_answered(target: Target) -> None:
    """Three times what the bridge holds of them."""
    question = b"".join(pieces(0x11, body(3)))
    times = 3 * 256 * 1024 // len(question)
    with Program(target.path) as program:
        thread = threading.Thread(target=program.socket.sendall, args=(question * times,))
        thread.start()
        try:
            for _ in range(times):
                head = program._receive(12)
                assert struct.unpack(">II", head[:8]) == (0x11, 0)
                program._receive(int.from_bytes(head[8:], "big"))
        finally:
            thread.join()


@pytest.mark.parametrize("flags", [0, socket.MSG_OOB])
def test_who_leaves_in_the_middle_of_everything_costs_nobody_else(target: Target, flags: int) -> None:
    """With answers unread, which resets the bridge's end, and with data that are urgent to nobody."""
    question = b"".join(pieces(0x11, body(3)))
    for times in range(50):
        with Program(target.path) as program:
            for _ in range(times % 5 + 1):
                program.socket.send(question, flags)
            program.socket.send(question[: times % len(question) + 1], flags)


@pytest.mark.parametrize("last", [b"", b"".join(pieces(0x11, body(3)))])
def test_the_end_that_comes_with_the_last_request_is_noticed(target: Target, last: bytes) -> None:
    """Which is answered nevertheless."""
    answer = target.throw(b"\x02" + INITIALIZE + last)
    assert answer.startswith(b"\x02")
    assert (b"vsusv" in answer) == bool(last)


@pytest.mark.parametrize("size", [20, 1000])
def test_a_program_that_is_stopped_holds_nobody_up(target: Target, size: int) -> None:
    """In the middle of a request, or before it reads an answer."""
    command = [sys.executable, "-c", _STOPPED, target.path, str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stopped:
        assert stopped.stdout
        assert stopped.stdout.readline() == "sent\n"
        await_that(lambda: state(stopped.pid) == "T", "it is stopped")
        try:
            target.check()
            with Program(target.path) as another:
                assert another.keys() == ["web"]
        finally:
            stopped.kill()


# Too much.


def test_ten_thousand_connections_come_and_go(target: Target) -> None:
    """In batches of more than a user may have at once."""
    for _ in range(50):
        peers = [target.connect() for _ in range(200)]
        for peer in peers:
            with contextlib.suppress(ConnectionError):
                peer.sendall(b"\x02" + INITIALIZE)
        for peer in peers:
            peer.close()
    await_that(lambda: len(descriptors(target.bridge)) < 32, "all of them are gone")


def test_a_user_has_his_share_of_the_connections_and_no_more(target: Target) -> None:
    peers: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        for _ in range(SHARE + 20):
            peers.append(stack.enter_context(target.connect()))
            with contextlib.suppress(ConnectionError):
                peers[-1].sendall(b"\x02" + INITIALIZE)
        answered = 0
        for peer in peers:
            with contextlib.suppress(ConnectionError):
                answered += bool(peer.recv(64))
        assert SHARE - 1 <= answered <= SHARE  # beside the old program, where it is still there
        target.check()


def test_ten_thousand_introductions_to_the_agent_come_and_go(target: Target) -> None:
    """Whoever asks the agent is introduced to a worker; gone at once, he leaves nothing there."""
    asks = b"".join(
        (
            b"\x02" + INITIALIZE,
            *pieces(0x11, body(10, u(1) + u(4))),
            *pieces(0x12, body(26, u(1) + template({}))),
        )
    )
    for _ in range(100):
        peers = [target.connect() for _ in range(100)]
        for peer in peers:
            with contextlib.suppress(ConnectionError):
                peer.sendall(asks)
        for peer in peers:
            peer.close()
    await_that(lambda: len(descriptors(target.bridge)) < 32, "all of them are gone")


def test_sessions_have_an_end(target: Target) -> None:
    with Program(target.path) as program:
        for _ in range(255):
            program.open()
        assert failed(program.open) == SESSION_COUNT
        assert program.keys() == ["web"]


def test_searches_and_objects_have_an_end(target: Target) -> None:
    """A search in every session, and attributes without end."""
    with Program(target.path) as program:
        for session in [program.session, *(program.open() for _ in range(255))]:
            program.done(26, u(session) + template({}))
        many = u(program.session) + u32(65) + b"".join(u32(n) + b"\x00" for n in range(65))
        assert failed(lambda: program.done(26, many)) == ARGUMENTS_BAD
        huge = u(program.session) + u(7) + u32(0xFFFFFFFF)
        assert failed(lambda: program.call(24, huge)) == ARGUMENTS_BAD


def test_content_has_an_end(target: Target) -> None:
    with Program(target.path) as program:
        key, piece, size = program.key("web"), bytes(200 * 1024), 0
        program.sign_init(program.session, mechanism(ECDSA_SHA256), key)
        with pytest.raises(CallFailed) as caught:
            while size < 2 * 1024 * 1024:
                program.sign_update(program.session, piece)
                size += len(piece)
        assert (caught.value.code, size) == (DATA_LEN_RANGE, 5 * len(piece))
        sessions = [program.open() for _ in range(16)]
        for session in sessions:
            program.sign_init(session, mechanism(ECDSA_SHA256), key)
        with pytest.raises(CallFailed) as caught:
            for session in sessions:
                program.sign_update(session, piece)
        assert caught.value.code == HOST_MEMORY


# What makes no sense.


@pytest.mark.parametrize(
    "header",
    [(0, 0, 0), (0x10, 0x401, 8), (0x10, 0xFFFFFFFF, 8), (0x10, 0, 0x40001), (0x10, 6, 0xFFFFFFFF)],
)
def test_a_frame_that_no_client_sends_costs_the_connection_at_once(
    target: Target, header: tuple[int, int, int]
) -> None:
    with target.connect(b"\x02" + INITIALIZE) as peer:
        peer.sendall(struct.pack(">III", *header))
        assert closed(peer)


_NUMBERS = st.sampled_from([0, 1, 4, 24, 26, 42, 43, 44, 45, 67, 89, 2**31, 2**32 - 1])


@given(data=st.binary(max_size=4096))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_costs_the_connection_alone(target: Target, data: bytes) -> None:
    target.throw(data)


@given(
    calls=st.lists(
        st.tuples(_NUMBERS, st.sampled_from(["", "u", "uaA", "uMu", "uayfy"]), st.binary(max_size=300))
    )
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_calls_with_any_arguments_cost_a_connection_at_most(
    target: Target, calls: list[tuple[int, str, bytes]]
) -> None:
    data = b"".join(
        b"".join(pieces(0x11 + number, u32(call) + blob(text.encode()) + arguments))
        for number, (call, text, arguments) in enumerate(calls)
    )
    target.throw(b"\x02" + INITIALIZE + data)


@given(seed=st.integers(0, 2**32), changes=st.integers(1, 20))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_conversation_with_changed_bytes_costs_a_connection_at_most(
    target: Target, seed: int, changes: int
) -> None:
    data = bytearray(
        b"".join(
            (
                b"\x02" + INITIALIZE,
                *pieces(0x11, body(10, u(1) + u(6))),
                *pieces(0x12, body(26, u(1) + template({CLASS: PRIVATE_KEY, LABEL: b"web"}))),
                *pieces(0x13, body(27, u(1) + u32(1))),
                *pieces(0x14, body(28, u(1))),
                *pieces(0x15, body(24, u(1) + u(7) + wanted([CLASS, LABEL, VALUE], 100))),
                *pieces(0x16, body(42, u(1) + mechanism(ECDSA_SHA256) + u(7))),
                *pieces(0x17, body(43, u(1) + ay(CONTENT) + u32(64))),
            )
        )
    )
    source = random.Random(seed)
    for _ in range(changes):
        data[source.randrange(len(data))] = source.randrange(256)
    target.throw(bytes(data))
