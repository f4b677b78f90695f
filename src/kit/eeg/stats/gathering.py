"""Items of a capture in, a report out, at any time and in bounded memory. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from kit.eeg import skips
from kit.eeg.clock import Rate
from kit.eeg.dating import NOMINAL_RATE_HZ
from kit.eeg.records import (
    Duplicate,
    Interrupted,
    Item,
    Layout,
    Lost,
    Reordered,
    Restarted,
    Run,
    Skipped,
)
from kit.eeg.stats import chance
from kit.eeg.stats.arrival import Arrivals
from kit.eeg.stats.channel_totals import ChannelTotals, Measuring
from kit.eeg.stats.losses import Gap, Losses
from kit.eeg.stats.report import LossFigures, Report, SkippedFigures, Stream
from kit.eeg.stats.skipped import SkippedBytes
from kit.eeg.stats.timeline import Timeline


class Statistics:
    """Collects what passes.

    `format` is the input's; of raw bytes and NDJSON the skipped ones are there to be looked at.
    """

    def __init__(
        self,
        rate_hz: Fraction = NOMINAL_RATE_HZ,
        *,
        format: str = "raw",
        measuring: Measuring | None = None,
    ) -> None:
        self._rate_hz = rate_hz
        self._format = format
        self._keeps_bytes = format in ("raw", "ndjson")
        self._layout: Layout | None = None
        self._losses = Losses()
        self._timeline = Timeline()
        self._arrivals = Arrivals(rate_hz)
        self._channels = ChannelTotals(rate_hz, measuring or Measuring())
        self._skipped = SkippedBytes(skips.why)
        self._packets = self._bytes = self._end = 0
        self._lost = self._lost_low = self._lost_high = self._away_lost = self._by_time = 0
        self._duplicates = self._reordered = self._interruptions = 0
        self._restarts = self._restarts_or_lost = self._may_be_restarts = 0
        self._leading = self._inserted = 0
        self._here = 0  # skipped bytes since the last packet
        self._gaps: list[Lost] = []  # since the last packet
        self._away = False
        self._first_us: int | None = None
        self._last_us = 0
        self._adding: dict[type, Callable[[Any], None]] = {
            Run: self._add_run,
            Skipped: self._add_skipped,
            Lost: self._add_lost,
            Duplicate: self._add_duplicate,
            Reordered: self._add_reordered,
            Restarted: self._add_restarted,
            Interrupted: self._add_interrupted,
        }

    def add(self, items: Iterable[Item]) -> None:
        """What came next."""
        for item in items:
            adding = self._adding.get(type(item))
            if adding:
                adding(item)
            elif isinstance(item, Skipped):
                self._add_skipped(item)

    def report(self, rate: Rate | None = None) -> Report:
        """All figures so far; `rate` is what the clock found."""
        layout, arrivals = self._layout, self._arrivals.figures()
        return Report(
            stream=Stream(
                self._format,
                layout.protocol if layout else None,
                layout.size if layout else 0,
                layout.period if layout else 0,
                self._keeps_bytes,
                self._rate_hz,
            ),
            packets=self._packets,
            bytes=self._bytes,
            duration_s=self._duration_s(),
            rate=None if arrivals and arrivals.computed else rate,
            losses=self._loss_figures(),
            arrivals=arrivals,
            skipped=SkippedFigures(
                self._skipped.bytes,
                self._skipped.runs,
                self._leading,
                self._inserted,
                self._skipped.looks(),
            ),
            duplicates=self._duplicates,
            reordered=self._reordered,
            restarts=self._restarts,
            restarts_or_lost=self._restarts_or_lost,
            interruptions=self._interruptions,
            channels=self._channels.figures(),
            hum_seconds=self._channels.hum_blocks,
        )

    def _duration_s(self) -> float:
        if self._first_us is None:
            return float(self._end / self._rate_hz)
        return (self._last_us - self._first_us) / 1_000_000

    def _loss_figures(self) -> LossFigures:
        patterns = self._losses.patterns()
        course = self._timeline.buckets()
        effect = chance.design_effect(course, patterns.squares)
        low, _ = chance.bounds(self._packets + self._lost_low, self._lost_low, effect)
        _, high = chance.bounds(self._packets + self._lost_high, self._lost_high, effect)
        expected = self._packets + self._lost
        return LossFigures(
            lost=self._lost,
            low=self._lost_low,
            high=self._lost_high,
            away=self._away_lost,
            by_time=self._by_time,
            may_be_restarts=self._may_be_restarts,
            share=self._lost / expected if expected else 0.0,
            share_low=low,
            share_high=high,
            effect=effect,
            patterns=patterns,
            course=tuple(course),
            course_width=self._timeline.width,
        )

    def _add_run(self, run: Run) -> None:
        count = len(run.stretch)
        self._bytes += len(run.stretch.data)
        if run.repeated:
            return
        lost = sum(gap.count for gap in self._gaps)
        late = self._arrivals.add(run.times, lost) if run.times else None
        if self._gaps:
            self._close_gaps(run.stretch.layout, late)
        elif self._here:
            if self._packets:
                self._inserted += self._here
            else:
                self._leading = self._here
        self._here = 0
        self._away = False
        self._layout = run.stretch.layout
        self._packets += count
        self._end = max(self._end, run.sequence + count)
        self._timeline.add_received(run.sequence, count)
        self._channels.add(run)
        if run.times and run.times.wall_us:
            clock_us = run.times.monotonic_us or run.times.wall_us
            self._first_us = clock_us[0] if self._first_us is None else self._first_us
            self._last_us = max(self._last_us, clock_us[-1])

    def _close_gaps(self, layout: Layout, late: bool | None) -> None:
        """Packets go on: what stands in the place of those that were lost is known."""
        for lost in self._gaps:
            vanished = None
            if self._keeps_bytes and len(self._gaps) == 1 and lost.by == "counter":
                vanished = lost.count * layout.size - self._here
            self._losses.add(Gap(lost.sequence, lost.count, None, vanished, late), layout.size, layout.period)
        self._gaps.clear()

    def _add_skipped(self, skipped: Skipped) -> None:
        self._bytes += skipped.count
        self._here += skipped.count
        self._skipped.add(skipped)

    def _add_lost(self, lost: Lost) -> None:
        self._lost += lost.count
        self._timeline.add_lost(lost.sequence, lost.count)
        self._end = max(self._end, lost.sequence + lost.count)
        self._lost_low += lost.low if lost.by == "time" else lost.count
        self._lost_high += lost.high if lost.by == "time" else lost.count
        self._by_time += lost.count if lost.by == "time" else 0
        self._may_be_restarts += lost.may_be_restart
        if self._away:
            self._away_lost += lost.count
            self._away = False
        else:
            self._gaps.append(lost)

    def _add_duplicate(self, _: Duplicate) -> None:
        self._duplicates += 1

    def _add_reordered(self, late: Reordered) -> None:
        self._reordered += 1
        self._lost -= 1
        self._lost_low -= 1
        self._lost_high -= 1
        self._timeline.take_back(late.sequence, self._losses.found(late.sequence))

    def _add_restarted(self, restarted: Restarted) -> None:
        self._restarts += 1
        self._restarts_or_lost += restarted.or_lost
        self._losses.break_off()

    def _add_interrupted(self, _: Interrupted) -> None:
        self._interruptions += 1
        self._away = True
        self._arrivals.break_off()
        self._losses.break_off()
