"""XDF 1.0: `XDF:`, and behind it chunks, each with its length, a tag and a body. Pure.

    length (a byte 1, 4 or 8, and a number of so many bytes), tag (2 bytes), body, all little-endian
    1 file header, 2 stream header, 3 samples, 4 clock offset, 5 boundary, 6 stream footer

What belongs to a stream begins with its number (4 bytes). Samples are their number, and each is a byte 8 and
its time (a double), or a byte 0, and its values. A file only grows; a boundary, 16 known bytes, is where a
reader goes on behind damage. Source: the specification, github.com/sccn/xdf/wiki/Specifications.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

MAGIC = b"XDF:"
_BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_LENGTH_FORMATS = {1: "<B", 4: "<I", 8: "<Q"}


class Tag(IntEnum):
    """The kinds of chunks."""

    FILE_HEADER = 1
    STREAM_HEADER = 2
    SAMPLES = 3
    CLOCK_OFFSET = 4
    BOUNDARY = 5
    STREAM_FOOTER = 6


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk; `end` is the byte behind it, `stream` 0 where it is of no stream."""

    tag: int
    stream: int
    body: bytes
    end: int


def chunk(tag: Tag, body: bytes, stream: int | None = None) -> bytes:
    """A chunk's bytes."""
    whole = struct.pack("<H", tag) + (b"" if stream is None else struct.pack("<I", stream)) + body
    return length(len(whole)) + whole


def length(number: int) -> bytes:
    """A number of bytes or samples, as XDF has it."""
    size = 1 if number < 1 << 8 else 4 if number < 1 << 32 else 8
    return bytes([size]) + struct.pack(_LENGTH_FORMATS[size], number)


def boundary() -> bytes:
    """Where a reader can go on."""
    return chunk(Tag.BOUNDARY, _BOUNDARY)


def numbers(times_s: Sequence[float], rows: Sequence[Sequence[float]]) -> bytes:
    """Samples of 32-bit floating-point numbers."""
    if not rows:
        return length(0)
    pack = struct.Struct(f"<Bd{len(rows[0])}f").pack
    return length(len(rows)) + b"".join([pack(8, at, *row) for at, row in zip(times_s, rows, strict=True)])


def texts(times_s: Sequence[float], values: Sequence[str]) -> bytes:
    """Samples of one text each."""
    parts = [length(len(values))]
    for at, value in zip(times_s, values, strict=True):
        data = value.encode(errors="replace")
        parts.append(struct.pack("<Bd", 8, at) + length(len(data)) + data)
    return b"".join(parts)


def chunks(data: bytes, at: int = len(MAGIC)) -> Iterator[Chunk]:
    """The whole chunks from `at` on, up to what is none."""
    while found := read_length(data, at):
        begin, size = found
        if size < 2 or begin + size > len(data):
            return
        tag = struct.unpack_from("<H", data, begin)[0]
        of_stream = tag in (Tag.STREAM_HEADER, Tag.SAMPLES, Tag.CLOCK_OFFSET, Tag.STREAM_FOOTER)
        if tag not in tuple(Tag) or (of_stream and size < 6):
            return
        stream = struct.unpack_from("<I", data, begin + 2)[0] if of_stream else 0
        at = begin + size
        yield Chunk(tag, stream, data[begin + (6 if of_stream else 2) : at], at)


def read_length(data: bytes, at: int) -> tuple[int, int] | None:
    """Where what follows a length begins, and the length; None where there is none."""
    form = _LENGTH_FORMATS.get(data[at]) if at < len(data) else None
    if form is None or at + 1 + struct.calcsize(form) > len(data):
        return None
    return at + 1 + struct.calcsize(form), struct.unpack_from(form, data, at + 1)[0]


@dataclass(frozen=True, slots=True)
class Whole:
    """Chunks one behind the other, which end at byte `end`; `damaged` if something was wrong before them."""

    chunks: tuple[Chunk, ...]
    end: int
    damaged: bool


def stretches(data: bytes) -> Iterator[Whole]:
    """The whole chunks of a file; behind damage those from the next boundary on."""
    first = len(MAGIC) if data.startswith(MAGIC) else 0
    begin = first
    while begin >= 0:
        found = tuple(chunks(data, begin)) if begin else ()
        end = found[-1].end if found else begin
        if found:
            yield Whole(found, end, damaged=begin != first)
        begin = data.find(boundary(), max(end, 1)) if end < len(data) else -1
