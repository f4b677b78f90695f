"""The gaps of a capture: how long, how far apart, with what in their place, after what. Pure.

A gap waits until eight more have come, as a packet that was lost may still come late and mend it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from kit.eeg.stats.histogram import Histogram

_WAITING = 8
# More than 255 packets are never known to be lost by the counter.
_MOST_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Gap:
    """Packets lost in a row.

    `spacing` is the way from the begin of the gap before. `vanished` says how many of their bytes did not
    come at all, None where the format does not tell. `late` says whether a long pause of the arrivals came
    before it, None without times.
    """

    sequence: int
    count: int
    spacing: int | None = None
    vanished: int | None = None
    late: bool | None = None


@dataclass(slots=True)
class Patterns:
    """What many gaps have in common.

    `damaged` gaps have all their bytes, skipped as no packet; `whole` ones have none of them. `flipped`
    counts pairs around a single packet that make up a period: its counter was damaged, and nothing lost.
    """

    gaps: int
    lost: int
    squares: int
    lengths: Histogram
    spacings: Histogram
    vanished: Histogram
    damaged: int
    whole: int
    timed: int
    late: int
    flipped: int

    @classmethod
    def none(cls) -> Patterns:
        return cls(0, 0, 0, Histogram(), Histogram(), Histogram(exact=_MOST_BYTES), 0, 0, 0, 0, 0)

    def add(self, gap: Gap, size: int) -> None:
        """One more, of packets of `size` bytes."""
        self.gaps += 1
        self.lost += gap.count
        self.squares += gap.count * gap.count
        self.lengths.add(gap.count)
        if gap.spacing is not None:
            self.spacings.add(gap.spacing)
        if gap.vanished is not None:
            self.vanished.add(max(0, gap.vanished))
            self.damaged += gap.vanished <= 0
            self.whole += gap.vanished == gap.count * size
        if gap.late is not None:
            self.timed += 1
            self.late += gap.late

    def copy(self) -> Patterns:
        return replace(
            self,
            lengths=self.lengths.copy(),
            spacings=self.spacings.copy(),
            vanished=self.vanished.copy(),
        )


class Losses:
    """Collects gaps in the order of their sequence numbers."""

    def __init__(self) -> None:
        self._sure = Patterns.none()
        self._waiting: deque[Gap] = deque()
        self._last_begin: int | None = None
        self._before: Gap | None = None
        self._size = 0

    def add(self, gap: Gap, size: int, period: int) -> None:
        """A gap between packets of `size` bytes, whose counters have this period."""
        self._size = size
        if self._last_begin is not None:
            spacing = gap.sequence - self._last_begin
            gap = Gap(gap.sequence, gap.count, spacing, gap.vanished, gap.late)
        self._last_begin = gap.sequence
        self._note_flip(gap, period)
        self._waiting.append(gap)
        while len(self._waiting) > _WAITING:
            self._sure.add(self._waiting.popleft(), size)

    def _note_flip(self, gap: Gap, period: int) -> None:
        """No gap is part of two pairs."""
        before = self._before
        around_one = before is not None and gap.sequence == before.sequence + before.count + 1
        if before and around_one and before.count + gap.count == period:
            self._sure.flipped += 1
            self._before = None
        else:
            self._before = gap

    def break_off(self) -> None:
        """The device began anew or was away: no spacing reaches over that."""
        self._last_begin = None

    def found(self, sequence: int) -> int:
        """A lost packet came late; by how many the gaps grew: -1, 0 or 1."""
        for at, gap in enumerate(self._waiting):
            if gap.sequence <= sequence < gap.sequence + gap.count:
                rest = _without(gap, sequence, self._size)
                del self._waiting[at]
                for place, part in enumerate(rest):
                    self._waiting.insert(at + place, part)
                return len(rest) - 1
        return 0

    def patterns(self) -> Patterns:
        """Of all gaps so far."""
        found = self._sure.copy()
        for gap in self._waiting:
            found.add(gap, self._size)
        return found


def _without(gap: Gap, sequence: int, size: int) -> list[Gap]:
    """What is left of the gap when a packet in it has come."""
    vanished = None if gap.vanished is None else gap.vanished - size
    before, behind = sequence - gap.sequence, gap.sequence + gap.count - sequence - 1
    parts = []
    if before:
        parts.append(replace(gap, count=before, vanished=vanished if not behind else None))
    if behind:
        begin = replace(gap, sequence=sequence + 1, count=behind, vanished=vanished if not before else None)
        parts.append(replace(begin, spacing=None) if before else begin)
    return parts
