"""The data types of the SSH protocol (RFC 4251, section 5), read strictly and written.

A `Reader` hands out views into the message, never copies: a private key that stands in the message then
exists once, where its owner can wipe it. Take `bytes()` of a view to keep public data.
"""

from __future__ import annotations

from kit.core.errors import ProtocolError

Buffer = bytes | bytearray | memoryview


class Reader:
    """Walks through a message; raises ProtocolError where the message ends too early or says nonsense."""

    def __init__(self, data: Buffer) -> None:
        self._data = memoryview(data)
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes are left to read."""
        return len(self._data) - self._at

    def take(self, count: int) -> memoryview:
        """The next `count` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise ProtocolError(f"the message ends {end - len(self._data)} bytes too early")
        view = self._data[self._at : end]
        self._at = end
        return view

    def byte(self) -> int:
        return self.take(1)[0]

    def boolean(self) -> bool:
        """RFC 4251 reads any non-zero byte as true; a strict reader has no need for a third value."""
        value = self.byte()
        if value > 1:
            raise ProtocolError(f"a boolean of value {value}")
        return bool(value)

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def uint64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def string(self) -> memoryview:
        # Most of every message; take(uint32()) would take twice as long.
        start = self._at + 4
        end = start + int.from_bytes(self._data[self._at : start], "big")
        if end > len(self._data) or start > len(self._data):
            return self.take(self.uint32())
        self._at = end
        return self._data[start:end]

    def text(self, limit: int = 255) -> str:
        """A string that is UTF-8 of at most `limit` bytes."""
        raw = self.string()
        if len(raw) > limit:
            raise ProtocolError(f"a text of {len(raw)} bytes, where {limit} are allowed")
        try:
            return bytes(raw).decode()
        except UnicodeDecodeError:
            raise ProtocolError("a text that is not UTF-8") from None

    def mpint(self) -> memoryview:
        """The magnitude of a positive mpint, big-endian, without its leading zero byte."""
        raw = self.string()
        if not raw or raw[0] & 0x80:
            raise ProtocolError("an integer that is not positive")
        if raw[0]:
            return raw
        if len(raw) == 1 or not raw[1] & 0x80:
            raise ProtocolError("an integer with a needless leading zero")
        return raw[1:]

    def end(self) -> None:
        """Nothing may be left."""
        if self.left:
            raise ProtocolError(f"{self.left} bytes after the end of the message")


def uint32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def uint64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def string(value: Buffer | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else bytes(value)
    return len(raw).to_bytes(4, "big") + raw


def mpint(value: int) -> bytes:
    """A positive integer; the extra bit keeps the sign bit clear."""
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big"))
