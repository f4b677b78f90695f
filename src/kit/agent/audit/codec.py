"""Acts as compact frames, for the pipe between a worker and the supervisor. Pure.

All integers are big-endian:

    uint16    size of what follows
    uint64    time in nanoseconds
    uint64    microseconds
    uint32    uid
    uint32    pid
    six texts, each a byte of length and that much UTF-8: event, key, purpose, scheme, peer, result

What repeats from act to act stands last, so that its bytes are the key of a cache. A frame is smaller than
PIPE_BUF (4096): written at once it comes out of the pipe in one piece. The decoder trusts nobody.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Generic, TypeVar

from kit.agent.audit.act import Act
from kit.core.errors import ProtocolError

_T = TypeVar("_T")
_HEAD = struct.Struct(">HQQ")
_SIZE = 2
_IDS = struct.Struct(">II")
# Event, key (keystore.NAME_LIMIT), purpose, scheme, peer (15 bytes, of which each takes six where it is not
# UTF-8), result. A longer text is cut. The sum also bounds a line: rendered, a byte becomes six at most.
_LIMITS = (32, 255, 64, 64, 90, 32)
_LEAST = _HEAD.size - _SIZE + _IDS.size + len(_LIMITS)
FRAME_LIMIT = _SIZE + _LEAST + sum(_LIMITS)
_CUT = "…".encode()
# Of a few hundred bytes each; what an agent has of keys, purposes and peers at a time.
_REMEMBERED = 1024


def encode(act: Act) -> bytes:
    """The act as one frame of at most FRAME_LIMIT bytes; a text that is too long ends in "…"."""
    time_ns, event, key, purpose, scheme, uid, pid, peer, result, microseconds = act
    texts = _encode_texts(event, key, purpose, scheme, peer, result)
    size = _HEAD.size - _SIZE + _IDS.size + len(texts)
    return _HEAD.pack(size, time_ns, microseconds) + _IDS.pack(uid, pid) + texts


def encode_tail(act: Act) -> bytes:
    """What stands in the act's frame behind its times."""
    return encode(act)[_HEAD.size :]


def decode_tail(tail: bytes) -> tuple[int, int, list[str]]:
    """The uid, the pid and the six texts of what stands in a frame behind the times."""
    uid, pid = _IDS.unpack_from(tail)
    texts, at = [], _IDS.size
    for limit in _LIMITS:
        size = tail[at] if at < len(tail) else limit + 1
        end = at + 1 + size
        if size > limit or end > len(tail):
            raise ProtocolError(f"an audit record with a text of more than {limit} bytes, or cut off")
        texts.append(_decode_text(tail[at + 1 : end]))
        at = end
    if at != len(tail):
        raise ProtocolError("an audit record that goes on after its end")
    return uid, pid, texts


class Frames(Generic[_T]):
    """Makes something of each frame of a byte stream: `make` is given time, microseconds and tail."""

    def __init__(self, make: Callable[[int, int, bytes], _T], limit: int = FRAME_LIMIT) -> None:
        self._make, self._limit = make, limit
        self._rest = b""

    @property
    def pending(self) -> int:
        """How many bytes are held of a frame that has not ended, always fewer than the limit."""
        return len(self._rest)

    def feed(self, data: bytes) -> Iterator[_T]:
        """Yield what each frame that `data` completes makes; a wrong one raises ProtocolError, for ever."""
        data = self._rest + data
        at, head_size, make = 0, _HEAD.size, self._make
        try:
            while at + head_size <= len(data):
                size, time_ns, microseconds = _HEAD.unpack_from(data, at)
                end = at + _SIZE + size
                if size < _LEAST or end - at > self._limit:
                    raise ProtocolError(f"an audit record of {size} bytes")
                if end > len(data):
                    break
                made = make(time_ns, microseconds, data[at + head_size : end])
                at = end
                yield made
        finally:
            self._rest = data[at:]


class Decoder(Frames[Act]):
    """Acts out of a byte stream."""

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        super().__init__(_act, limit)


def _act(time_ns: int, microseconds: int, tail: bytes) -> Act:
    uid, pid, (event, key, purpose, scheme, peer, result) = decode_tail(tail)
    return Act(time_ns, event, key, purpose, scheme, uid, pid, peer, result, microseconds)


@lru_cache(_REMEMBERED)
def _encode_texts(*texts: str) -> bytes:
    return b"".join(map(_encode_text, texts, _LIMITS))


def _encode_text(text: str, limit: int) -> bytes:
    # A name that was not UTF-8 may hold surrogates, which UTF-8 does not have.
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > limit:
        data = data[: limit - len(_CUT)].decode("utf-8", "ignore").encode() + _CUT
    return bytes([len(data)]) + data


def _decode_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ProtocolError(f"an audit record with {data!r}, which is not UTF-8") from None
