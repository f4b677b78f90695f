"""When a packet was sampled, on LSL's clock: by the counter and the rate, never by when it was pushed.

A live source's packets have such times already, on the wall clock's scale and from the monotonic clock, so
what lies between both clocks at the first of them is right for all. Where the source has none, as a pipe, the
same fit is laid below the times of the reads. Pure: it is given LSL's clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from kit.eeg.clock import Regular
from kit.eeg.signals import Block, Gap


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks, in microseconds."""

    lsl_us: int
    wall_us: int

    def of_wall(self, wall_us: int) -> int:
        """Another time of the wall clock, on LSL's clock."""
        return wall_us - self.wall_us + self.lsl_us


# The times of a block's packets, and the stamps that they got.
Placed = tuple[Sequence[int], Sequence[int]]


def stamp_among(placed: Sequence[Placed], time_us: int) -> int | None:
    """The stamp for a time between those of packets, as a recording's marks have; None where it is not.

    Such packets have the times of long ago, and stamps of now.
    """
    if not placed or time_us > placed[-1][0][-1]:
        return None
    at = bisect_right(placed, time_us, key=lambda one: one[0][0]) - 1
    if at < 0:
        return None
    times_us, stamps_us = placed[at]
    place = bisect_right(times_us, time_us) - 1
    return stamps_us[place] + time_us - times_us[place]


class Stamps:
    """Blocks and gaps in their order in, microseconds of LSL's clock out, which rise strictly."""

    def __init__(self, rate_hz: Fraction, live: bool) -> None:
        self._period_us = float(1_000_000 / rate_hz)
        self._ahead_us: int | None = None  # of the wall clock; unknown before the first packet
        self._live = live
        self._regular = Regular(rate_hz)
        self._last = -1
        self._last_us: int | None = None

    def of_block(self, block: Block, moment: Moment) -> list[int]:
        """The stamps of a block that is not a late one."""
        stamps_us: list[int] = []
        last_us = self._last_us
        for time_us in self._times_us(block, moment):
            last_us = time_us if last_us is None else max(time_us, last_us + 1)
            stamps_us.append(last_us)
        self._last, self._last_us = block.sequence + len(block) - 1, last_us
        return stamps_us

    def of_gap(self, gap: Gap, moment: Moment) -> int:
        """Where the first of the missing packets would be."""
        if gap.why != "lost":
            self._regular.begin()
        if self._last_us is None:
            return moment.lsl_us
        return self.of_sequence(gap.sequence)

    def of_sequence(self, sequence: int) -> int:
        """Where a packet would be by its number."""
        return int((self._last_us or 0) + (sequence - self._last) * self._period_us)

    def _times_us(self, block: Block, moment: Moment) -> list[int]:
        if not self._live:
            return self._regular.sampled_us(block.sequence, [moment.lsl_us] * len(block))
        if self._ahead_us is None:
            self._ahead_us = moment.lsl_us - moment.wall_us
        ahead_us = self._ahead_us
        return [time_us + ahead_us for time_us in block.times_us]
