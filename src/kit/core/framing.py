"""Length-prefixed frames out of a byte stream (uint32 length, big-endian, then that many bytes).

The feed() contract that every decoder of kit keeps: bytes go in at any chunking, finished things come out in
order, "not yet" is an empty answer, and what is waiting never exceeds a stated limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from kit.core.errors import ProtocolError

PREFIX = 4
# A peer that announces a large frame and sends nothing must not cost a large buffer.
_FIRST_ROOM = 2048


class FrameReader:
    """Collects frames of 1 to `limit` bytes; each is handed out as a bytearray that the caller owns.

    A frame can carry a private key, so no copy of one stays behind: a buffer that grows is wiped before
    it is let go, and the caller wipes what it was given.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = bytearray()
        self._body = bytearray()
        self._size = self._have = 0

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._head) + self._have

    @property
    def missing(self) -> int:
        """How many bytes end what has begun, the prefix or the frame: who reads no more never has a rest."""
        return self._size - self._have if self._size else PREFIX - len(self._head)

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[bytearray]:
        """Yield each frame that `data` completes; raise ProtocolError for one that is empty or too long."""
        view = memoryview(data)
        while view:
            part = view[: self.missing]
            view = view[len(part) :]
            done = self.take(part)
            if done is not None:
                yield done

    def take(self, part: memoryview) -> bytearray | None:
        """The frame that `part`, no longer than `missing`, completes; raises like `feed`."""
        if not self._size:
            self._read_head(part)
            return None
        end = self._have + len(part)
        self._make_room(end)
        # Through a view: a bytearray copies what it is assigned, unless that is one, too.
        memoryview(self._body)[self._have : end] = part
        self._have = end
        if end < self._size:
            return None
        done, self._body, self._size, self._have = self._body, bytearray(), 0, 0
        return done

    def wipe(self) -> None:
        """Overwrite and forget what is held."""
        self._body[:] = bytes(len(self._body))
        self._head, self._body, self._size, self._have = bytearray(), bytearray(), 0, 0

    def _read_head(self, part: memoryview) -> None:
        self._head += part
        if len(self._head) == PREFIX:
            self._size = int.from_bytes(self._head, "big")
            self._head.clear()
            if not 0 < self._size <= self._limit:
                raise ProtocolError(f"a message of {self._size} bytes, where 1 to {self._limit} are allowed")

    def _make_room(self, needed: int) -> None:
        if needed <= len(self._body):
            return
        old, room = self._body, max(needed, 2 * len(self._body), _FIRST_ROOM)
        self._body = bytearray(min(room, self._size))
        memoryview(self._body)[: self._have] = memoryview(old)[: self._have]
        old[:] = bytes(len(old))


def frame(*parts: bytes | bytearray | memoryview) -> bytearray:
    """The parts as one frame, length first."""
    out = bytearray(sum(map(len, parts)).to_bytes(PREFIX, "big"))
    for part in parts:
        out += part
    return out
