"""A bridge's connection to a worker, which knows it for one client of the bridge; one question at a time."""

from __future__ import annotations

import socket
from functools import lru_cache

from kit.agent import extension, wire
from kit.agent.encoding import string, uint32
from kit.agent.extension import Answer, Failure, Request
from kit.agent.wire import MESSAGE_LIMIT
from kit.core.errors import ProtocolError
from kit.core.framing import PREFIX, FrameReader, frame

# What a list of keys comes in; and longer than any signature.
_LIST, _SIGNATURE = 16 * 1024, 2048
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
    """Non-blocking; what `ask` could not send at once goes out when the worker takes it."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self.socket = connected
        self._reader = FrameReader(MESSAGE_LIMIT)
        self._asked: type[Request] = extension.List
        self._begin: bytes | None = None
        self.unsent: bytes | memoryview = b""  # what is left of a question

    def ask(self, request: Request) -> None:
        """Send a question; raises Gone."""
        self._asked = type(request)
        self._begin = _SIGNED.get(self._asked)
        self.send(_framed(request))

    def send(self, question: bytes | bytearray | memoryview) -> None:
        """Send what the worker takes now, and keep the rest; raises Gone."""
        try:
            sent = self.socket.send(question)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            raise Gone from None
        self.unsent = memoryview(question)[sent:] if sent < len(question) else b""

    def receive(self) -> Answer | Failure | None:
        """The answer, or None where more of it has to come; raises Gone, also for what is no answer."""
        try:
            data = self.socket.recv(_SIGNATURE if self._begin else _LIST)
        except BlockingIOError:
            return None
        except ConnectionError:
            raise Gone from None
        if not data:
            raise Gone
        try:
            return self._take(data)
        except ProtocolError:
            raise Gone from None  # whatever it is, no worker in its senses says that

    def _take(self, data: bytes) -> Answer | Failure | None:
        """Signatures come whole, alone and in thousands."""
        begin = self._begin
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


def _framed(request: Request) -> bytes | bytearray:
    if isinstance(request, extension.SignDigest):
        content = request.digest
    elif isinstance(request, extension.Sign):
        content = request.content
    else:
        return frame(wire.extension_request(request.name), *extension.encode(request))
    return _head(request.name, request.key_id, request.scheme, request.purpose, len(content)) + content


# Of what programs ask for again and again: each key in a scheme or two, and few lengths.
@lru_cache(256)
def _head(name: str, key_id: bytes, scheme: int, purpose: str, size: int) -> bytes:
    """What stands before the content."""
    kind = wire.extension_request(name)
    head = b"".join((kind, string(key_id), uint32(scheme), string(purpose), uint32(size)))
    return uint32(len(head) + size) + head
