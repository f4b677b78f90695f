"""What a capture came to, counted item by item as they pass. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from kit.eeg.clock import Rate
from kit.eeg.dating import NOMINAL_RATE_HZ, Dating
from kit.eeg.records import Duplicate, Ended, Item, Lost, Reordered, Restarted, Run, Skipped


class Tally:
    """The totals so far.

    `lost` is the best estimate; what was really lost lies between `lost_low` and `lost_high`, which leave out
    and count in what may have been a restart. `rate` is the true one, as far as the times show it.
    """

    def __init__(self, rate_hz: Fraction = NOMINAL_RATE_HZ) -> None:
        self.packets = 0
        self.lost = 0
        self.lost_low = 0
        self.lost_high = 0
        self.skipped = 0
        self.duplicates = 0
        self.reordered = 0
        self.restarts = 0
        self.bytes = 0
        self.first_us: int | None = None  # of any kind that packets can come with
        self.first_wall_us: int | None = None
        self.last_wall_us: int | None = None
        self.rate: Rate | None = None
        self._dating = Dating(0, rate_hz)
        self._sequences = 0
        self._first_us = 0
        self._last_us = 0
        self._counting: dict[type, Callable[[Any], None]] = {
            Run: self._add_run,
            Lost: self._add_lost,
            Skipped: self._add_skipped,
            Duplicate: self._add_duplicate,
            Reordered: self._add_reordered,
            Restarted: self._add_restarted,
        }

    @property
    def expected(self) -> int:
        """How many packets there would be without losses."""
        return self.packets + self.lost

    @property
    def loss_percent(self) -> float:
        """The share of the expected packets that was lost."""
        return 100 * self.lost / self.expected if self.expected else 0.0

    @property
    def duration_us(self) -> int:
        """From the first packet to the last, by their times; by their numbers where they have none."""
        if self.first_wall_us is None:
            return self._dating.wall_us(self._sequences)
        return self._last_us - self._first_us

    def add(self, item: Item) -> None:
        """One more."""
        self.extend([item])

    def extend(self, items: Iterable[Item]) -> None:
        """Some more."""
        counting = self._counting
        for item in items:
            count = counting.get(type(item))
            if count:
                count(item)

    def ended(self, reason: str) -> Ended:
        """The last item of a capture."""
        return Ended(
            reason,
            self.packets,
            self.lost,
            self.skipped,
            self.duplicates,
            self.reordered,
            self.restarts,
            self.bytes,
            self.duration_us,
        )

    def _add_run(self, run: Run) -> None:
        stretch = run.stretch
        size = len(stretch.data)
        self.bytes += size
        if run.repeated:
            return
        count = size // stretch.layout.size
        self.packets += count
        end = run.sequence + count
        if end > self._sequences:  # noqa: PLR1730 -- a call is twice as slow, and this is done for each run
            self._sequences = end
        if run.times and self.first_us is None and count:
            self.first_us = run.given_us[0]
        if run.times and run.times.wall_us and count:
            walls, steady = run.times.wall_us, run.times.monotonic_us or run.times.wall_us
            if self.first_wall_us is None:
                self.first_wall_us, self._first_us = walls[0], steady[0]
            self.last_wall_us, self._last_us = walls[-1], max(self._last_us, steady[-1])

    def _add_lost(self, lost: Lost) -> None:
        self.lost += lost.count
        if lost.by == "time":
            self.lost_low += lost.low
            self.lost_high += lost.high
        else:
            self.lost_low += 0 if lost.may_be_restart else lost.count
            self.lost_high += lost.count

    def _add_skipped(self, skipped: Skipped) -> None:
        count = skipped.count
        self.skipped += count
        self.bytes += count

    def _add_duplicate(self, _: Duplicate) -> None:
        self.duplicates += 1

    def _add_reordered(self, _: Reordered) -> None:
        self.reordered += 1
        self.lost -= 1
        self.lost_low = max(0, self.lost_low - 1)
        self.lost_high -= 1

    def _add_restarted(self, restarted: Restarted) -> None:
        self.restarts += 1
        self.lost_high += restarted.or_lost
