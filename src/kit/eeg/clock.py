"""When packets reached this machine, and when they would have, had the way been without jitter.

A read tells when its last byte was there. The bytes before it came earlier, by ten bits a byte, and all of
them after the read before. Without the jitter, packets come by a schedule that is fitted to these arrivals.
Pure: it is given all times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from fractions import Fraction

from kit.core.frozen import record
from kit.eeg.records import Stretch, Times
from kit.eeg.schedule import Schedule

_BITS_A_BYTE = 10
# The fit may be corrected at any time; the packets that follow share the correction, fewer of them at first.
_SHARING = 256
_SHARING_AT_FIRST = 32
_AT_FIRST = 1024
_STEEPEST = 0.25
# A fit that is ahead by more is not caught up with, but taken over.
_LEAP_US = 1_000_000
_WINDOW_S = 16
_SLICE = 32


@record
class Rate:
    """The true rate of the device; `ppm` is its distance from the nominal one, known to `error_ppm`."""

    hz: float
    ppm: float
    error_ppm: float


def rate_of(schedule: Schedule) -> Rate | None:
    """The rate that a schedule shows; None as long as its arrivals are too few or too irregular."""
    found = schedule.rate
    if found is None:
        return None
    period_us, error = found
    return Rate(1_000_000 / period_us, (schedule.nominal_us / period_us - 1) * 1e6, error * 1e6)


@record
class _Read:
    offset: int
    end: int
    monotonic_ns: int
    wall_ns: int
    earliest_ns: int  # when the read before was done


class ArrivalClock:
    """The arrival of each packet's first byte."""

    def __init__(self, baud: int) -> None:
        self._byte_ns = _BITS_A_BYTE * 1_000_000_000 / baud
        self._reads: deque[_Read] = deque()
        self._last_ns: int | None = None

    def chunk(self, offset: int, length: int, monotonic_ns: int, wall_ns: int) -> None:
        """A read returned `length` bytes; none at all says that none came until now."""
        if length:
            earliest_ns = 0 if self._last_ns is None else self._last_ns
            self._reads.append(_Read(offset, offset + length, monotonic_ns, wall_ns, earliest_ns))
        self._last_ns = monotonic_ns

    def forget(self, offset: int) -> None:
        """Nobody will ask for the bytes before `offset`."""
        while self._reads and self._reads[0].end <= offset:
            self._reads.popleft()

    def arrivals(self, stretch: Stretch) -> tuple[list[int], list[int]]:
        """Microseconds on the monotonic and on the wall clock, for each of its packets."""
        self.forget(stretch.offset)
        monotonic_us: list[int] = []
        wall_us: list[int] = []
        size, end = stretch.layout.size, stretch.offset + len(stretch.data)
        at = stretch.offset
        for read in self._reads:
            while at < min(end, read.end):
                before_ns = int((read.end - at - 1) * self._byte_ns)
                arrival_ns = max(read.monotonic_ns - before_ns, read.earliest_ns)
                monotonic_us.append(arrival_ns // 1000)
                wall_us.append((read.wall_ns - read.monotonic_ns + arrival_ns) // 1000)
                at += size
        return monotonic_us, wall_us

    def times(self, stretch: Stretch) -> Times | None:
        """The arrivals as the times of a run; None where no read had a time."""
        if not self._reads:
            return None
        monotonic_us, wall_us = self.arrivals(stretch)
        return Times(wall_us, monotonic_us)


class Regular:
    """Times of packets that rise by one period each, on the clock of the arrivals.

    They are causal (a packet's time depends on those before and on its own read), rise strictly, and stay at
    the earliest arrivals; corrections of the fit are spread. Packets at another pace than the nominal one, as
    in a replay, get times at the nominal one.
    """

    def __init__(self, rate_hz: Fraction) -> None:
        self._schedule = Schedule(rate_hz, _WINDOW_S)
        self._last: int | None = None  # the newest packet, and its time
        self._last_us = 0.0
        self._count = 0
        self._afresh = True

    @property
    def rate(self) -> Rate | None:
        """The device's, by all arrivals so far."""
        return rate_of(self._schedule)

    def begin(self) -> None:
        """The device began anew: what follows is not in step with what came."""
        self._schedule.begin()
        self._afresh = True

    def sampled_us(self, sequence: int, arrivals_us: Sequence[int]) -> list[int]:
        """The times of packets with numbers that rise by one."""
        if self._last is not None and sequence <= self._last:
            first_us = self._last_us - (self._last - sequence) * self._schedule.period_us
            return [int(first_us + at * self._schedule.period_us) for at in range(len(arrivals_us))]
        times: list[int] = []
        for first in range(0, len(arrivals_us), _SLICE):
            times += self._slice(sequence + first, arrivals_us[first : first + _SLICE])
        return times

    def _slice(self, sequence: int, arrivals_us: Sequence[int]) -> list[int]:
        schedule, count = self._schedule, len(arrivals_us)
        schedule.add(sequence, arrivals_us)
        period_us = schedule.nominal_us if schedule.pace == "other" else schedule.period_us
        expected_us = schedule.expected_us(sequence)
        first_us, step_us = expected_us, period_us
        if self._last is not None:
            first_us = self._last_us + (sequence - self._last) * period_us
            ahead_us = expected_us - first_us
            if self._afresh or (ahead_us > _LEAP_US and schedule.pace != "other"):
                first_us = max(first_us, expected_us)
            elif schedule.pace != "other":
                sharing = _SHARING_AT_FIRST if self._count < _AT_FIRST else _SHARING
                share_us = min(max(ahead_us / sharing, -_STEEPEST * period_us), _STEEPEST * period_us)
                first_us, step_us = first_us + share_us, period_us + share_us
        self._afresh = False
        self._last = sequence + count - 1
        self._last_us = first_us + (count - 1) * step_us
        self._count += count
        return [int(first_us + at * step_us) for at in range(count)]
