"""What the last minutes brought: samples, gaps, marks and buttons, each at its position. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Literal

from kit.core.frozen import record
from kit.core.text import printable
from kit.eeg.batch import Mark
from kit.eeg.processing.artefacts import LIMITS, TOP
from kit.eeg.signals import BUTTONS, Block, Buttons, Gap, Signal
from kit.eeg.viewing.ring import Ring

MARK_LIMIT = 60  # characters of one that are shown
_MISSING = -1
_BOTTOM, _TOP = LIMITS.rail_counts, TOP - LIMITS.rail_counts  # what the converter gives at its ends
_MICRO = 1_000_000


@record
class Span:
    """Positions `first` to before `end` where nothing came, and why; `lost` packets, 0 where nobody knows."""

    first: int
    end: int
    why: Literal["lost", "restarted", "away"]
    lost: int


@record
class Flag:
    """Something that happened at a position: a mark, or a button that was pressed."""

    position: int
    text: str
    kind: Literal["mark", "button"] = "mark"


class History:
    """Samples by position, as many as fit into `seconds`."""

    def __init__(self, rate_hz: float, seconds: float) -> None:
        self.rate_hz = rate_hz
        self.capacity = max(2, int(rate_hz * seconds))
        self.end = 0
        self.last_us: int | None = None  # when the newest was sampled
        self.revision = 0  # rises when something old changes
        self.pressed: tuple[bool | None, ...] = (None,) * BUTTONS
        self.clipped_at: list[int] = []  # behind each channel's newest block with a clipped sample
        self._rings: list[Ring] = []
        self._shift: int | None = None  # from sequence number to position
        self._open: Gap | None = None  # a gap of unknown length, until the next block
        self._gaps: list[Span] = []
        self._found: dict[tuple[int, int], list[tuple[int, int]]] = {}  # stretches, while nothing comes
        self._flags: list[Flag] = []
        self._buttons = Buttons()

    @property
    def start(self) -> int:
        """The oldest position that is known."""
        return max(0, self.end - self.capacity)

    @property
    def channels(self) -> int:
        """How many there are; 0 as long as nobody knows."""
        return len(self._rings)

    def take(self, signals: Iterable[Signal], marks: Iterable[Mark] = ()) -> None:
        """More of them."""
        self._found.clear()
        for signal in signals:
            if isinstance(signal, Gap):
                self._take_gap(signal)
            elif len(signal):
                self._take_block(signal)
        oldest_us = self.time_us(self.start)
        for mark in marks:
            if oldest_us is None or mark.time_us >= oldest_us:
                self._flag(Flag(self.position_of(mark.time_us), printable(mark.text, MARK_LIMIT)))
        self._forget()

    def counts(self, channel: int, first: int, last: int) -> Sequence[float]:
        """A channel's (1, 2, …) counts; those in a gap mean nothing."""
        return self._rings[channel - 1].read(first, last)

    def gaps(self, first: int, last: int) -> list[Span]:
        """Those that touch the positions."""
        begin = bisect_right(self._gaps, first, key=lambda gap: gap.end)
        return self._gaps[begin : bisect_left(self._gaps, last, key=lambda gap: gap.first)]

    def stretches(self, first: int, last: int) -> list[tuple[int, int]]:
        """The positions without the gaps in them; asked for by each channel, and found once."""
        found = self._found.get((first, last))
        if found is None:
            found = self._found[first, last] = self._stretches(first, last)
        return found

    def _stretches(self, first: int, last: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for gap in self.gaps(first, last):
            if gap.first > first:
                found.append((first, gap.first))
            first = gap.end
        if first < last:
            found.append((first, last))
        return found

    def flags(self, first: int, last: int) -> list[Flag]:
        """What happened at these positions."""
        begin = bisect_left(self._flags, first, key=lambda flag: flag.position)
        return self._flags[begin : bisect_left(self._flags, last, key=lambda flag: flag.position)]

    def time_us(self, position: int) -> int | None:
        """When the sample at a position was taken, reckoned from the newest."""
        if self.last_us is None:
            return None
        return self.last_us - round((self.end - 1 - position) * _MICRO / self.rate_hz)

    def position_of(self, time_us: int) -> int:
        """Where a time is; one that is out of reach is put to the next end."""
        if self.last_us is None:
            return 0
        position = self.end - 1 - round((self.last_us - time_us) * self.rate_hz / _MICRO)
        newest = self.end + round(self.rate_hz)  # what came a moment after the newest sample is no stranger
        return max(self.end - 1, 0) if position > newest else max(position, self.start)

    def _take_gap(self, gap: Gap) -> None:
        if self._shift is None:
            return  # nothing came before, so nothing is missing
        if gap.why == "lost" and gap.count and not self._open:
            self._miss(gap.count, "lost", gap.count)
        else:
            self._open = gap

    def _take_block(self, block: Block) -> None:
        if self._shift is None:
            self._shift = -block.sequence
            self._rings = [Ring("h", self.capacity) for _ in block.channels]
            self.clipped_at = [-1] * len(self._rings)
        if block.late:
            self._take_late(block, block.sequence + self._shift)
            return
        if self._open:
            self._close_gap(block)
        missing = block.sequence + self._shift - self.end
        if missing > 0:
            self._miss(missing, "lost", missing)
        else:
            self._shift -= missing
        for change in self._buttons.take(block):
            if change.pressed:
                self._flag(Flag(change.sequence + self._shift, f"button {change.button}", "button"))
        self._append(block)

    def _append(self, block: Block) -> None:
        if len(block.channels) >= len(self._rings):
            self.end += len(block)
            for at, ring in enumerate(self._rings):
                column = block.channels[at]
                ring.extend(column)
                if min(column) <= _BOTTOM or max(column) >= _TOP:
                    self.clipped_at[at] = self.end
        else:
            self._miss(len(block), "restarted", 0)  # of another device, with fewer channels
        self.last_us = block.times_us[-1]
        state = block.buttons[-1]
        if state is not None:
            self.pressed = tuple(not state >> number & 1 for number in range(BUTTONS))

    def _close_gap(self, block: Block) -> None:
        """How long it took shows when it is over; at least one sample wide, so that it is seen."""
        gap, self._open = self._open, None
        if gap is None or self._shift is None:
            return
        known = max(0, block.sequence + self._shift - self.end)
        passed_us = block.times_us[0] - (self.last_us or 0)
        width = max(1, known, min(round(passed_us * self.rate_hz / _MICRO) - 1, self.capacity))
        self._shift += width - known
        self._miss(width, gap.why, gap.count)

    def _miss(self, width: int, why: Literal["lost", "restarted", "away"], lost: int) -> None:
        before = self._gaps[-1] if self._gaps else None
        if before and before.end == self.end and before.why == why:
            self._gaps[-1] = Span(before.first, self.end + width, why, before.lost + lost)
        else:
            self._gaps.append(Span(self.end, self.end + width, why, lost))
        for ring in self._rings:
            ring.skip(width, _MISSING)
        self.end += width

    def _take_late(self, block: Block, position: int) -> None:
        """Into the gap that they left, if it is still known."""
        end = position + len(block)
        around = self.gaps(position, end)
        if len(around) != 1 or len(block.channels) < len(self._rings):
            return
        gap = around[0]
        if not gap.first <= position <= end <= gap.end:
            return
        at = self._gaps.index(gap)
        edges = ((gap.first, position), (end, gap.end))
        self._gaps[at : at + 1] = [Span(a, b, gap.why, b - a) for a, b in edges if a < b]
        for ring, column in zip(self._rings, block.channels, strict=False):
            ring.write(position, column)
        self.revision += 1

    def _flag(self, flag: Flag) -> None:
        at = bisect_right(self._flags, flag.position, key=lambda other: other.position)
        self._flags.insert(at, flag)

    def _forget(self) -> None:
        start = self.start
        if self._gaps and self._gaps[0].end <= start:
            del self._gaps[: bisect_right(self._gaps, start, key=lambda gap: gap.end)]
        if self._flags and self._flags[0].position < start:
            del self._flags[: bisect_left(self._flags, start, key=lambda flag: flag.position)]
