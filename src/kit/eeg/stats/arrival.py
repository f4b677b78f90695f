"""When packets came: the time from one to the next, how late each was, and pauses that are too long. Pure.

A pause is what passed from one packet to the next beyond the time of those that were lost between them. One
of more than `LONG_US` is long: no latency timer of a USB adapter makes it, so something was late. What was
held up comes in one go after it, and a loss behind such a pause shows within `AFTERMATH_US`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import sub

from kit.eeg.records import Times
from kit.eeg.stats.histogram import Histogram

LONG_US = 50_000
AFTERMATH_US = 100_000


@dataclass(frozen=True)
class Spread:
    """Percentiles of times in microseconds, the greatest of them last."""

    p50_us: int
    p90_us: int
    p95_us: int
    p99_us: int
    max_us: int


@dataclass(frozen=True)
class ArrivalFigures:
    """The arrivals of a capture.

    `lateness` is against the times without jitter, None where the input has none. `exposed` packets came in
    the aftermath of a long pause. `computed`: the times follow the counter so exactly that no clock
    measured them.
    """

    intervals: Spread
    lateness: Spread | None
    long_pauses: int
    timed: int
    exposed: int
    backwards: int
    computed: bool


class Arrivals:
    """Takes the times of runs in their order."""

    def __init__(self, rate_hz: Fraction) -> None:
        self._period_us = 1_000_000 / rate_hz
        self._last_us: int | None = None
        self._intervals = Histogram()
        self._lateness = Histogram()
        self._aftermath_until_us: int | None = None
        self._long = self._timed = self._exposed = self._backwards = 0
        self._least_us: int | None = None
        self._most_us = 0

    def add(self, times: Times, lost: int) -> bool:
        """A run, `lost` packets after the one before; returns whether it came in a long pause's aftermath."""
        arrivals = times.monotonic_us or times.wall_us
        if not arrivals:
            return False
        if self._last_us is not None:
            pause_us = arrivals[0] - self._last_us - int(lost * self._period_us)
            self._note([arrivals[0] - self._last_us] if not lost else [])
            if pause_us > LONG_US:
                self._begin_aftermath(arrivals[0])
        late = self._aftermath_until_us is not None and arrivals[0] <= self._aftermath_until_us
        self._add_inner(arrivals)
        self._last_us = arrivals[-1]
        self._timed += len(arrivals)
        if times.sampled_us:
            late_us = map(sub, times.wall_us, times.sampled_us)
            self._lateness.add_all(max(0, value) for value in late_us)
        return late

    def break_off(self) -> None:
        """The device was away: no time reaches over that."""
        self._last_us = None

    def figures(self) -> ArrivalFigures | None:
        """None where nothing had a time."""
        if not self._timed:
            return None
        lateness = _spread(self._lateness) if self._lateness.count else None
        return ArrivalFigures(
            _spread(self._intervals),
            lateness,
            self._long,
            self._timed,
            self._exposed,
            self._backwards,
            self._is_computed(),
        )

    def _is_computed(self) -> bool:
        if self._least_us is None or self._intervals.count < 3:
            return False
        return self._least_us >= int(self._period_us) and self._most_us <= int(self._period_us) + 1

    def _add_inner(self, arrivals: Sequence[int]) -> None:
        """The steps within a run; each long one begins an aftermath."""
        steps = list(map(sub, arrivals[1:], arrivals))
        self._note(steps)
        at = 0
        if steps and max(steps) > LONG_US:
            for index, step in enumerate(steps):
                if step > LONG_US:
                    self._expose(arrivals[at : index + 1])
                    at = index + 1
                    self._begin_aftermath(arrivals[at])
        self._expose(arrivals[at:])

    def _begin_aftermath(self, at_us: int) -> None:
        self._long += 1
        self._aftermath_until_us = at_us + AFTERMATH_US

    def _expose(self, arrivals: Sequence[int]) -> None:
        if self._aftermath_until_us is not None:
            self._exposed += bisect_right(arrivals, self._aftermath_until_us)

    def _note(self, steps: list[int]) -> None:
        if not steps:
            return
        least_us = min(steps)
        if least_us < 0:  # the wall clock was set
            self._backwards += sum(step < 0 for step in steps)
            steps = [step for step in steps if step >= 0]
        self._intervals.add_all(steps)
        self._least_us = least_us if self._least_us is None else min(self._least_us, least_us)
        self._most_us = self._intervals.greatest


def _spread(histogram: Histogram) -> Spread:
    p50_us, p90_us, p95_us, p99_us = (histogram.percentile(percent) for percent in (50, 90, 95, 99))
    return Spread(p50_us, p90_us, p95_us, p99_us, histogram.greatest)
