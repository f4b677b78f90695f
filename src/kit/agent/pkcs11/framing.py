"""p11-kit's frames: `u32 code | u32 options_len | u32 body_len | options | body`, all big-endian.

Before the first, the client says one byte, the highest protocol version that it speaks. `code` is the
client's sequence number and comes back with the answer; the options name the client's module and say nothing
that matters. The client writes the three parts in three pieces.
"""

from __future__ import annotations

from struct import Struct

from kit.core.errors import ProtocolError

# p11-kit's own server allocates whatever the header says. What a program signs is a few hundred bytes; a
# message of the agent, which has to carry it on, has 256 KiB (OpenSSH's AGENT_MAX_LEN).
BODY_LIMIT = 256 * 1024
OPTIONS_LIMIT = 1024  # "client": 6 bytes
_HEADER = Struct(">III")
_FRAME_LIMIT = _HEADER.size + OPTIONS_LIMIT + BODY_LIMIT
# Threads of one program share its connection, each with one call under way.
_PENDING_LIMIT = _FRAME_LIMIT

frame_header = _HEADER.pack


class FrameReader:
    """Collects what the client sends; hands out its version, then frame by frame."""

    def __init__(self) -> None:
        self._in = bytearray()
        self._alone = b""  # all that is held, where it came at once: nearly always a frame
        self._needed = 1  # without so many bytes there is nothing to hand out
        self.pending = 0  # how many bytes are held

    @property
    def room(self) -> int:
        """How many bytes may be fed now; a frame that is whole has to be taken first where this is 0."""
        return _PENDING_LIMIT - self.pending

    @property
    def missing(self) -> int:
        """How many bytes end what has begun, the header or the frame; 1 where all can be handed out."""
        return max(1, self._needed - self.pending)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Raises ProtocolError where more comes than there is room."""
        held = self.pending + len(data)
        if held > _PENDING_LIMIT:
            raise ProtocolError(f"more than {_PENDING_LIMIT} bytes ahead of their answers")
        if self.pending:
            self._collect()
            self._in += data
        else:
            self._alone = bytes(data)
        self.pending = held

    def version(self) -> int | None:
        """The client's first byte."""
        self._collect()
        if not self._in:
            return None
        self._needed = _HEADER.size
        self.pending -= 1
        return self._in.pop(0)

    def next(self) -> tuple[int, bytes] | None:
        """Code and body of the next frame; raises ProtocolError for a header that no client sends."""
        if self.pending < self._needed:
            return None
        data = self._alone or self._in
        code, options, body = _HEADER.unpack_from(data)
        if not code:
            raise ProtocolError("a message whose code is 0")
        if options > OPTIONS_LIMIT or body > BODY_LIMIT:
            raise ProtocolError(
                f"a message of {options} and {body} bytes, where {OPTIONS_LIMIT} and {BODY_LIMIT} are allowed"
            )
        end = _HEADER.size + options + body
        if self.pending < end:
            self._needed = end
            return None
        self._needed = _HEADER.size
        self.pending -= end
        if not self.pending and data is self._alone:
            self._alone = b""
            return code, data[end - body :]
        self._collect()
        found = bytes(self._in[end - body : end])
        del self._in[:end]
        return code, found

    def _collect(self) -> None:
        """What came at once is followed by more, or holds more than a frame."""
        self._in += self._alone
        self._alone = b""
