"""Arrivals by reads and line speed, times without jitter, and the true rate, against a known device."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.eeg import p2
from kit.eeg.capture import Capture
from kit.eeg.clock import ArrivalClock, Rate, Regular
from kit.eeg.records import Chunk, Run, Stretch
from tests.eeg.lines import BYTE_US, Device, Sent, packet, stretch

SECOND_US = 1_000_000
WALL_US = 10**15


def _arrivals(reads: Sequence[tuple[int, int]], count: int) -> tuple[list[int], list[int]]:
    """Those of `count` packets that came in reads of (bytes, microseconds)."""
    clock = ArrivalClock(57_600)
    offset = 0
    for length, at_us in reads:
        clock.chunk(offset, length, at_us * 1000, (WALL_US + at_us) * 1000)
        offset += length
    return clock.arrivals(stretch(range(count)))


def test_a_first_byte_was_there_before_the_bytes_behind_it() -> None:
    monotonic_us, wall_us = _arrivals([(34, 100_000)], 2)
    assert monotonic_us == [100_000 - ceil(33 * BYTE_US), 100_000 - ceil(16 * BYTE_US)]
    assert wall_us == [WALL_US + at for at in monotonic_us]


def test_a_packet_came_by_the_read_that_brought_its_first_byte() -> None:
    assert _arrivals([(20, 100_000), (14, 110_000)], 2)[0] == [
        100_000 - ceil(19 * BYTE_US),
        100_000 - ceil(2 * BYTE_US),
    ]


def test_no_byte_came_before_the_read_before() -> None:
    assert _arrivals([(17, 100_000), (17, 100_500)], 2)[0][1] == 100_000
    assert _arrivals([(17, 100_000), (0, 109_000), (17, 110_000)], 2)[0][1] == 109_000


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 90_000)), max_size=20))
def test_arrivals_never_fall_and_lie_between_the_reads(reads: list[tuple[int, int]]) -> None:
    at_us, timed = 10_000_000, []
    for length, gap_us in reads:
        at_us += gap_us
        timed.append((length, at_us))
    count = sum(length for length, _ in reads) // p2.SIZE
    monotonic_us, wall_us = _arrivals(timed, count)
    assert len(monotonic_us) == len(wall_us) == count
    assert all(one <= other for one, other in pairwise(monotonic_us))
    assert all(at <= timed[-1][1] for at in monotonic_us)


def test_a_wall_clock_that_is_set_moves_wall_times_only() -> None:
    clock = ArrivalClock(57_600)
    clock.chunk(0, 17, 5_000_000_000, 9_000_000_000_000)
    clock.chunk(17, 17, 5_100_000_000, 3_000_000_000_000)
    monotonic_us, wall_us = clock.arrivals(stretch(range(2)))
    assert [wall - monotonic for wall, monotonic in zip(wall_us, monotonic_us, strict=True)] == [
        8_995_000_000,
        2_994_900_000,
    ]


def test_reads_of_noise_are_forgotten() -> None:
    capture = Capture("p2")
    noise = random.Random(1).randbytes(1000)
    for number in range(300):
        capture.feed(Chunk(noise, number * 10**7, number * 10**7))
    capture.feed(Chunk(packet(0, 0), 10**10, 10**10))
    assert len(capture._clock._reads) < 5


def _transfers(
    sent: Sequence[Sent], delay_us: Callable[[], float], size: int = 62, timer_us: int = 16_000
) -> list[tuple[bytes, int]]:
    """What an FTDI adapter hands over: when a transfer is full, or its latency timer has run out."""
    out: list[tuple[bytes, int]] = []
    held, due_us, latest_us = bytearray(), sent[0].at_us + timer_us, 0

    def hand_over(at_us: float) -> None:
        nonlocal due_us, latest_us
        due_us = at_us + timer_us
        latest_us = max(latest_us, int(at_us + delay_us()))
        if held:
            out.append((bytes(held), latest_us))
            held.clear()

    for one in sent:
        for place, byte in enumerate(packet(one.number, one.counter)):
            at_us = one.at_us + place * BYTE_US
            while at_us > due_us:
                hand_over(due_us)
            held.append(byte)
            if len(held) == size:
                hand_over(at_us)
    hand_over(due_us)
    return out


def _captured(sent: Sequence[Sent], transfers: Sequence[tuple[bytes, int]]) -> tuple[list[int], Rate | None]:
    """The sampled times on the device's clock, and the rate."""
    capture = Capture("p2")
    times: list[int] = []
    chunks = [Chunk(data, at_us * 1000, (at_us + WALL_US) * 1000) for data, at_us in transfers]
    for items in [*map(capture.feed, chunks), capture.end("end")]:
        for item in items:
            if isinstance(item, Run):
                assert item.times
                times += [at_us - WALL_US for at_us in item.times.sampled_us]
    assert len(times) == len(sent)
    return times, capture.tally.rate


_DRAW = random.Random(3)
WAYS = {
    "full transfers": (62, lambda: _DRAW.expovariate(1 / 150)),
    "latency timer": (1000, lambda: _DRAW.expovariate(1 / 150)),
    "any delay": (62, lambda: _DRAW.uniform(0, 16_000)),
    "a busy reader": (
        62,
        lambda: _DRAW.expovariate(1 / 150) + (_DRAW.random() < 0.05) * _DRAW.uniform(0, 5e4),
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("share", [-0.01, 300e-6])
def test_sampled_times_rise_and_are_right_within_a_millisecond(way: str, share: float) -> None:
    size, delay_us = WAYS[way]
    sent = Device(rate_hz=256 * (1 + share)).send(45 * 256)
    times, rate = _captured(sent, _transfers(sent, delay_us, size))
    assert all(one < other for one, other in pairwise(times))
    late = [at - one.at_us for at, one in zip(times, sent, strict=True) if one.at_us > 35 * SECOND_US]
    assert max(map(abs, late)) < 1000
    assert rate
    assert abs(rate.ppm - share * 1e6) < min(rate.error_ppm, 200)


def test_sampled_times_go_on_over_losses_and_stalls_and_anew_after_a_restart() -> None:
    device = Device()
    sent = device.send(3000)
    device.send(40)
    sent += device.send(3000)
    device.restart(1.25)
    sent += device.send(3000)
    transfers = _transfers(sent, lambda: 100)
    stalled = [(data, max(at_us, 15_000_000) if at_us > 13_000_000 else at_us) for data, at_us in transfers]
    times, _ = _captured(sent, stalled)
    assert all(one < other for one, other in pairwise(times))
    late = [at - one.at_us for at, one in zip(times, sent, strict=True)]
    assert max(map(abs, late[2000:])) < 4000


def _regular(device: Device, sent: Sequence[Sent], draw: random.Random) -> Regular:
    regular = Regular(Fraction(256))
    for one in sent:
        regular.sampled_us(one.number, [int(one.at_us + draw.uniform(0, 16_000))])
    return regular


@pytest.mark.parametrize("seed", range(6))
def test_the_rate_is_known_within_its_bound_and_20_ppm_after_ten_minutes(seed: int) -> None:
    draw = random.Random(seed)
    share = draw.uniform(-500e-6, 500e-6)
    device = Device(rate_hz=256 * (1 + share))
    rate = _regular(device, device.send(600 * 256), draw).rate
    assert rate
    assert abs(rate.ppm - share * 1e6) <= min(rate.error_ppm, 20)
    assert rate.hz == pytest.approx(256 * (1 + share), rel=2e-5)


def test_a_rate_is_said_only_when_it_is_known() -> None:
    device = Device()
    assert _regular(device, device.send(200), random.Random(1)).rate is None


def test_the_time_of_a_late_packet_is_that_of_its_number() -> None:
    regular = Regular(Fraction(256))
    times = regular.sampled_us(0, [1_000_000 + int(at * 3906.25) for at in range(600)])
    assert regular.sampled_us(590, [9_000_000]) == [pytest.approx(times[590], abs=1)]
    assert regular.sampled_us(600, [1_000_000 + int(600 * 3906.25)])[0] > times[-1]


def test_a_replay_at_another_speed_is_sampled_at_the_nominal_rate() -> None:
    regular = Regular(Fraction(256))
    times = regular.sampled_us(0, [1_000_000 + at * 100 for at in range(6000)])
    assert {other - one for one, other in pairwise(times[1000:])} <= {3906, 3907}
    assert regular.rate is None


def test_packets_that_no_timed_read_brought_have_no_times() -> None:
    assert ArrivalClock(57_600).times(Stretch(p2.LAYOUT, 0, packet(1, 1))) is None
