"""Where a capture ends by wish: after a number of packets, or after a time. Pure.

Times are those of the packets: the monotonic ones of a live source, else the sequence number at the nominal
rate. So a file of an hour gives its first minute, and a read that brought more than was asked for is cut.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import Literal

from kit.eeg.dating import NOMINAL_RATE_HZ
from kit.eeg.records import Fault, Item, Run


class Limit:
    """Lets items pass until `count` packets have passed or `duration_s` is over; None is no limit.

    `reached` says which of the two it was.
    """

    def __init__(
        self,
        count: int | None = None,
        duration_s: float | None = None,
        rate_hz: Fraction = NOMINAL_RATE_HZ,
    ) -> None:
        self.reached: Literal["count", "duration"] | None = None
        self.exists = count is not None or duration_s is not None
        self._left = count
        self._duration = None if duration_s is None else Fraction(duration_s)
        self._rate_hz = rate_hz
        self._deadline_us: int | None = None
        self._closed = False

    def begin(self, now_us: int) -> None:
        """The source is live, and this is its first time: the duration begins."""
        if self._duration is not None and self._deadline_us is None:
            self._deadline_us = now_us + ceil(self._duration * 1_000_000)

    def look(self, now_us: int) -> None:
        """What is live ends by the clock, with or without packets."""
        if self._deadline_us is not None and now_us >= self._deadline_us:
            self.reached = self.reached or "duration"

    def take(self, items: Sequence[Item]) -> list[Item]:
        """The items that are within the limit, the last run cut to what is."""
        taken: list[Item] = []
        for item in items:
            if self._closed:
                break
            if isinstance(item, Run):
                within = self._within(item)
                if not within:
                    break
                taken.append(item.part(0, within))
            else:
                taken.append(item)
        while self._closed and taken and isinstance(taken[-1], Fault):
            taken.pop()  # it was noticed at a packet beyond the limit
        return taken

    def _within(self, run: Run) -> int:
        """How many packets of the run pass; closes behind the last one."""
        count = in_time = len(run.stretch)
        if self._duration is not None:
            in_time = self._in_time(run, self._duration)
            if in_time < count:
                self._close("duration")
        if self._left is None:
            return in_time
        passing = min(in_time, self._left)
        self._left -= passing
        if not self._left:
            self._close("count")
        return passing

    def _in_time(self, run: Run, duration_s: Fraction) -> int:
        count = len(run.stretch)
        if self._deadline_us is None:
            left = ceil(duration_s * self._rate_hz) - run.sequence
            if left <= count:
                self._close("duration")
            return max(0, min(count, left))
        return bisect_left(run.times.monotonic_us, self._deadline_us) if run.times else count

    def _close(self, reason: Literal["count", "duration"]) -> None:
        self._closed, self.reached = True, reason
