"""The bridge between real sockets: what it answers, what ends it and what does not."""

from __future__ import annotations

import array
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from kit.agent.smtpd.bridge import Bridge
from kit.agent.smtpd.imsg import Decoder, Dialect, Kind, Message
from kit.agent.smtpd.requests import Request
from kit.core.errors import KitError, NegativeAnswer
from tests.agent.smtpd.messages import (
    CONF_START,
    CONTROL,
    DIALECTS,
    DISPATCHER,
    ECDSA_SIGN,
    SETUP_DONE,
    V7,
    introduction,
    message,
    request,
)

_PATIENCE_S = 10.0


@dataclass
class Signer:
    """Signs with the data itself, or raises what it is told to."""

    error: Exception | None = None

    def sign(self, request: Request) -> bytes:
        if self.error:
            raise self.error
        return b"signed " + request.data


@dataclass
class Log:
    """A log that a test can read."""

    lines: list[str] = field(default_factory=list)

    def info(self, text: str) -> None:
        self.lines.append(text)

    warn = info


class Smtpd:
    """smtpd's other processes, around a bridge in a thread."""

    def __init__(self, dialect: Dialect = V7) -> None:
        self.dialect, self.signer, self.log = dialect, Signer(), Log()
        self.parent, theirs = socket.socketpair()
        self.parent.settimeout(_PATIENCE_S)
        self.errors: list[KitError] = []
        self._met: list[socket.socket] = [self.parent]
        bridge = Bridge(self.signer, self.log, theirs.detach())  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._run, args=(bridge,), daemon=True)
        self._thread.start()

    def _run(self, bridge: Bridge) -> None:
        try:
            bridge.run()
        except KitError as error:
            self.errors.append(error)

    def meet(self, process: int = DISPATCHER) -> socket.socket:
        """Introduce a process; its end of the channel."""
        ours, theirs = socket.socketpair()
        ours.settimeout(_PATIENCE_S)
        self._met.append(ours)
        self.send_descriptor(self.parent, introduction(self.dialect, process), theirs)
        return ours

    def send_descriptor(self, channel: socket.socket, said: bytes, passed: socket.socket) -> None:
        rights = array.array("i", [passed.fileno()])
        channel.sendmsg([said], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        passed.close()

    def set_up(self) -> None:
        self.parent.sendall(message(self.dialect, SETUP_DONE))
        assert self.answer(self.parent).kind is Kind.SETUP_DONE

    def ask(self, channel: socket.socket, digest: bytes = bytes(32)) -> Message:
        channel.sendall(message(self.dialect, ECDSA_SIGN, request(digest)))
        return self.answer(channel)

    def answer(self, channel: socket.socket) -> Message:
        decoder = Decoder(self.dialect)
        while True:
            data = channel.recv(65536)
            assert data, "the bridge closed the channel"
            for found in decoder.feed(data):
                return found

    def end(self) -> None:
        self.parent.shutdown(socket.SHUT_RDWR)
        self.await_end()

    def await_end(self) -> None:
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive()
        for channel in self._met:
            channel.close()


@pytest.fixture
def smtpd() -> Iterator[Smtpd]:
    made = Smtpd()
    yield made
    made.end()


FAILED = request(b"")[:8] + (-1).to_bytes(4, "little", signed=True)


@pytest.mark.parametrize("dialect", DIALECTS, ids=["6.8", "7.0 to 7.7", "7.8"])
def test_every_version_is_set_up_and_served_until_its_parent_ends(dialect: Dialect) -> None:
    smtpd = Smtpd(dialect)
    control, dispatcher = smtpd.meet(CONTROL), smtpd.meet()
    smtpd.set_up()
    for channel in (control, dispatcher):
        channel.sendall(message(dialect, CONF_START))
    assert b"signed " + bytes(32) in smtpd.ask(dispatcher).body
    smtpd.parent.shutdown(socket.SHUT_RDWR)
    assert dispatcher.recv(1) == b""
    smtpd.end()
    assert smtpd.errors == smtpd.log.lines == []


def test_requests_in_one_piece_are_answered_in_their_order(smtpd: Smtpd) -> None:
    dispatcher = smtpd.meet()
    asked = [bytes([number]) * 32 for number in range(50)]
    dispatcher.sendall(b"".join(message(V7, ECDSA_SIGN, request(digest)) for digest in asked))
    decoder, answers = Decoder(V7), []
    while len(answers) < len(asked):
        answers += [found.body for found in decoder.feed(dispatcher.recv(65536))]
    assert [body[-32:] for body in answers] == asked


def test_a_refusal_is_an_answer_and_a_line_in_the_log(smtpd: Smtpd) -> None:
    dispatcher = smtpd.meet()
    smtpd.signer.error = NegativeAnswer("the agent refused")
    assert smtpd.ask(dispatcher).body == FAILED
    assert smtpd.log.lines == [f"no signature with SHA256:{'5a' * 32}: the agent refused"]
    smtpd.signer.error = None
    assert b"signed " in smtpd.ask(dispatcher).body


def test_a_bug_costs_one_answer_and_tells_no_content(smtpd: Smtpd) -> None:
    dispatcher = smtpd.meet()
    smtpd.signer.error = ValueError("content")
    assert smtpd.ask(dispatcher).body == FAILED
    assert "ValueError at test_bridge.py" in smtpd.log.lines[0]
    assert "content" not in smtpd.log.lines[0]


def test_a_process_that_breaks_the_protocol_loses_its_channel_and_no_other_does(smtpd: Smtpd) -> None:
    bad, good = smtpd.meet(), smtpd.meet()
    bad.sendall(bytes(64))
    assert bad.recv(1) == b""
    assert b"signed " in smtpd.ask(good).body
    assert smtpd.log.lines == ["a message of smtpd with a length of 0"]


def test_the_control_process_may_not_ask(smtpd: Smtpd) -> None:
    control = smtpd.meet(CONTROL)
    control.sendall(message(V7, ECDSA_SIGN, request(bytes(32))))
    assert control.recv(1) == b""


def test_a_descriptor_that_nobody_wants_is_closed(smtpd: Smtpd) -> None:
    dispatcher = smtpd.meet()
    for channel in (dispatcher, smtpd.parent):
        reading, writing = socket.socketpair()
        with reading:
            reading.settimeout(_PATIENCE_S)
            smtpd.send_descriptor(channel, message(V7, CONF_START, descriptor=True), writing)
            assert reading.recv(1) == b""
    assert b"signed " in smtpd.ask(dispatcher).body


def test_a_process_that_ends_is_let_go(smtpd: Smtpd) -> None:
    first = smtpd.meet()
    first.close()
    assert b"signed " in smtpd.ask(smtpd.meet()).body


def test_one_that_reads_no_answers_is_not_read_and_gets_them_later(smtpd: Smtpd) -> None:
    slow, quick = smtpd.meet(), smtpd.meet()
    asked = message(V7, ECDSA_SIGN, request(bytes(32)))
    slow.setblocking(False)
    sent = 0
    for _ in range(3):
        try:
            while True:
                sent += slow.send(asked)
        except BlockingIOError:
            assert b"signed " in smtpd.ask(quick).body
    slow.setblocking(True)
    slow.settimeout(_PATIENCE_S)
    decoder, answered = Decoder(V7), 0
    while answered < sent // len(asked):
        answered += len(list(decoder.feed(slow.recv(65536))))
    assert b"signed " in smtpd.ask(quick).body


@pytest.mark.parametrize("said", [bytes(16), introduction(V7)])
def test_a_parent_that_is_none_ends_it(said: bytes) -> None:
    """The second one announces a descriptor that does not come."""
    smtpd = Smtpd()
    smtpd.parent.sendall(said)
    smtpd.await_end()
    assert len(smtpd.errors) == 1


def test_descriptors_without_end_are_refused() -> None:
    smtpd = Smtpd()
    pairs = [os.pipe() for _ in range(20)]
    rights = array.array("i", [end for pair in pairs for end in pair])
    smtpd.parent.sendmsg([introduction(V7)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    smtpd.await_end()
    assert "more descriptors" in str(smtpd.errors[0])
    for pair in pairs:
        for end in pair:
            os.close(end)
