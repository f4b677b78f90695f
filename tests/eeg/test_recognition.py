"""P2 or P3: found out from the stream, told once, whatever the chunking."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.eeg import p2, p3
from kit.eeg.recognition import LIMIT, AutoDecoder, make_decoder
from kit.eeg.records import Packet, Recognised, Skipped, Stretch

Events = list[Packet | Skipped | Recognised]


def p2_packets(count: int, first: int = 0) -> bytes:
    return b"".join(
        p2.encode(Packet(0, 2, n % 256, (n % 1024, 510, 0, 1023, 512, 3), 15, 0))
        for n in range(first, first + count)
    )


def p3_packets(channels: int, count: int, first: int = 0) -> bytes:
    values = (517, 510, 0, 1023, 512, 3)[:channels]
    return b"".join(
        p3.encode(Packet(0, 3, n % 64, values, None, n % 256)) for n in range(first, first + count)
    )


def events(data: bytes, size: int | None = None) -> Events:
    decoder = AutoDecoder()
    found: Events = []
    for at in range(0, len(data), size or len(data) or 1):
        found += decoder.feed(data[at : at + (size or len(data))])
    return found + decoder.finish()


def told(found: Events) -> list[Recognised]:
    return [event for event in found if isinstance(event, Recognised)]


def count(found: Events) -> int:
    return sum(isinstance(event, Packet) for event in found)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    out = draw(st.binary(max_size=200))
    for _ in range(draw(st.integers(0, 4))):
        number, first = draw(st.integers(1, 30)), draw(st.integers(0, 63))
        channels = draw(st.sampled_from([None, 0, 2, 4, 6]))
        out += p2_packets(number, first) if channels is None else p3_packets(channels, number, first)
        out += draw(st.binary(max_size=40))
    return out


@pytest.mark.parametrize("size", [None, 1, 63, 64, 65])
@pytest.mark.parametrize("number", [1, 2, 100])
def test_p2_is_recognised_by_its_first_packet(number: int, size: int | None) -> None:
    found = events(b"\x00\xa5" + p2_packets(number), size)
    assert found[:2] == [Skipped(0, b"\x00\xa5"), Recognised("p2", 6, 2)]
    assert count(found) == number


@pytest.mark.parametrize("size", [None, 1, 63, 64, 65])
@pytest.mark.parametrize("channels", [0, 2, 4, 6])
def test_p3_is_recognised_by_counters_that_go_on(channels: int, size: int | None) -> None:
    found = events(b"\xff" + p3_packets(channels, 100), size)
    assert found[:2] == [Skipped(0, b"\xff"), Recognised("p3", channels, 1)]
    assert count(found) == 100


@pytest.mark.parametrize("channels", [0, 2, 4, 6])
def test_nine_packets_of_p3_are_proof_and_eight_are_not(channels: int) -> None:
    assert told(events(p3_packets(channels, 9))) == [Recognised("p3", channels, 0)]
    assert told(events(p3_packets(channels, 8))) == []


def test_p3_is_recognised_though_one_packet_in_ten_is_lost() -> None:
    kept = b"".join(p3_packets(4, 1, n) for n in range(400) if n % 10 != 3)
    assert told(events(kept)) == [Recognised("p3", 4, 0)]


def test_counters_that_mostly_do_not_go_on_are_no_proof() -> None:
    still = p3_packets(4, 1) * 30
    assert told(events(still + p3_packets(4, 12))) == []
    assert told(events(still + p3_packets(4, 40))) == [Recognised("p3", 4, 0)]


def test_it_tells_the_channels_that_the_device_sends_now() -> None:
    found = events(p3_packets(2, 8) + p3_packets(6, 30, first=20))
    assert told(found) == [Recognised("p3", 6, 0)]
    assert count(found) == 38


@pytest.mark.parametrize("size", [1, 20, 64])
def test_of_two_proofs_in_a_block_the_stronger_one_counts(size: int) -> None:
    assert told(events(p3_packets(0, 12) + p2_packets(2), size)) == [Recognised("p2", 6, 24)]


@given(streams(), st.integers(1, 300))
def test_events_do_not_depend_on_the_chunking(data: bytes, size: int) -> None:
    assert events(data, size) == events(data)


@given(streams(), st.integers(1, 300))
def test_every_byte_is_in_exactly_one_event(data: bytes, size: int) -> None:
    decoder = AutoDecoder(offset=9)
    spans = [span for at in range(0, len(data), size) for span in decoder.scan(data[at : at + size])]
    spans += decoder.scan_rest()
    at = 9
    for span in spans:
        assert span.offset == at
        if not isinstance(span, Recognised):
            at += len(span.data)
    assert b"".join(span.data for span in spans if not isinstance(span, Recognised)) == data


@given(streams(), st.integers(1, 300))
def test_it_is_told_once_and_before_the_first_packet(data: bytes, size: int) -> None:
    found = events(data, size)
    kinds = [type(event) for event in found if not isinstance(event, Skipped)]
    assert not kinds or (kinds[0] is Recognised and kinds.count(Recognised) == 1)


def test_a_stream_that_is_neither_is_all_skipped() -> None:
    data = random.Random(4).randbytes(3 * LIMIT)
    found = events(data, 4096)
    assert {type(event) for event in found} == {Skipped}
    assert sum(event.count for event in found if isinstance(event, Skipped)) == len(data)


def test_after_the_limit_p2_is_found_and_p3_is_not() -> None:
    noise = random.Random(4).randbytes(LIMIT)
    assert told(events(noise + p2_packets(3))) == [Recognised("p2", 6, LIMIT)]
    assert told(events(noise + p3_packets(6, 1000))) == []


def test_no_more_than_the_limit_is_held() -> None:
    decoder = AutoDecoder()
    source = random.Random(8)
    received = given_out = 0
    for _ in range(40):
        received += 5000
        given_out += sum(
            len(span.data) for span in decoder.scan(source.randbytes(5000)) if isinstance(span, Skipped)
        )
        assert received - given_out < LIMIT + 2048


def test_decided_names_the_protocol() -> None:
    decoder = AutoDecoder()
    assert decoder.decided is None
    decoder.scan(p2_packets(10))
    assert decoder.decided == "p2"


@pytest.mark.parametrize(("protocol", "data"), [("p2", p2_packets(3)), ("p3", p3_packets(6, 3))])
def test_a_protocol_that_is_named_is_not_looked_for(protocol: str, data: bytes) -> None:
    decoder = make_decoder(protocol, 100)
    [stretch] = [*decoder.scan(data), *decoder.scan_rest()]
    assert isinstance(stretch, Stretch)
    assert (stretch.layout.protocol, stretch.offset, len(stretch)) == (protocol, 100, 3)


def test_a_protocol_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ValueError, match="'p4'"):
        make_decoder("p4")
