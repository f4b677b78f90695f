"""A bridge's connection to a worker, which knows it for one client of the bridge; one question at a time."""

from __future__ import annotations

import select
import socket

from kit.agent import extension, wire
from kit.agent.encoding import string, uint32
from kit.agent.extension import Answer, Failure, Request
from kit.agent.wire import MESSAGE_LIMIT
from kit.core.errors import ProtocolError
from kit.core.framing import PREFIX, FrameReader, frame

_BUFFER = 16 * 1024
_ANSWERS: dict[type[Request], type[Answer]] = {
    extension.List: extension.KeyList,
    extension.GetCertificates: extension.CertificateList,
    extension.Sign: extension.Signature,
    extension.SignDigest: extension.Signature,
}
_LENGTH = 4
# Signatures are what a bridge is for: questions and answers of them are written and read without a table, in
# a fifth of the time. How an answer begins:
_SIGNED: dict[type[Request], bytes] = {
    kind: wire.extension_response(kind.name, b"") + bytes([extension.Status.DONE])
    for kind in (extension.Sign, extension.SignDigest)
}


class Gone(Exception):
    """The worker is."""


class Link:
    """Non-blocking; what `ask` could not send at once goes out by `flush`."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self.socket = connected
        self._reader = FrameReader(MESSAGE_LIMIT)
        self._buffer = memoryview(bytearray(_BUFFER))
        self._asked: type[Request] = extension.List
        self._rest = memoryview(b"")

    @property
    def interest(self) -> int:
        """What epoll is to tell of."""
        return select.EPOLLIN | (select.EPOLLOUT if self._rest else 0)

    def ask(self, request: Request) -> None:
        """Send a question; raises Gone."""
        self._asked = type(request)
        self._rest = memoryview(_framed(request))
        self.flush()

    def flush(self) -> None:
        """Send what is left of the question; raises Gone."""
        try:
            self._rest = self._rest[self.socket.send(self._rest) :]
        except BlockingIOError:
            return
        except ConnectionError:
            raise Gone from None

    def receive(self) -> Answer | Failure | None:
        """The answer, or None where more of it has to come; raises Gone, also for what is no answer."""
        try:
            got = self.socket.recv_into(self._buffer)
        except BlockingIOError:
            return None
        except ConnectionError:
            raise Gone from None
        if not got:
            raise Gone
        try:
            return self._take(bytes(self._buffer[:got]))
        except ProtocolError:
            raise Gone from None  # whatever it is, no worker in its senses says that

    def _take(self, data: bytes) -> Answer | Failure | None:
        """Signatures come whole, alone and in thousands."""
        begin = _SIGNED.get(self._asked)
        if begin and data.startswith(begin, PREFIX) and not self._reader.pending:
            at = PREFIX + len(begin) + _LENGTH
            if len(data) == PREFIX + int.from_bytes(data[:PREFIX], "big"):
                return extension.Signature(data[at:])
        messages = list(self._reader.feed(data))
        return self._parse(messages[0]) if messages else None

    def _parse(self, message: bytearray) -> Answer | Failure:
        reader = wire.read_extension_response(message, self._asked.name)
        if reader is None:
            raise ProtocolError("a worker that does not know kit's own messages")
        return extension.parse_answer(_ANSWERS[self._asked], reader)

    def close(self) -> None:
        self.socket.close()


# How a question of each kind begins.
_HEADS: dict[type[Request], bytes] = {
    kind: wire.extension_request(kind.name) for kind in (extension.Sign, extension.SignDigest)
}


def _framed(request: Request) -> bytes | bytearray:
    if isinstance(request, extension.SignDigest):
        content = request.digest
    elif isinstance(request, extension.Sign):
        content = request.content
    else:
        return frame(wire.extension_request(request.name), *extension.encode(request))
    head = b"".join(
        (
            _HEADS[type(request)],
            string(request.key_id),
            uint32(request.scheme),
            string(request.purpose),
            uint32(len(content)),
        )
    )
    return b"".join((uint32(len(head) + len(content)), head, content))
