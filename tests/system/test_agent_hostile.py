"""Whatever a client of the same user does, it loses its own connection and nothing else.

Each attack runs against one real agent; after each of them it must answer, within its memory, to a client
that was connected all the time. What a failing run finds is replayed from `REPLAYED` from then on.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.agent import extension, wire
from kit.agent.client import AgentClient
from kit.agent.encoding import mpint, string, uint32
from kit.agent.forms import key_id
from kit.agent.launch import Options, start_agent
from kit.agent.startup import Limits
from kit.core.framing import frame
from tests.agent.samples import TLS_1_3_HEAD
from tests.system.family import descriptors, family, field

LIMITS = Limits(message_s=1.0, unread_s=1.0)
# What may be held for a thousand clients that each sent half of a message; measured, an attack leaves 3 MiB.
MEMORY_LIMIT_KIB = 64 * 1024
CONTENT = TLS_1_3_HEAD + bytes(32)


class Target:
    """The agent under attack, and its old client."""

    def __init__(self, path: str, pid: int) -> None:
        self.path, self.pid = path, pid
        self.client = AgentClient(path, timeout_s=20)
        self.key = self.client.generate("web", "p-256")
        self.everybody = family(path).everybody

    def connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(self.path)  # a time limit would turn a full backlog into an error
        peer.settimeout(20)
        return peer

    def throw(self, data: bytes) -> bytes:
        """Send this, end it, and read what comes back until the agent closes."""
        with self.connect() as peer:
            got = b""
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                while part := peer.recv(65536):
                    got += part
            return got

    def check(self) -> None:
        """They are the same processes, they sign, and none holds more than it may."""
        if not self.client.list_keys():
            # Whoever may add keys may remove them: a random byte 19 does.
            self.key = self.client.generate("web", "p-256")
        assert len(self.client.sign(key_id(self.key.spki), 0x0403, CONTENT)) > 60
        status = self.client.status()
        assert status.pid == self.pid
        assert tuple(process.pid for process in status.processes) == self.everybody
        assert max(memory_kib(pid) for pid in self.everybody) < MEMORY_LIMIT_KIB


def memory_kib(pid: int) -> int:
    return int(field(pid, "VmRSS").split()[0])


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with tempfile.TemporaryDirectory(prefix="kit-", dir="/tmp") as directory:
        log = Path(directory, "log")
        options = Options(limits=LIMITS)
        with start_agent(f"{directory}/agent.sock", log_path=str(log), options=options) as running:
            found = Target(running.socket_path, running.pid)
            with found.client:
                yield found
        # A bug costs a client its connection, or a worker its life, and stands in the log.
        events = [line.split()[2] for line in log.read_text().splitlines()]
        assert {"bug", "kill", "worker-ended", "give-up"} & set(events) == set()


@pytest.fixture(autouse=True)
def _the_agent_survives(target: Target) -> Iterator[None]:
    yield
    target.check()


def _extension(name: str, fields: bytes) -> bytes:
    return bytes([wire.EXTENSION]) + string(name) + fields


GOOD = {
    "identities": bytes([wire.REQUEST_IDENTITIES]),
    "ssh sign": bytes([wire.SIGN_REQUEST]) + string(bytes(40)) + string(bytes(40)) + uint32(2),
    "add": bytes([wire.ADD_IDENTITY])
    + string("ssh-ed25519")
    + string(bytes(32))
    + string(bytes(64))
    + string(""),
    "add RSA": bytes([wire.ADD_IDENTITY]) + string("ssh-rsa") + mpint(9) * 6 + string(""),
    "add constrained": bytes([wire.ADD_ID_CONSTRAINED])
    + string("ecdsa-sha2-nistp256")
    + string("nistp256")
    + string(bytes(65))
    + mpint(9)
    + string("")
    + b"\x01"
    + uint32(9),
    "remove": bytes([wire.REMOVE_IDENTITY]) + string(bytes(40)),
    "query": _extension("query", b""),
    **{
        message.name: b"".join(map(bytes, (wire.extension_request(message.name), *extension.encode(message))))
        for message in (
            extension.Sign(bytes(32), 0x0403, "", CONTENT),
            extension.Decrypt(bytes(32), bytes(256)),
            extension.Generate("x" * 2000, "p-256", ("ssh",), 1),
            extension.Add("x", ("ssh",), 1, memoryview(bytes(300))),
            extension.List(),
            extension.Remove(bytes(32)),
            extension.GetStatus(),
        )
    },
}
# Messages that once did harm, or could have: kept for good.
REPLAYED = {
    "no length": b"\0\0\0\0",
    "four gigabytes": b"\xff\xff\xff\xff",
    "one more than allowed": (wire.MESSAGE_LIMIT + 1).to_bytes(4, "big"),
    "half a length": b"\0\0",
    "a length alone": b"\0\0\1\0",
    "a string beyond the end": bytes(frame(_extension("sign@kit", b"\xff\xff\xff\xff"))),
    "a name that is not UTF-8": bytes(frame(_extension("sign@kit", b"")[:5] + b"\xff" * 8)),
    "a certificate": bytes(frame(bytes([wire.ADD_IDENTITY]) + string("ssh-rsa-cert-v01@openssh.com") + b"x")),
    "an RSA key of zeros": bytes(frame(bytes([wire.ADD_IDENTITY]) + string("ssh-rsa") + string(b"\0") * 6)),
    "an RSA key of ones": bytes(
        frame(bytes([wire.ADD_IDENTITY]) + string("ssh-rsa") + mpint(1) * 6 + string(""))
    ),
    "a very long RSA key": bytes(
        frame(bytes([wire.ADD_IDENTITY]) + string("ssh-rsa") + mpint(1 << 300_000) * 6 + string(""))
    ),
    "a NUL in a name": bytes(frame(_extension("generate@kit", string("a\0b") + string("x") * 2 + uint32(0)))),
    "a surrogate in a name": bytes(
        frame(_extension("generate@kit", string(b"\xed\xa0\x80") * 3 + uint32(0)))
    ),
    "many constraints": bytes(frame(GOOD["add constrained"] + (b"\x01" + uint32(1)) * 9000)),
    "an answer": bytes(frame(wire.identities_answer([(b"x", "y")] * 1000))),
    "a longest passphrase": bytes(frame(bytes([wire.UNLOCK]) + string(bytes(200_000)))),
}


@pytest.mark.parametrize("attack", REPLAYED.values(), ids=REPLAYED)
def test_what_was_found_once_does_no_harm(target: Target, attack: bytes) -> None:
    target.throw(attack)


@pytest.mark.parametrize("message", GOOD.values(), ids=GOOD)
def test_a_message_cut_anywhere_does_no_harm(target: Target, message: bytes) -> None:
    whole = bytes(frame(message))
    for end in range(0, len(whole), max(1, len(whole) // 40)):
        target.throw(whole[:end])
    for end in range(1, len(message), max(1, len(message) // 40)):
        target.throw(bytes(frame(message[:end])))


@pytest.mark.parametrize("message", GOOD.values(), ids=GOOD)
def test_a_message_with_a_tail_does_no_harm(target: Target, message: bytes) -> None:
    target.throw(bytes(frame(message, b"tail")) + b"tail")


_FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


@_FUZZ
@given(data=st.binary(max_size=400))
def test_random_bytes_do_no_harm(target: Target, data: bytes) -> None:
    target.throw(data)


@_FUZZ
@given(frames=st.lists(st.binary(min_size=1, max_size=200), max_size=8))
def test_random_messages_in_good_frames_do_no_harm(target: Target, frames: list[bytes]) -> None:
    target.throw(b"".join(bytes(frame(body)) for body in frames if body[0] not in (wire.LOCK,)))


_STRINGS = st.one_of(st.binary(max_size=80), st.sampled_from([b"p-256", b"ssh", b"any", b"web", bytes(32)]))
_FIELD = st.one_of(
    _STRINGS.map(string),
    st.integers(0, 2**32 - 1).map(uint32),
    st.binary(max_size=9),
    st.builds(lambda n, b: uint32(n) + b, st.integers(0, 2**32 - 1), st.binary(max_size=40)),
)
_NAMES = [name for name in extension.NAMES if name != "stop@kit"]


@_FUZZ
@given(name=st.sampled_from([*_NAMES, "query"]), fields=st.lists(_FIELD, max_size=7))
def test_random_fields_of_an_extension_do_no_harm(target: Target, name: str, fields: list[bytes]) -> None:
    target.throw(bytes(frame(_extension(name, b"".join(fields)))))


_TYPES = ["ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"]


@settings(_FUZZ, max_examples=60)
@given(
    number=st.sampled_from([wire.ADD_IDENTITY, wire.ADD_ID_CONSTRAINED]),
    key_type=st.sampled_from(_TYPES),
    fields=st.lists(_FIELD, max_size=8),
)
def test_random_fields_of_a_key_do_no_harm(
    target: Target, number: int, key_type: str, fields: list[bytes]
) -> None:
    target.throw(bytes(frame(bytes([number]), string(key_type), *fields)))


@_FUZZ
@given(
    name=st.sampled_from(sorted(GOOD)), flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)))
)
def test_a_good_message_with_changed_bytes_does_no_harm(
    target: Target, name: str, flips: list[tuple[int, int]]
) -> None:
    message = bytearray(GOOD[name])
    for at, change in flips:
        message[at % len(message)] ^= change
    if message[0] != wire.LOCK and b"stop@kit" not in message:
        target.throw(bytes(frame(message)))


def test_a_thousand_connections_at_once_leave_the_old_client_served(target: Target) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(1000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    peers = []
    try:
        for number in range(count):
            peers.append(target.connect())
            if not number % 100:
                target.check()
        for peer in peers:
            peer.sendall(bytes(frame(GOOD["identities"])))
        for peer in peers:
            assert peer.recv(5)[4] == wire.IDENTITIES_ANSWER
        target.check()
    finally:
        for peer in peers:
            peer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_that_come_and_go_leave_nothing_behind(target: Target) -> None:
    before = _descriptors(target)
    for _ in range(2000):
        target.connect().close()
    deadline = time.monotonic() + 20
    while target.client.status().connections > 1 or (before and _descriptors(target) > before):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _descriptors(target: Target) -> int:
    """How many the agent's processes have open; only root may look."""
    return sum(len(descriptors(pid)) for pid in target.everybody) if os.geteuid() == 0 else 0


def test_many_slow_senders_are_ended_and_keep_no_one_waiting(target: Target) -> None:
    message = bytes(frame(GOOD["sign@kit"]))
    peers = [target.connect() for _ in range(200)]
    with contextlib.ExitStack() as stack:
        for peer in peers:
            stack.enter_context(peer)
        for byte in message[:20]:
            for peer in peers:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    peer.sendall(bytes([byte]))
            target.check()
        for peer in peers:
            peer.settimeout(20)
            with contextlib.suppress(ConnectionResetError):
                assert peer.recv(1) == b""


def test_many_that_announce_the_largest_message_cost_little(target: Target) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            peer = stack.enter_context(target.connect())
            peer.sendall(wire.MESSAGE_LIMIT.to_bytes(4, "big") + b"\x1b")
        target.check()


def test_many_that_never_read_are_ended(target: Target) -> None:
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(target.connect()) for _ in range(50)]
        for peer in peers:
            peer.setblocking(False)
        deadline, open_peers = time.monotonic() + 30, set(peers)
        while open_peers:
            for peer in tuple(open_peers):
                try:
                    peer.send(bytes(frame(GOOD["list@kit"])) * 500)
                except BlockingIOError:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    open_peers.discard(peer)
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_everything_at_once_for_some_seconds(target: Target) -> None:
    stop, chance = threading.Event(), random.Random(1)
    attacks = [*REPLAYED.values(), *(bytes(frame(message)) for message in GOOD.values())]

    def attack(seed: int) -> None:
        own = random.Random(seed)
        while not stop.is_set():
            data = own.choice(attacks)
            with contextlib.suppress(OSError):
                target.throw(data[: own.randrange(1, len(data) + 1)])

    threads = [threading.Thread(target=attack, args=(chance.random(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            target.check()
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
