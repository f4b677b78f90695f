"""Frames come at any chunking, bounded, and what no client sends ends the connection."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.pkcs11.framing import BODY_LIMIT, OPTIONS_LIMIT, FrameReader
from kit.core.errors import ProtocolError
from tests.agent.pkcs11.client import pieces

FRAMES = [(0x10, b"first", b"client"), (0x11, b"", b""), (0xFFFFFFFF, b"x" * 3000, b"o" * OPTIONS_LIMIT)]
STREAM = b"\x02" + b"".join(b"".join(pieces(code, body, options)) for code, body, options in FRAMES)
EXPECTED = [(code, body) for code, body, _ in FRAMES]


def read(*parts: bytes) -> list[tuple[int, bytes]]:
    """Every frame after the version, each taken as soon as it is there."""
    reader, found, version = FrameReader(), [], None
    for part in parts:
        reader.feed(part)
        if version is None:
            version = reader.version()
        while version is not None and (frame := reader.next()):
            found.append(frame)
    return found


def header(code: int, options: int, body: int) -> bytes:
    return struct.pack(">III", code, options, body)


def test_frames_come_whole() -> None:
    assert read(STREAM) == EXPECTED


def test_frames_come_byte_by_byte() -> None:
    assert read(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == EXPECTED


def test_a_tail_waits_for_its_rest() -> None:
    reader = FrameReader()
    reader.feed(STREAM + b"\x00\x00\x00\x12")
    assert reader.version() == 2
    assert [reader.next() for _ in range(4)] == [*EXPECTED, None]
    assert reader.pending == 4


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_frames_come_at_any_chunking(cuts: list[int]) -> None:
    places = sorted({0, len(STREAM), *cuts})
    assert read(*(STREAM[a:b] for a, b in pairwise(places))) == EXPECTED


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (header(0, 6, 8), "code is 0"),
        (header(1, OPTIONS_LIMIT + 1, 8), "are allowed"),
        (header(1, 6, BODY_LIMIT + 1), "are allowed"),
        (header(1, 0xFFFFFFFF, 0xFFFFFFFF), "are allowed"),
        (b"GET / HTTP/1", "are allowed"),
    ],
)
def test_a_header_that_no_client_sends_ends_the_connection(wrong: bytes, why: str) -> None:
    reader = FrameReader()
    reader.feed(b"\x00" + wrong)
    reader.version()
    with pytest.raises(ProtocolError, match=why):
        reader.next()


def test_the_largest_frame_is_taken() -> None:
    body = b"b" * BODY_LIMIT
    assert read(b"\x00", *pieces(1, body, b"o" * OPTIONS_LIMIT)) == [(1, body)]


def test_no_more_is_held_than_one_frame_can_be() -> None:
    reader = FrameReader()
    limit = reader.room
    assert limit == 12 + OPTIONS_LIMIT + BODY_LIMIT
    reader.feed(b"\x00")
    reader.version()
    reader.feed(header(1, OPTIONS_LIMIT, BODY_LIMIT))
    reader.feed(bytes(reader.room))
    assert reader.room == 0
    with pytest.raises(ProtocolError, match="ahead of their answers"):
        reader.feed(b"x")
    assert reader.next() == (1, bytes(BODY_LIMIT))
    assert reader.room == limit


def test_a_length_that_is_announced_costs_no_buffer() -> None:
    reader = FrameReader()
    reader.feed(b"\x00" + header(1, OPTIONS_LIMIT, BODY_LIMIT))
    reader.version()
    assert reader.next() is None
    assert reader.pending == 12


def test_a_reader_tells_how_much_is_missing() -> None:
    reader, data = FrameReader(), b"\x00" + b"".join(pieces(1, b"body"))
    assert reader.missing == 1
    reader.feed(data[:1])
    assert (reader.version(), reader.missing) == (0, 12)
    reader.feed(data[1:5])
    assert (reader.next(), reader.missing) == (None, 8)
    reader.feed(data[5:14])
    assert (reader.next(), reader.missing) == (None, len(data) - 14)
    reader.feed(data[14:])
    assert (reader.next(), reader.missing) == ((1, b"body"), 12)
