"""A bridge's connection to a worker, which knows it for one client of the bridge; one question at a time."""

from __future__ import annotations

import select
import socket

from kit.agent import extension, wire
from kit.agent.extension import Answer, Failure, Request
from kit.agent.wire import MESSAGE_LIMIT
from kit.core.errors import ProtocolError
from kit.core.framing import FrameReader, frame

_BUFFER = 16 * 1024
_ANSWERS: dict[type[Request], type[Answer]] = {
    extension.List: extension.KeyList,
    extension.GetCertificates: extension.CertificateList,
    extension.Sign: extension.Signature,
    extension.SignDigest: extension.Signature,
}
# How the answer to a signature begins: it is read without a table, as it is what a bridge is for.
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
        self._rest = memoryview(frame(wire.extension_request(request.name), *extension.encode(request)))
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
            messages = list(self._reader.feed(self._buffer[:got]))
            return self._parse(messages[0]) if messages else None
        except ProtocolError:
            raise Gone from None  # whatever it is, no worker in its senses says that

    def _parse(self, message: bytearray) -> Answer | Failure:
        begin = _SIGNED.get(self._asked)
        if begin and message.startswith(begin):
            return extension.Signature(bytes(message[len(begin) + 4 :]))
        reader = wire.read_extension_response(message, self._asked.name)
        if reader is None:
            raise ProtocolError("a worker that does not know kit's own messages")
        return extension.parse_answer(_ANSWERS[self._asked], reader)

    def close(self) -> None:
        self.socket.close()
