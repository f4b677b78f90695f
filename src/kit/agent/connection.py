"""One client's connection: whole messages in, answers out, one message after the other.

A message that has begun is read to its end and no further, a new one with what little stands behind it, since
most come whole and alone. What a client sends ahead stays in the system's buffer, where it costs that client.
"""

from __future__ import annotations

import socket

from kit.agent.uses import Client
from kit.core.framing import PREFIX, FrameReader

# Longer than a request to sign, and all that is read ahead.
_AT_ONCE = 1024


class Closed(Exception):
    """The client is gone."""


class Connection:
    """A non-blocking socket, the message that is coming, the answer that is going."""

    __slots__ = (
        "_reader",
        "ahead",
        "busy",
        "client",
        "due_s",
        "interest",
        "message",
        "number",
        "socket",
        "unsent",
    )

    def __init__(self, peer: socket.socket, number: int, message_limit: int, client: Client) -> None:
        self.socket = peer
        self.number = number
        self.client = client
        self.interest = 0
        self.due_s = 0.0  # when its time is over; 0 for never
        self.busy = False  # its answer is not ready
        self.message = bytearray()
        self._reader = FrameReader(message_limit)
        self.ahead = bytearray()  # what was read behind a message
        self.unsent: bytes | memoryview = b""  # what is left of an answer

    @property
    def begun(self) -> bool:
        """Is a part of a message here?"""
        return self._reader.pending > 0

    def receive(self, buffer: memoryview) -> bytearray | None:
        """Read through `buffer` up to the end of one message; None if that is yet to come."""
        if not self.ahead and not self._reader.pending:
            message = self._receive_whole(buffer)
            if message is not None:
                return message
        if self.ahead:
            ahead, self.ahead = self.ahead, bytearray()
            message = self._take(memoryview(ahead))
            if message is not None:
                return message
        while True:
            missing = self._reader.missing
            part = buffer[: _AT_ONCE if missing == PREFIX else missing]
            try:
                got = self.socket.recv_into(part)
            except BlockingIOError:
                return None
            if not got:
                raise Closed
            message = self._take(part[:got])
            if message is not None:
                return message
            if got < len(part):
                # The rest is under way; the loop tells when it is there.
                return None

    def _receive_whole(self, buffer: memoryview) -> bytearray | None:
        """One message that comes whole and alone, as nearly all do; what else comes is kept for `receive`."""
        try:
            got = self.socket.recv_into(buffer, _AT_ONCE)
        except BlockingIOError:
            return None
        if not got:
            raise Closed
        part = buffer[:got]
        message = None
        if got > PREFIX and int.from_bytes(part[:PREFIX], "big") == got - PREFIX:
            message = bytearray(part[PREFIX:])
        else:
            self.ahead += part
        part[:] = bytes(got)
        return message

    def _take(self, data: memoryview) -> bytearray | None:
        """The message that `data` completes; what stands behind it is kept. `data` is wiped in any case."""
        rest = data
        try:
            while rest:
                part = rest[: self._reader.missing]
                rest = rest[len(part) :]
                message = self._reader.take(part)
                if message is not None:
                    self.ahead += rest
                    return message
            return None
        finally:
            data[:] = bytes(len(data))

    def send(self, answer: bytes | bytearray | memoryview) -> None:
        """Send what the client takes now, and keep the rest for the next time it is ready."""
        try:
            sent = self.socket.send(answer)
        except BlockingIOError:
            sent = 0
        self.unsent = memoryview(answer)[sent:] if sent < len(answer) else b""

    def close(self) -> None:
        """End it; a message that is worked on is wiped after that."""
        self._reader.wipe()
        self.ahead[:] = bytes(len(self.ahead))
        if not self.busy:
            self.wipe_message()
        self.socket.close()

    def wipe_message(self) -> None:
        """Overwrite the message that was answered: it may have carried a key."""
        if self.message:
            self.message[:] = bytes(len(self.message))
            self.message = bytearray()
