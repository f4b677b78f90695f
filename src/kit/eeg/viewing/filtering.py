"""A filtered copy of the history, made as far as somebody looks at it. Pure.

A file comes in faster than it could be filtered, and a filter that was just switched on shall show the past,
too: so nothing is filtered until it is asked for. Before what is asked for, the filters get some seconds to
settle in. A filter begins anew behind each gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kit.eeg.processing.filters import Cascade, high_pass, low_pass, notch
from kit.eeg.scale import Scale
from kit.eeg.viewing.history import History
from kit.eeg.viewing.ring import Ring

_SETTLING_S = 4


@dataclass(frozen=True, slots=True)
class FilterWish:
    """Which filters; None is none."""

    high_pass_hz: float | None = None
    notch_hz: float | None = None
    low_pass_hz: float | None = None

    def __bool__(self) -> bool:
        return any((self.high_pass_hz, self.notch_hz, self.low_pass_hz))


class Shown:
    """Samples in the unit that is shown, filtered as wished."""

    def __init__(self, history: History, scale: Scale, wish: FilterWish) -> None:
        self._history = history
        self._scale = scale
        self._wish = wish
        self._copies: dict[int, _Copy] = {}
        self._settling = round(_SETTLING_S * history.rate_hz)

    def values(self, channel: int, first: int, last: int) -> Sequence[float]:
        """Those at the positions; what stands in a gap means nothing."""
        if not self._wish:
            return self._plain(channel, first, last)
        copy = self._copies.get(channel)
        if copy is None or first - self._settling > copy.ring.end:
            copy = self._copies[channel] = self._begun(first)
        elif first < copy.ring.start:
            earlier, until = self._begun(first), copy.ring.start
            self._advance(earlier, channel, until)
            copy.ring.write(earlier.ring.start, earlier.ring.read(earlier.ring.start, until))
        self._advance(copy, channel, last)
        return copy.ring.read(first, last)

    def _begun(self, first: int) -> _Copy:
        begin = max(self._history.start, first - self._settling)
        return _Copy(Ring("f", self._history.capacity, begin), _cascade(self._wish, self._history.rate_hz))

    def _advance(self, copy: _Copy, channel: int, last: int) -> None:
        at = copy.ring.end
        if at >= last:
            return
        for first, end in self._history.stretches(at, last):
            if first > at:
                copy.ring.skip(first - at, math.nan)
                copy.filter.reset()
            copy.ring.extend(copy.filter.feed(self._plain(channel, first, end)))
            at = end
        if at < last:
            copy.ring.skip(last - at, math.nan)
            copy.filter.reset()

    def _plain(self, channel: int, first: int, last: int) -> list[float]:
        factor, zero = self._scale.uv_per_count, self._scale.zero
        counts = self._history.counts(channel, first, last)
        return [(count - zero) * factor for count in counts]


@dataclass(frozen=True, slots=True)
class _Copy:
    """A channel's filtered samples, and the filter that made the newest."""

    ring: Ring
    filter: Cascade


def _cascade(wish: FilterWish, rate_hz: float) -> Cascade:
    """A filter beyond half of the sampling rate has nothing to do."""
    filters = ((high_pass, wish.high_pass_hz), (notch, wish.notch_hz), (low_pass, wish.low_pass_hz))
    made = [make(hz, rate_hz) for make, hz in filters if hz and hz < rate_hz / 2]
    return Cascade([section for cascade in made for section in cascade.sections])
