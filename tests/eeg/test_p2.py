from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.eeg import p2
from kit.eeg.records import Packet, Skipped, Stretch

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
    assert {len(piece.data) for piece in pieces} == {p2.SKIPPED_LIMIT}
    assert sum(len(piece.data) for piece in pieces) > 98_000
