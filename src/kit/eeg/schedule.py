"""The beat of a device, from the arrivals of its packets.

A packet may be late, by any way to get here, and never early. So the line `start + sequence * period` is laid
below the arrivals: its slope is that edge of their lower convex hull which spans the middle (as Moon, Skelly
and Towsley estimate clock skew from network delays, 1999), and it touches the lowest recent one. The arrivals
are taken in blocks of a quarter of a second, the least late of each. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from math import inf
from typing import Literal

_BLOCKS_A_SECOND = 4
# Two blocks agree when their least lateness differs by no more: the pace is within 6 % of the nominal one.
_AGREEMENT_US = 15_000
_AGREEING = 2
# So many blocks without agreement: the times have another pace, as those of a replay.
_TRIED = 8
# So many in a row that are each later than the one before: it is slower than it was.
_RISING = 4
# So much later for so many blocks that agree: the way became longer, or a clock was set.
_MOVED_US = 100_000
_MOVED_BLOCKS = 8
# A slope from fewer blocks is worse than the nominal one, which is taken to be right within 1.5 %.
_ENOUGH_BLOCKS = 8
_NOMINAL_ERROR = 0.015
# A rate farther from the nominal one is that of a backlog being read, or the times are no guide.
_FARTHEST = 0.06
# A slope that contradicts the one before is a backlog's; so many in a row are right.
_CONTRADICTING = 40
# What a slope may be wrong by even if it seems exact.
_LEAST_ERROR = 2e-5
_LEAST_ERROR_US = 50
_HULL_LIMIT = 1024

Point = tuple[int, int]  # packets and microseconds since the begin


class Schedule:
    """When packets would come at the earliest."""

    def __init__(self, rate_hz: Fraction, window_s: int = 4) -> None:
        self.nominal_us = float(1_000_000 / rate_hz)
        self.period_us = self.nominal_us
        self._block = max(8, int(rate_hz / _BLOCKS_A_SECOND))
        self._agreeing = self._tried = 0
        self._scatter_us = 0.0
        self._error = _NOMINAL_ERROR  # of the period, relative
        self._best: tuple[float, float] | None = None  # of the parts before
        self._believed: tuple[float, float] | None = None
        self._contradicting = 0
        self._recent: deque[Point] = deque(maxlen=window_s * _BLOCKS_A_SECOND)
        self._hull: list[Point] = []
        self._origin: Point | None = None
        # The present block, and the least late of its packets.
        self._index = 0
        self._low_us = inf
        self._low_point: Point = (0, 0)
        self._previous: Point | None = None
        self._floor_us = inf
        self._late = self._rising = 0

    @property
    def pace(self) -> Literal["unknown", "steady", "other"]:
        """Do the packets come at about the nominal rate?"""
        if self._agreeing >= _AGREEING:
            return "steady"
        return "other" if self._tried >= _TRIED else "unknown"

    @property
    def started(self) -> bool:
        """Was there a packet since the begin?"""
        return self._origin is not None

    @property
    def rate(self) -> tuple[float, float] | None:
        """The true period in microseconds and its greatest relative error."""
        found = [fit for fit in (self._best, self._believed) if fit]
        return min(found, key=lambda fit: fit[1], default=None)

    def begin(self) -> None:
        """What follows is as fast as what came, and not in step with it."""
        self._forget()
        self._agreeing = min(self._agreeing, _AGREEING - 1)
        self._origin = self._previous = None
        self._index = 0
        self._floor_us = self._low_us = inf
        self._low_point = (0, 0)

    def expected_us(self, sequence: int) -> float:
        """When the packet comes at the earliest."""
        first, start_us = self._origin or (sequence, 0)
        return start_us + min(self._floor_us, self._low_us) + (sequence - first) * self.period_us

    def slack_us(self, sequence: int) -> float:
        """How far from that the true earliest time may be."""
        first, _ = self._origin or (sequence, 0)
        away_us = (sequence - first - self._low_point[0]) * self.period_us
        return 2 * self._scatter_us + (self._error + _LEAST_ERROR) * max(0.0, away_us)

    def add(self, sequence: int, arrivals_us: Sequence[int]) -> None:
        """Packets with numbers that rise by one came."""
        if self._origin is None:
            self._origin = (sequence, arrivals_us[0])
        first = sequence - self._origin[0]
        at, count = 0, len(arrivals_us)
        while at < count:
            index = (first + at) // self._block
            if index != self._index:
                self._close()
                self._index = index
            end = min(count, (index + 1) * self._block - first)
            self._add(first + at, arrivals_us if end - at == count else arrivals_us[at:end], self._origin[1])
            at = end

    def _add(self, first: int, arrivals_us: Sequence[int], start_us: int) -> None:
        """Packets of one block."""
        period_us = self.period_us
        late_us = [arrival - place * period_us for place, arrival in enumerate(arrivals_us, first)]
        low_us = min(late_us)
        if low_us - start_us < self._low_us:
            where = late_us.index(low_us)
            self._low_us = low_us - start_us
            self._low_point = (first + where, arrivals_us[where] - start_us)

    def _forget(self) -> None:
        """The line that was is no guide any more; how steep it was, is."""
        self._best, self._believed = self.rate, None
        self._hull.clear()
        self._recent.clear()
        self._late = self._rising = 0

    def _close(self) -> None:
        """A block is complete."""
        point, low_us = self._low_point, self._low_us
        if low_us < self._floor_us - _AGREEMENT_US and self._recent:
            self._forget()  # the packets before were late
            self._agreeing = 0
        elif self._previous is not None:
            self._compare(point, self._previous, low_us)
        self._tried = 0 if self._agreeing >= _AGREEING else self._tried + 1
        self._previous = point
        self._recent.append(point)
        self._push(point)
        self._measure()

    def _compare(self, point: Point, previous: Point, low_us: float) -> None:
        """Does the block agree with the one before, and with those before that?"""
        distance = point[0] - previous[0]
        later_us = point[1] - previous[1] - distance * self.period_us
        allowed_us = _AGREEMENT_US + self._error * max(0, distance - 2 * self._block) * self.period_us
        self._rising = self._rising + 1 if later_us > allowed_us else 0
        if self._rising >= _RISING:
            self._agreeing = 0
        if abs(later_us) > allowed_us:
            self._late = 0
            return
        self._agreeing += 1
        self._late = self._late + 1 if low_us > self._floor_us + _MOVED_US else 0
        if self._late >= _MOVED_BLOCKS:
            self._forget()

    def _push(self, point: Point) -> None:
        """One more point of the lower convex hull; those above the line to it leave."""
        hull = self._hull
        while len(hull) >= 2:
            (x0, y0), (x1, y1) = hull[-2:]
            if (y1 - y0) * (point[0] - x0) < (point[1] - y0) * (x1 - x0):
                break
            hull.pop()
        hull.append(point)
        if len(hull) > _HULL_LIMIT:
            del hull[1:-1:2]

    def _measure(self) -> None:
        """The line anew."""
        fit = self._fit()
        if fit:
            self._believe(*fit)
        period_us = self.period_us
        late_us = sorted(at_us - place * period_us for place, at_us in self._recent)
        self._floor_us = late_us[0]
        self._scatter_us = late_us[len(late_us) // 2] - late_us[0]
        self._low_us = inf

    def _believe(self, period_us: float, error: float) -> None:
        """Take the slope, unless it contradicts the one before."""
        allowed = self._error + error + _LEAST_ERROR
        if abs(period_us / self.period_us - 1) <= allowed:
            self.period_us, self._error = self._believed = period_us, error
            self._contradicting = 0
            return
        self._contradicting += 1
        if self._contradicting >= _CONTRADICTING:
            self.period_us, self._error = self.nominal_us, _NOMINAL_ERROR
            self._best = self._believed = None
            self._contradicting = 0

    def _fit(self) -> tuple[float, float] | None:
        """The hull's slope in the middle, and its relative error."""
        hull = self._hull
        if self._agreeing < _AGREEING or len(hull) < 2:
            return None
        if hull[-1][0] - hull[0][0] < _ENOUGH_BLOCKS * self._block:
            return None
        middle = (hull[0][0] + hull[-1][0]) // 2
        right = bisect_right(hull, (middle, 0))
        (x0, y0), (x1, y1) = hull[right - 1], hull[right]
        period_us = (y1 - y0) / (x1 - x0)
        if abs(period_us / self.nominal_us - 1) > _FARTHEST:
            return None
        error = (2 * self._scatter_us + _LEAST_ERROR_US) / (y1 - y0)
        return (period_us, error) if error < _NOMINAL_ERROR else None
