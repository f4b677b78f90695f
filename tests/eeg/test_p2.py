"""P2: found in any stream, at any chunking, with every byte in one event."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.eeg import p2
from kit.eeg.records import Packet, Skipped, Stretch
from kit.eeg.spans import SKIPPED_LIMIT

# A packet put together by hand from the format's description, and what it says.
VECTOR = bytes.fromhex("a5 5a 02 0a 02 07 01 fe 03 ff 00 00 01 ed 01 e7 f7")
VECTOR_SAYS = Packet(0, 2, 10, (519, 510, 1023, 0, 493, 487), 7, 15)

# Bytes that may be taken for a sync are likelier than chance would have them.
awkward = st.one_of(st.sampled_from([0xA5, 0x5A, 0x02, 0x00]), st.integers(0, 255))
packets = st.builds(
    lambda counter, highs, lows, switches: (
        b"\xa5\x5a\x02"
        + bytes([counter])
        + b"".join(bytes(pair) for pair in zip(highs, lows, strict=True))
        + bytes([switches])
    ),
    awkward,
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
    st.lists(awkward, min_size=6, max_size=6),
    awkward,
)
pieces = st.one_of(
    packets,
    st.builds(lambda packet, size: packet[:size], packets, st.integers(1, 16)),
    st.builds(lambda packet, size: packet[size:], packets, st.integers(1, 16)),
    st.lists(awkward, max_size=20).map(bytes),
)
streams = st.lists(pieces, max_size=12).map(b"".join)


def scan(data: bytes, *cuts: int) -> list[Stretch | Skipped]:
    decoder = p2.Decoder()
    found: list[Stretch | Skipped] = []
    for begin, end in pairwise([0, *sorted(cuts), len(data)]):
        found += decoder.scan(data[begin:end])
    return found + decoder.scan_rest()


def together(spans: list[Stretch | Skipped]) -> list[tuple[bool, int, bytes]]:
    """The spans as (is it packets, offset, bytes), those of one kind that touch as one."""
    out: list[tuple[bool, int, bytes]] = []
    for span in spans:
        good, at, data = isinstance(span, Stretch), span.offset, span.data
        if out and out[-1][0] == good and out[-1][1] + len(out[-1][2]) == at:
            _, at, before = out.pop()
            data = before + data
        out.append((good, at, data))
    return out


def packet(number: int, switches: int = 15) -> bytes:
    return p2.encode(Packet(0, 2, number % 256, (1, 2, 3, 4, 5, 6), switches & 15, switches >> 4))


@given(streams, st.lists(st.integers(0, 200), max_size=20))
def test_events_do_not_depend_on_the_chunking(data: bytes, cuts: list[int]) -> None:
    inside = [cut for cut in cuts if cut <= len(data)]
    assert together(scan(data, *inside)) == together(scan(data))
    assert together(scan(data, *range(len(data)))) == together(scan(data))


@given(streams)
def test_every_byte_is_in_exactly_one_event(data: bytes) -> None:
    spans = scan(data)
    assert b"".join(span.data for span in spans) == data
    assert [span.offset for span in spans] == [
        sum(len(before.data) for before in spans[:index]) for index in range(len(spans))
    ]


@given(streams)
def test_no_good_packet_is_skipped_but_one_that_another_cuts_short(data: bytes) -> None:
    spans = together(scan(data))
    good = [at for at in range(len(data)) if p2._CHAIN.match(data[at : at + 17])]
    taken = {at + n for is_good, at, each in spans if is_good for n in range(0, len(each), 17)}
    assert taken <= set(good)
    for at in set(good) - taken:
        assert {at + 15, at + 16, at - 15, at - 16} & set(good)


@given(st.integers(1, 200), st.integers(0, 3400), awkward)
@example(100, 17 * 70 + 4, 4)
def test_one_wrong_byte_costs_one_packet(count: int, at: int, value: int) -> None:
    data = bytearray(b"".join(map(packet, range(count))))
    at %= len(data)
    is_wrong = at % 17 in (0, 1, 2) or (at % 17 in range(4, 16, 2) and value > 3)
    is_changed = data[at] != value
    data[at] = value
    taken = sum(len(span) for span in scan(bytes(data)) if isinstance(span, Stretch))
    assert taken == (count - 1 if is_wrong and is_changed else count)


@pytest.mark.parametrize("end", [0xA5, 0x5A])
def test_a_packet_whose_end_looks_like_a_begin_waits_for_what_follows(end: int) -> None:
    first = b"\xa5\x5a\x02\x01" + b"\0\0" * 5 + b"\0\xa5" + bytes([end])
    decoder = p2.Decoder()
    assert decoder.scan(first) == []
    [stretch] = decoder.scan(packet(2))
    assert stretch.data == first + packet(2)


def test_of_two_packets_that_overlap_the_second_is_taken() -> None:
    whole = packet(1, switches=0xA5)
    [skipped, stretch] = scan(whole + packet(2)[1:])
    assert isinstance(skipped, Skipped) and skipped.data == whole[:16]
    assert isinstance(stretch, Stretch) and stretch.data == packet(2)


@pytest.mark.parametrize("stray", [b"\xa5", b"\xa5\x5a", b"\xa5\x5a\x02", b"\xa5\xa5", packet(9)[:16]])
def test_a_stray_begin_costs_no_packet(stray: bytes) -> None:
    assert [span.data for span in scan(stray + packet(1))] == [stray, packet(1)]


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
def test_a_clean_stream_is_one_stretch(count: int) -> None:
    data = b"".join(map(packet, range(count)))
    assert scan(data) == [Stretch(p2.LAYOUT, 0, data)]


@given(st.integers(0, 255), st.tuples(*[st.integers(0, 1023)] * 6), st.integers(0, 15), st.integers(0, 15))
def test_what_is_encoded_is_decoded(
    counter: int, channels: tuple[int, ...], buttons: int, auxiliary: int
) -> None:
    told = Packet(0, 2, counter, channels, buttons, auxiliary)
    decoder = p2.Decoder()
    assert decoder.feed(p2.encode(told)) + decoder.finish() == [told]


def test_noise_takes_no_memory_and_comes_in_pieces() -> None:
    decoder = p2.Decoder()
    pieces = [span for _ in range(100) for span in decoder.scan(bytes(1000))]
    assert {len(piece.data) for piece in pieces} == {SKIPPED_LIMIT}
    assert sum(len(piece.data) for piece in pieces) > 98_000


def events(data: bytes, size: int | None = None) -> list[Packet | Skipped]:
    """The events of the bytes, given in pieces of a size."""
    decoder = p2.Decoder()
    found: list[Packet | Skipped] = []
    for at in range(0, len(data), size or len(data) or 1):
        found += decoder.feed(data[at : at + (size or len(data))])
    return found + decoder.finish()


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize("tail", [b"", b"\xa5", VECTOR[:16], b"noise"])
def test_a_packet_says_what_the_format_says(size: int | None, tail: bytes) -> None:
    skipped = [Skipped(17, tail)] if tail else []
    assert events(VECTOR + tail, size) == [VECTOR_SAYS, *skipped]
    assert p2.encode(VECTOR_SAYS) == VECTOR


def test_nothing_is_no_event() -> None:
    assert events(b"") == []


@given(streams, st.integers(1, 40))
def test_long_runs_of_noise_are_cut_at_the_same_places_at_any_chunking(data: bytes, size: int) -> None:
    data = bytes(1020) + data + b"\xa5\x5a" * 511 + data
    assert events(data, size) == events(data)


def test_a_sync_inside_a_good_packet_is_its_last_two_bytes() -> None:
    whole = VECTOR + VECTOR
    places = []
    for at in range(1, 17):
        data = bytearray(whole)
        data[at : at + 2] = b"\xa5\x5a"
        if p2._CHAIN.fullmatch(data):
            places.append(at)
    assert places == [15]


@pytest.mark.parametrize("cut", range(1, 17))
def test_a_packet_cut_short_costs_no_other(cut: int) -> None:
    for value in range(256):
        for other in (0xA5, 0x5A, 0x02, value):
            short = bytes([0xA5, 0x5A, 2, value, *[value & 3, other] * 6])[:16][:cut]
            before, after = packet(1, switches=value), packet(3, switches=other)
            found = [span.data for span in scan(before + short + after)]
            assert found == [before, short, after]


@given(packets, packets, st.integers(1, 16), st.integers(1, 20))
def test_any_packet_cut_short_costs_no_other(first: bytes, second: bytes, cut: int, size: int) -> None:
    found = events(first[:cut] + second, size)
    assert found[:1] == [Skipped(0, first[:cut])]
    assert [event.offset for event in found if isinstance(event, Packet)] == [cut]


@given(packets, st.integers(0, 14), packets)
def test_bytes_lost_from_a_packets_end_or_middle_cost_no_other(first: bytes, at: int, second: bytes) -> None:
    damaged = first[:at] + first[at + 1 :]
    found = [event for event in events(packet(1) + damaged + second) if isinstance(event, Packet)]
    assert [event.offset for event in found] == [0, 33]


@pytest.mark.parametrize("place", range(4, 16, 2))
def test_a_high_byte_above_3_is_bad(place: int) -> None:
    for high in range(256):
        data = bytearray(VECTOR)
        data[place] = high
        [event] = events(bytes(data))
        assert isinstance(event, Packet) is (high <= 3)


@pytest.mark.parametrize(
    "wrong",
    [
        Packet(0, 2, 256, (0,) * 6, 15, 0),
        Packet(0, 2, -1, (0,) * 6, 15, 0),
        Packet(0, 2, 0, (0,) * 5, 15, 0),
        Packet(0, 2, 0, (0, 0, 0, 0, 0, 1024), 15, 0),
        Packet(0, 2, 0, (0,) * 6, 16, 0),
        Packet(0, 2, 0, (0,) * 6, 0, 16),
    ],
)
def test_what_p2_cannot_say_is_refused(wrong: Packet) -> None:
    with pytest.raises(ValueError, match="P2"):
        p2.encode(wrong)


@given(st.lists(pieces, max_size=60).map(b"".join), st.integers(1, 60))
def test_little_is_held(data: bytes, size: int) -> None:
    decoder = p2.Decoder()
    given_out = 0
    for at in range(0, len(data), size):
        part = data[at : at + size]
        given_out += sum(len(span.data) for span in decoder.scan(part))
        assert at + len(part) - given_out < SKIPPED_LIMIT + 2 * p2.SIZE


def test_random_bytes_hold_no_packet() -> None:
    source = random.Random(5)
    decoder = p2.Decoder()
    for _ in range(64):
        assert all(isinstance(span, Skipped) for span in decoder.scan(source.randbytes(1 << 18)))
