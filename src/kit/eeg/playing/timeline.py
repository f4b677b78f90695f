"""When the packets of a recording are to go out: at the recording's own times, or by their sequence. Pure.

A gap takes its time. Where the times go back, or leap by more than a day, somebody set a clock or joined two
recordings: then a packet comes a period after the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from kit.eeg.records import Run

_DAY_US = 86_400_000_000


class Timeline:
    """Nanoseconds after the first packet, for packets in the order of their bytes."""

    def __init__(self, rate_hz: Fraction) -> None:
        self._period_ns = 1_000_000_000 / rate_hz
        self._ready_ns = -self._period_ns  # the last packet's, exact: a third of a nanosecond adds up
        self._sequence = -1
        self._time_us: int | None = None

    @property
    def ready_ns(self) -> int:
        """The last packet's."""
        return max(int(self._ready_ns), 0)

    def pass_to(self, run: Run, index: int) -> int:
        """Go to that packet of the run; when it is to go out."""
        sequence, time_us = run.sequence + index, _time_us(run, index)
        self._ready_ns += self._step_ns(sequence, time_us)
        self._sequence, self._time_us = max(self._sequence, sequence), time_us
        return self.ready_ns

    def begin_anew(self, sequence: int) -> None:
        """The packet with this number comes next, a period after the last one."""
        self._sequence, self._time_us = sequence - 1, None

    def _step_ns(self, sequence: int, time_us: int | None) -> Fraction:
        if time_us is not None and self._time_us is not None:
            step_us = time_us - self._time_us
            return Fraction(step_us * 1000) if 0 <= step_us <= _DAY_US else self._period_ns
        return max(sequence - self._sequence, 0) * self._period_ns


def _time_us(run: Run, index: int) -> int | None:
    """The steadiest of the times that it came with."""
    times = run.times
    known: Sequence[int] = (times.monotonic_us or run.given_us) if times else ()
    return known[index] if known else None
