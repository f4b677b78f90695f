"""P3: packets of every size, found in any stream, at any chunking, with every byte in one event."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.eeg import p3
from kit.eeg.records import Packet, Skipped, Stretch

Events = list[Packet | Skipped]
CHANNELS = [0, 2, 4, 6]
# Packets put together by hand from the format's description, and what they say.
VECTORS = {
    0: ("55 ed", Packet(0, 3, 42, (), None, 0xED)),
    2: ("08 7b 2a 55 d5", Packet(0, 3, 4, (0b101_0101010, 0b101_1010101), 11, 0x7B)),
    4: ("7e 00 7f 7f 77 00 01 91", Packet(0, 3, 63, (1023, 1023, 128, 129), None, 0)),
    6: (
        "09 01 00 00 40 01 00 01 7f 00 f0",
        Packet(0, 3, 4, (512, 0, 1, 128, 1023, 0), 1, 0x81),
    ),
}


def packets(channels: int, count: int, first: int = 0, seed: int = 1) -> list[bytes]:
    """Good packets whose counters rise, with any values."""
    source = random.Random(seed)
    return [
        p3.encode(
            Packet(0, 3, n % 64, tuple(source.randrange(1024) for _ in range(channels)), None, n * 37 % 256)
        )
        for n in range(first, first + count)
    ]


def events(data: bytes, size: int | None = None) -> Events:
    """The events of the bytes, given in pieces of a size."""
    decoder = p3.Decoder()
    found: Events = []
    for at in range(0, len(data), size or len(data) or 1):
        found += decoder.feed(data[at : at + (size or len(data))])
    return found + decoder.finish()


def places(found: Events) -> list[int]:
    return [event.offset for event in found if isinstance(event, Packet)]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Good packets of one size or two, between damage of every kind."""
    out: list[bytes] = []
    for channels in draw(st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=2)):
        for packet in packets(channels, draw(st.integers(0, 30)), seed=draw(st.integers(0, 9))):
            at = draw(st.integers(0, len(packet)))
            out += draw(
                st.sampled_from(
                    [[packet]] * 6
                    + [[packet[:at], packet], [packet[at:], packet], [packet[:at], b"\x85", packet[at:]]]
                    + [[packet[:at], b"\x05", packet[at:]], [packet] * 2, [packet[:at] + packet[at + 1 :]]]
                )
            )
            if draw(st.integers(0, 9)) == 0:
                out.append(draw(st.binary(max_size=150)))
    return b"".join(out)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("size", [None, 1, 3])
def test_a_packet_says_what_the_format_says(channels: int, size: int | None) -> None:
    text, says = VECTORS[channels]
    data = bytes.fromhex(text)
    assert events(data, size) == [says]
    assert p3.encode(says) == data
    tail = [Skipped(len(data), b"\x01\x02\x03")]
    assert events(data + b"\x01\x02\x03", size) == [says, *tail]


def test_nothing_is_no_event() -> None:
    assert events(b"") == []


@pytest.mark.parametrize("channels", CHANNELS)
@given(data=st.data())
def test_what_is_encoded_is_decoded(channels: int, data: st.DataObject) -> None:
    counter, auxiliary = data.draw(st.integers(0, 63)), data.draw(st.integers(0, 255))
    values = data.draw(st.tuples(*[st.integers(0, 1023)] * channels))
    buttons = auxiliary & 15 if counter & 7 == 4 else None
    told = Packet(0, 3, counter, values, buttons, auxiliary)
    encoded = p3.encode(told)
    assert [byte >> 7 for byte in encoded] == [0] * (len(encoded) - 1) + [1]
    assert events(encoded) == [told]
    assert p3.layout(channels).packets(encoded, 7) == [Packet(7, 3, counter, values, buttons, auxiliary)]
    assert p3.layout(channels).counters(encoded * 3) == bytes([counter] * 3)


@pytest.mark.parametrize(
    "wrong",
    [
        Packet(0, 3, 64, (), None, 0),
        Packet(0, 3, -1, (), None, 0),
        Packet(0, 3, 0, (1,), None, 0),
        Packet(0, 3, 0, (1024, 0), None, 0),
        Packet(0, 3, 0, (), None, 256),
        Packet(0, 3, 4, (), 3, 4),
    ],
)
def test_what_p3_cannot_say_is_refused(wrong: Packet) -> None:
    with pytest.raises(ValueError, match=r"P3|buttons"):
        p3.encode(wrong)


def test_buttons_are_not_sent_where_the_counter_has_no_place_for_them() -> None:
    assert p3.encode(Packet(0, 3, 5, (), 3, 4)) == p3.encode(Packet(0, 3, 5, (), None, 4))


@given(streams(), st.integers(1, 60))
def test_events_do_not_depend_on_the_chunking(data: bytes, size: int) -> None:
    whole = events(data)
    assert events(data, size) == whole
    assert events(data, 1) == whole


@given(streams(), st.integers(1, 60))
def test_every_byte_is_in_exactly_one_event(data: bytes, size: int) -> None:
    decoder = p3.Decoder(offset=5)
    spans = [span for at in range(0, len(data), size) for span in decoder.scan(data[at : at + size])]
    spans += decoder.scan_rest()
    at = 5
    for span in spans:
        assert span.offset == at
        at += len(span.data)
        assert isinstance(span, Skipped) or len(span.data) % span.layout.size == 0
    assert b"".join(span.data for span in spans) == data


@given(streams(), st.integers(1, 60))
def test_packets_have_the_form_of_packets(data: bytes, size: int) -> None:
    for event in events(data, size):
        if isinstance(event, Packet):
            encoded = p3.encode(event)
            assert data[event.offset : event.offset + len(encoded)] == encoded


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=30), st.sampled_from(CHANNELS))
def test_little_is_held(parts: list[bytes], channels: int) -> None:
    decoder = p3.Decoder()
    given_out = received = 0
    for part in [*packets(channels, 20), *parts, bytes(5000)]:
        received += len(part)
        given_out += sum(len(span.data) for span in decoder.scan(part))
        assert received - given_out < 1024 + 128 + 44


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_stream_cut_into_costs_the_packet_that_was_cut(channels: int) -> None:
    whole = packets(channels, 40)
    size = len(whole[0])
    for cut in range(1, size):
        found = events(whole[0][cut:] + b"".join(whole[1:]))
        assert places(found) == list(range(size - cut, 40 * size - cut, size))


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_packet_cut_short_costs_no_other(channels: int) -> None:
    before, [short], after = packets(channels, 20), packets(channels, 1, 20), packets(channels, 20, 21)
    size = len(short)
    for cut in range(1, size):
        data = b"".join([*before, short[:cut], *after])
        begin = 20 * size + cut
        assert places(events(data)) == [
            *range(0, 20 * size, size),
            *range(begin, begin + 20 * size, size),
        ]
        assert Skipped(20 * size, short[:cut]) in events(data, 7)


@pytest.mark.parametrize("channels", CHANNELS)
@given(garbage=st.binary(max_size=60))
def test_bytes_put_in_between_packets_cost_none(channels: int, garbage: bytes) -> None:
    before, after = packets(channels, 20), packets(channels, 20, 20)
    size = len(before[0])
    found = places(events(b"".join([*before, garbage, *after])))
    begin = 20 * size + len(garbage)
    assert {*range(0, 20 * size, size), *range(begin, begin + 20 * size, size)} <= set(found)


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_missing_last_byte_costs_one_packet(channels: int) -> None:
    whole = packets(channels, 40)
    size = len(whole[0])
    data = b"".join([*whole[:20], whole[20][:-1], *whole[21:]])
    assert len(places(events(data))) == 39
    assert Skipped(20 * size, whole[20][:-1]) in events(data)


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_a_bit_that_has_to_be_zero_and_is_not_costs_the_packet(channels: int) -> None:
    whole = packets(channels, 20)
    damaged = bytearray(whole[10])
    for at in range(4, len(damaged), 3):
        bad = bytearray(damaged)
        bad[at] |= 8
        found = events(b"".join([*whole[:10], bad, *whole[11:]]))
        assert [event for event in found if isinstance(event, Skipped)] == [
            Skipped(10 * len(bad), bytes(bad))
        ]


@pytest.mark.parametrize("first", CHANNELS)
@pytest.mark.parametrize("second", CHANNELS)
@pytest.mark.parametrize("size", [None, 1, 5])
def test_packets_of_another_size_are_learned_and_none_is_lost(
    first: int, second: int, size: int | None
) -> None:
    found = events(b"".join(packets(first, 30) + packets(second, 30, first=7)), size)
    assert [len(event.channels) for event in found if isinstance(event, Packet)] == [first] * 30 + [
        second
    ] * 30


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_noise_of_short_runs_does_not_change_the_size(channels: int) -> None:
    noise = random.Random(3).randbytes(2000)
    found = events(b"".join(packets(channels, 20)) + noise + b"".join(packets(channels, 20)))
    assert {len(event.channels) for event in found if isinstance(event, Packet)} == {channels}


def test_a_few_packets_are_enough_at_the_end_of_a_stream() -> None:
    for channels in CHANNELS:
        for count in (1, 2, 3):
            assert len(places(events(b"".join(packets(channels, count))))) == count


def test_noise_before_the_packets_costs_none() -> None:
    for channels in CHANNELS:
        noise, whole = b"\xff" * 50 + bytes(400) + b"\x80", packets(channels, 30)
        begin, size = len(noise), len(whole[0])
        found = places(events(noise + b"".join(whole)))
        assert found[-30:] == [*range(begin, begin + 30 * size, size)]


@pytest.mark.parametrize("channels", CHANNELS)
def test_few_or_many_ends_of_packets_in_front_cost_none(channels: int) -> None:
    whole = packets(channels, 30)
    size = len(whole[0])
    for count in range(20):
        found = events(b"\xff" * count + b"".join(whole))
        assert places(found) == list(range(count, count + 30 * size, size))


def test_random_bytes_hold_no_more_packets_than_their_form_is_frequent() -> None:
    # The end of a run is a packet of 5 bytes in 1 of 32 cases, and half of the bytes end a run.
    data = random.Random(6).randbytes(1 << 17)
    assert len(places(events(data))) < len(data) / 2 / 32 * 1.1


def spelled(text: bytes, count: int, first: int = 0) -> list[Packet]:
    """Packets whose auxiliary channel 0 spells a text again and again."""
    return [
        Packet(0, 3, n % 64, (), None, text[n // 8 % len(text)] if n % 8 == 0 else 0x55)
        for n in range(first, first + count)
    ]


def stretch(told: list[Packet]) -> Stretch:
    return Stretch(p3.layout(0), 0, b"".join(map(p3.encode, told)))


@pytest.mark.parametrize("first", [0, 3, 40])
def test_the_devices_name_is_spelled_by_auxiliary_channel_0(first: int) -> None:
    identity = p3.Identity()
    for packet in spelled(b"mEEGv1.0\0", 200, first):
        identity.add(stretch([packet]))
    assert identity.name == "mEEGv1.0"


def test_a_name_of_which_a_letter_was_lost_is_none() -> None:
    identity = p3.Identity()
    told = spelled(b"mEEGv1.0\0", 72 * 2)
    identity.add(stretch(told[:96] + told[104:]))
    assert identity.name is None


def test_what_is_no_text_is_no_name() -> None:
    identity = p3.Identity()
    identity.add(stretch(spelled(b"\x01\x02\0", 500)))
    identity.add(stretch(spelled(b"x" * 200 + b"\0", 5000)))
    assert identity.name is None
