"""What a key process says and is told, apart from sockets: setup by the parent, requests by the dispatcher.

Only the dispatcher is answered; the control process is introduced, too, and has nothing to ask. What else
smtpd tells its processes (its configuration, verbosity, profiling) is of no use here and passed over.
"""

from __future__ import annotations

from collections.abc import Iterator

from kit.agent.smtpd.imsg import Decoder, Dialect, Kind
from kit.agent.smtpd.requests import Request, read_request
from kit.core.errors import ProtocolError
from kit.core.frozen import frozen

DISPATCHER = 5  # smtpd.h: enum smtp_proc_type; "pony" in 6.8
_REQUESTS = frozenset((Kind.RSA_PRIVENC, Kind.RSA_PRIVDEC, Kind.ECDSA_SIGN))


@frozen
class Introduced:
    """The parent hands over the next descriptor: a channel to this process."""

    process: int


@frozen
class Unwanted:
    """A descriptor that nothing needs came along."""


@frozen
class Told:
    """Everybody is introduced; the parent waits for this answer."""

    answer: bytes


class WithParent:
    """The conversation on descriptor 3."""

    def __init__(self, pid: int) -> None:
        self._decoder, self._pid = Decoder(), pid

    @property
    def dialect(self) -> Dialect:
        """Known once the first event is there."""
        if self._decoder.dialect is None:
            raise ProtocolError("smtpd has said nothing yet")
        return self._decoder.dialect

    def feed(self, data: bytes) -> Iterator[Introduced | Told | Unwanted]:
        for message in self._decoder.feed(data):
            if message.kind is Kind.SETUP_PEER:
                if not message.has_descriptor:
                    raise ProtocolError("smtpd introduces a process without a channel to it")
                yield Introduced(message.peer)
            elif message.has_descriptor:
                yield Unwanted()
            elif message.kind is Kind.SETUP_DONE:
                yield Told(self.dialect.encode(Kind.SETUP_DONE, b"", self._pid))


class WithPeer:
    """The conversation with one of smtpd's other processes."""

    def __init__(self, process: int, dialect: Dialect, pid: int) -> None:
        self._decoder, self._dialect, self._pid = Decoder(dialect), dialect, pid
        self._answered = process == DISPATCHER

    def feed(self, data: bytes) -> Iterator[Request | Unwanted]:
        for message in self._decoder.feed(data):
            if message.has_descriptor:
                yield Unwanted()
            elif message.kind in _REQUESTS:
                if not self._answered:
                    raise ProtocolError("a process of smtpd asks for signatures that is not its dispatcher")
                yield read_request(message)

    def answer(self, request: Request, signature: bytes | None) -> bytes:
        """The whole message; None is a failure."""
        return self._dialect.encode(request.kind, request.answer(signature), self._pid)
