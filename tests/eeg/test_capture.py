"""The walk from bytes to items: order, times, totals, at any chunking."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kit.eeg import p2
from kit.eeg.capture import Capture
from kit.eeg.records import (
    Chunk,
    Duplicate,
    Ended,
    Gone,
    Interrupted,
    Item,
    Lost,
    Recognised,
    Restarted,
    Run,
    Skipped,
    Stretch,
    Times,
)
from tests.eeg.lines import SHORT, Device, merged, packet, read_by_timer, reads, stretch

SECOND_NS = 10**9


def _bytes(*numbers: int) -> bytes:
    return stretch(numbers).data


def _captured(data: bytes, cuts: Sequence[int] = (), protocol: str = "p2") -> list[Item]:
    capture = Capture(protocol)
    places = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    items = [item for one, other in pairwise(places) for item in capture.feed(Chunk(data[one:other]))]
    return items + capture.end("end")


def _raw(items: Sequence[Item]) -> bytes:
    return b"".join(
        item.stretch.data if isinstance(item, Run) else item.data if isinstance(item, Skipped) else b""
        for item in items
    )


def _packets(items: Sequence[Item]) -> int:
    return sum(len(item.stretch) for item in items if isinstance(item, Run))


def test_the_items_are_in_the_order_of_the_bytes() -> None:
    items = _captured(_bytes(1, 2) + b"??" + _bytes(5))
    assert [type(item) for item in items] == [Run, Skipped, Lost, Run, Ended]
    assert items[-1] == Ended("end", 3, 2, 2, 0, 0, 0, 53, 19531)


def test_without_times_there_are_none() -> None:
    assert all(item.times is None for item in _captured(_bytes(*range(9))) if isinstance(item, Run))


def test_an_interruption_stands_behind_what_was_held() -> None:
    capture = Capture("p2")
    items = capture.feed(Chunk(_bytes(1) + b"\xa5\x5a", 10_000_000, 20_000_000))
    items += capture.interrupt(Gone("unplugged", 11_000_000, 21_000_000))
    assert items[1:] == [Skipped(17, b"\xa5\x5a"), Interrupted(19, 21_000, "unplugged")]
    later = capture.feed(Chunk(_bytes(2), 11 * SECOND_NS, 21 * SECOND_NS)) + capture.end("end")
    assert [item.stretch.offset for item in later if isinstance(item, Run)] == [19]


def test_what_an_interruption_took_is_counted_by_the_time() -> None:
    capture = Capture("p2")
    device = Device()
    before = device.send(3000)
    device.send(2560)
    after = device.send(600)
    items: list[Item] = []
    for sent in (before, after):
        for span, arrivals_us in reads(read_by_timer(sent, random.Random(1))):
            items += capture.feed(Chunk(span.data, arrivals_us[-1] * 1000, arrivals_us[-1] * 1000))
        gone_ns = int(sent[-1].at_us) * 1000 + SECOND_NS
        items += capture.interrupt(Gone("unplugged", gone_ns, gone_ns))
    items += capture.end("end")
    (lost,) = [item for item in items if isinstance(item, Lost)]
    assert (lost.sequence, lost.count, lost.low, lost.high) == (3000, 2560, 2560, 2560)
    assert capture.tally.lost == 2560


def test_the_protocol_is_recognised_once() -> None:
    items = _captured(b"noise" + _bytes(*range(9)), protocol="auto")
    assert sum(isinstance(item, Recognised) for item in items) == 1
    capture = Capture("auto")
    capture.feed(Chunk(_bytes(*range(99)), 1, 1))
    capture.interrupt(Gone("unplugged", 2, 2))
    again = [*capture.feed(Chunk(_bytes(*range(99)), 3, 3)), *capture.end("end")]
    assert not any(isinstance(item, Recognised) for item in again)
    assert any(isinstance(item, Run) for item in again)


@given(
    st.lists(
        st.one_of(
            st.builds(_bytes, st.integers(0, 300)),
            st.builds(lambda at: _bytes(*range(at, at + 20)), st.integers(0, 300)),
            st.binary(max_size=40),
            st.builds(lambda at, cut: _bytes(at)[:cut], st.integers(0, 300), st.integers(0, 16)),
        ),
        max_size=20,
    ),
    st.lists(st.integers(0, 3000), max_size=20),
)
def test_every_byte_is_in_one_item_at_any_chunking(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    items = _captured(data, cuts)
    assert _raw(items) == data
    assert merged(items) == merged(_captured(data))
    ended = items[-1]
    assert isinstance(ended, Ended)
    assert ended.bytes == len(data)
    assert ended.packets == sum(
        len(item.stretch) for item in items if isinstance(item, Run) and not item.repeated
    )


def test_bytes_stay_in_order_while_packets_are_held() -> None:
    device = Device()
    sent = device.send(1000)
    device.send(512)
    sent += device.send(500)
    capture, data, items = Capture("p2"), b"", list[Item]()
    for place, (span, arrivals_us) in enumerate(reads(read_by_timer(sent, random.Random(1)))):
        part = span.data + b"noise"[: place % 6]
        data += part
        items += capture.feed(Chunk(part, arrivals_us[-1] * 1000, arrivals_us[-1] * 1000))
    items += capture.end("end")
    assert _raw(items) == data
    assert [item.count for item in items if isinstance(item, Lost)] == [512]


def test_what_is_held_comes_out_when_the_device_falls_silent() -> None:
    device = Device()
    sent = device.send(1500)
    device.send(512)
    sent += device.send(40)
    capture, given = Capture("p2"), 0
    for span, arrivals_us in reads(read_by_timer(sent, random.Random(1))):
        last_ns = arrivals_us[-1] * 1000
        given += _packets(capture.feed(Chunk(span.data, last_ns, last_ns)))
    assert given == 1500
    for silent_s in (0.5, 1, 2.9):
        at_ns = last_ns + int(silent_s * SECOND_NS)
        assert capture.feed(Chunk(b"", at_ns, at_ns)) == []
    at_ns = last_ns + 3 * SECOND_NS
    assert _packets(capture.feed(Chunk(b"", at_ns, at_ns))) == 40
    assert _packets(capture.end("end")) == 0
    assert capture.tally.lost == 512


def test_a_restart_has_regular_times_before_and_behind_it() -> None:
    device = Device()
    sent = device.send(1500)
    device.restart(0.7)
    sent += device.send(1500)
    capture, items = Capture("p2"), list[Item]()
    for span, arrivals_us in reads(read_by_timer(sent, random.Random(1))):
        items += capture.feed(Chunk(span.data, arrivals_us[-1] * 1000, arrivals_us[-1] * 1000 + 7_000_000))
    items += capture.end("end")
    assert [item.sequence for item in items if isinstance(item, Restarted)] == [1500]
    sampled = [
        at_us for item in items if isinstance(item, Run) and item.times for at_us in item.times.sampled_us
    ]
    late = [at_us - 7_000 - one.at_us for at_us, one in zip(sampled, sent, strict=True)]
    assert all(one < other for one, other in pairwise(sampled))
    assert max(map(abs, late[1000:])) < 16_500
    assert 690_000 < sampled[1500] - sampled[1499] < 720_000


def test_given_times_are_passed_on_as_they_are() -> None:
    capture = Capture("p2")
    times = Times([5, 6], [1, 2], [3, 4])
    assert capture.accept(stretch([1, 2]), times) == [Run(0, stretch([1, 2]), times)]
    span = stretch([2, 3, 5], offset=34)
    items = capture.accept(span, Times([7, 8, 9]))
    assert [item.times for item in items if isinstance(item, Run)] == [
        Times([7]),
        Times([8]),
        Times([9]),
    ]
    assert [type(item) for item in items] == [Duplicate, Run, Run, Lost, Run]


def test_given_times_tell_the_rate() -> None:
    capture = Capture("p2")
    count = 256 * 60
    walls = [10**15 + int(number * 3900) for number in range(count)]
    data = _bytes(*range(256)) * 60
    for first in range(0, count, 1000):
        last = min(first + 1000, count)
        span = Stretch(p2.LAYOUT, first * 17, data[first * 17 : last * 17])
        capture.accept(span, Times(walls[first:last]))
    rate = capture.tally.rate
    assert rate
    assert abs(rate.hz - 1e6 / 3900) < 1e-3


def test_packets_of_another_period_go_on_in_the_numbering() -> None:
    capture = Capture("p2", rate_hz=Fraction(256))
    capture.accept(stretch([1, 2, 3]), None)
    other = Stretch(SHORT, 51, packet(9, 9) + packet(10, 10))
    assert capture.accept(other, None) == [Run(3, other)]


def test_a_day_of_noise_takes_no_memory() -> None:
    capture = Capture("p2")
    for number in range(200):
        capture.feed(Chunk(random.Random(number).randbytes(4096), number * SECOND_NS, number * SECOND_NS))
    held = capture._clock._reads
    assert len(held) < 3
