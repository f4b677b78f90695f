"""Frames come out whole and in order, however the stream was cut, and nothing of them stays behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import ProtocolError
from kit.core.framing import PREFIX, FrameReader, frame

LIMIT = 5000
BODIES = st.lists(st.binary(min_size=1, max_size=LIMIT), max_size=5)


def whole(bodies: list[bytes]) -> bytes:
    return b"".join(bytes(frame(body)) for body in bodies)


def test_a_frame_is_its_length_and_its_parts() -> None:
    assert frame(b"ab", bytearray(b"c"), memoryview(b"de")) == b"\x00\x00\x00\x05abcde"


@given(BODIES)
def test_frames_come_out_of_one_piece(bodies: list[bytes]) -> None:
    assert list(FrameReader(LIMIT).feed(whole(bodies))) == bodies


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_frames_come_out_byte_by_byte(bodies: list[bytes]) -> None:
    reader = FrameReader(LIMIT)
    stream = whole(bodies)
    found = [done for at in range(len(stream)) for done in reader.feed(stream[at : at + 1])]
    assert found == bodies
    assert reader.pending == 0


@given(BODIES, st.lists(st.integers(1, 3000)), st.sampled_from([bytes, bytearray, memoryview]))
def test_frames_come_out_of_any_pieces(bodies: list[bytes], cuts: list[int], kind: type) -> None:
    reader, stream, found = FrameReader(LIMIT), whole(bodies), []
    for cut in [*cuts, len(stream)]:
        found += reader.feed(kind(stream[:cut]))
        stream = stream[cut:]
    assert found == bodies


def test_a_tail_waits_for_its_rest() -> None:
    reader = FrameReader(LIMIT)
    assert list(reader.feed(frame(b"one") + frame(b"two")[:5])) == [b"one"]
    assert (reader.pending, reader.missing) == (1, 2)
    assert list(reader.feed(b"wo\x00\x00")) == [b"two"]
    assert (reader.pending, reader.missing) == (2, 2)


@given(BODIES)
def test_who_reads_no_more_than_is_missing_gets_frame_after_frame(bodies: list[bytes]) -> None:
    reader, stream, found = FrameReader(LIMIT), whole(bodies), []
    while stream:
        size = reader.missing
        assert size > 0
        ready = list(reader.feed(stream[:size]))
        assert len(ready) <= 1
        found += ready
        stream = stream[size:]
    assert found == bodies
    assert reader.missing == PREFIX


@pytest.mark.parametrize("size", [0, LIMIT + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_that_is_not_allowed_is_refused_at_once(size: int) -> None:
    reader = FrameReader(LIMIT)
    with pytest.raises(ProtocolError, match=f"a message of {size} bytes"):
        list(reader.feed(size.to_bytes(PREFIX, "big")))
    assert reader.pending == 0


def test_the_frames_before_a_bad_length_are_handed_out() -> None:
    frames = FrameReader(LIMIT).feed(frame(b"good") + bytes(PREFIX))
    assert next(frames) == b"good"
    with pytest.raises(ProtocolError):
        next(frames)


def test_a_frame_of_the_limit_passes() -> None:
    assert list(FrameReader(LIMIT).feed(frame(bytes(LIMIT)))) == [bytes(LIMIT)]


def test_an_announced_frame_costs_no_memory_before_it_comes() -> None:
    reader = FrameReader(1 << 30)
    assert list(reader.feed((1 << 30).to_bytes(PREFIX, "big") + b"x")) == []
    assert len(reader._body) < 5000
    assert reader.pending == 1


def test_a_frame_belongs_to_who_took_it() -> None:
    reader = FrameReader(LIMIT)
    (first,) = reader.feed(frame(b"secret"))
    first[:] = bytes(6)
    assert list(reader.feed(frame(b"other"))) == [b"other"]
    assert first == bytes(6)


def test_a_buffer_that_grows_or_is_forgotten_is_wiped() -> None:
    reader = FrameReader(1 << 20)
    list(reader.feed((1 << 20).to_bytes(PREFIX, "big") + b"s" * 100))
    small = reader._body
    list(reader.feed(b"s" * 10_000))
    large = reader._body
    assert large is not small
    assert not any(small)
    reader.wipe()
    assert not any(large)
    assert reader.pending == 0
    assert list(reader.feed(frame(b"next"))) == [b"next"]


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_garbage_yields_frames_or_a_protocol_error_and_never_exceeds_the_limit(pieces: list[bytes]) -> None:
    reader = FrameReader(40)
    for piece in pieces:
        try:
            for done in reader.feed(piece):
                assert 0 < len(done) <= 40
        except ProtocolError:
            return
        assert reader.pending < PREFIX + 40
