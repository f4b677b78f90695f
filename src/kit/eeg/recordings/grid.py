"""A capture on a grid of sampling instants, as files with a fixed rate need it. Pure.

Each packet has an index, one more than the packet before; lost ones have theirs, too. Where the device was
away or began anew, the times tell how many instants passed. Behind a long gap, and where the number of
channels changes, the grid begins anew at index 0: that is another file.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from kit.eeg.batch import Mark
from kit.eeg.records import Item, Layout, Run, Stretch
from kit.eeg.signals import Block, ButtonChange, Buttons, Gap, Signal

LONGEST_GAP_S = 10
NOT_PRESSED = 15
# The first packet behind a restart is dated by one arrival, which may be late by an adapter's timer.
_SURELY_US = 60_000
# A mark farther from the newest packet than this is of another clock than that of the packets.
_NEAR_US = 600_000_000
# No counter: behind an absence it is told in any case.
_UNTOLD = -1

Why = Literal["lost", "restarted", "away"]


@dataclass(frozen=True, slots=True)
class Opening:
    """The grid begins: what the first packet is, and when it was sampled; so many are missing before it."""

    time_us: int
    layout: Layout
    counter: int
    buttons: int | None
    missing: int = 0
    why: Why = "lost"


@dataclass(frozen=True, slots=True)
class Samples:
    """Packets from the index `at` on, by columns and as the device sent them."""

    at: int
    block: Block
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing at `count` instants from `at` on; none at all where only the device changed."""

    at: int
    count: int
    why: Why


@dataclass(frozen=True, slots=True)
class Remark:
    """A text at an instant, which may lie between two of the grid; and when that was, where it is known."""

    at: Fraction
    text: str
    time_us: int | None = None


Event = Opening | Samples | Missing | Remark


class Grid:
    """Items and signals in, events out."""

    def __init__(self, rate_hz: Fraction) -> None:
        self._period_us = 1_000_000 / rate_hz
        self._longest = int(LONGEST_GAP_S * rate_hz)
        self._layout: Layout | None = None
        self._offset = 0  # what is added to a sequence number to get its index
        self._next = 0  # the index behind the newest, when that would be sampled, and its counter
        self._next_us = 0
        self._counter = 0
        self._gaps: list[Gap] = []  # in front of the next packet
        self._buttons = Buttons()
        self._pressed: int | None = None  # the first state that was told
        self._marks: list[Mark] = []  # that are not on the grid yet, by their times
        self._strange: list[Mark] = []  # whose times are long before the packets

    def take(self, items: Sequence[Item], signals: Sequence[Signal], marks: Sequence[Mark]) -> list[Event]:
        """What these are on the grid."""
        runs = iter([item for item in items if isinstance(item, Run) and not item.repeated])
        events: list[Event] = []
        if marks:
            self._marks = sorted([*self._marks, *marks], key=_when)
        for signal in signals:
            if isinstance(signal, Gap):
                self._gaps += [signal] if self._layout else []
            else:
                events += self._block(signal, next(runs))
        if self._layout:
            rest, self._strange, self._marks = [*self._strange, *self._marks], [], []
            events += [Remark(self._instant(mark.time_us), mark.text) for mark in rest]
        return events

    def _block(self, block: Block, run: Run) -> list[Event]:
        counters = run.stretch.counters
        if block.late:
            known = self._layout is run.stretch.layout
            return [Samples(block.sequence + self._offset, block, run.stretch)] if known else []
        events = self._before(block, run)
        at = block.sequence + self._offset
        if counters[0] != self._counter:
            events.append(Remark(Fraction(at), f"kit counter {counters[0]}"))
        events += self._marked(block, at)
        events.append(Samples(at, block, run.stretch))
        events += self._pressing(block)
        self._next = at + len(block)
        self._next_us = int(block.times_us[-1] + self._period_us)
        self._counter = (counters[-1] + 1) % run.stretch.layout.period
        return events

    def _marked(self, block: Block, at: int) -> list[Event]:
        """The marks up to the end of a block, which may be hours long."""
        times_us = block.times_us
        if not self._marks or self._marks[0].time_us > times_us[-1]:
            return []
        strange = bisect_left(self._marks, times_us[0] - _NEAR_US, key=_when)
        end = bisect_right(self._marks, times_us[-1], key=_when)
        self._strange += self._marks[:strange]
        due, self._marks = self._marks[strange:end], self._marks[end:]
        events: list[Event] = []
        for mark in due:
            place = bisect_left(times_us, mark.time_us)
            instant = at + place - Fraction(times_us[place] - mark.time_us) / self._period_us
            events.append(Remark(max(Fraction(0), instant), mark.text, mark.time_us))
        return events

    def _before(self, block: Block, run: Run) -> list[Event]:
        """What was missing in front of a block, or a new begin."""
        missing = self._missing(block)
        total = sum(one.count for one in missing)
        if self._layout is run.stretch.layout and total <= self._longest:
            passed = sum(gap.count for gap in self._gaps)
            self._offset += total - passed
            self._counter = (self._counter + passed) % run.stretch.layout.period
            if any(gap.why != "lost" for gap in self._gaps):
                self._counter = _UNTOLD
            self._gaps = []
            return [*missing]
        total = total if self._layout is run.stretch.layout else 0
        changes = [gap.why for gap in self._gaps if gap.why != "lost"]
        why: Why = changes[-1] if changes else "lost"
        self._layout, self._gaps = run.stretch.layout, []
        self._offset, self._counter = -block.sequence, run.stretch.counters[0]
        self._buttons, self._pressed = Buttons(), block.buttons[0]
        return [Opening(block.times_us[0], run.stretch.layout, self._counter, self._pressed, total, why)]

    def _missing(self, block: Block) -> list[Missing]:
        missing: list[Missing] = []
        at = self._next
        for gap in self._gaps:
            missing.append(Missing(at, gap.count, gap.why))
            at += gap.count
        changed = [place for place, gap in enumerate(self._gaps) if gap.why != "lost"]
        passed_us = block.times_us[0] - self._next_us - (at - self._next) * self._period_us
        if changed and passed_us > _SURELY_US:
            # The time that nobody can count packets in is that of the device's absence.
            place, more = changed[-1], round(passed_us / self._period_us)
            before = missing[place]
            missing[place] = Missing(before.at, before.count + more, before.why)
            missing[place + 1 :] = [
                Missing(one.at + more, one.count, one.why) for one in missing[place + 1 :]
            ]
        return missing

    def _pressing(self, block: Block) -> list[Event]:
        events: list[Event] = []
        if self._pressed is None:
            first = next((place for place, state in enumerate(block.buttons) if state is not None), None)
            if first is not None:
                self._pressed = block.buttons[first]
                at = Fraction(block.sequence + self._offset + first)
                events += [Remark(at, f"kit buttons {self._pressed}")] if self._pressed != NOT_PRESSED else []
        return events + [self._change(change) for change in self._buttons.take(block)]

    def _change(self, change: ButtonChange) -> Remark:
        return Remark(Fraction(change.sequence + self._offset), change.text)

    def _instant(self, time_us: int) -> Fraction:
        """Where on the grid a time is; at the newest packet where it cannot be of the same clock."""
        distance_us = time_us - self._next_us
        if abs(distance_us) > _NEAR_US:
            return Fraction(self._next)
        return max(Fraction(0), self._next + Fraction(distance_us) / self._period_us)


def _when(mark: Mark) -> int:
    return mark.time_us
