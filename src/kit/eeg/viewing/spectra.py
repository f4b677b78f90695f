"""The spectra of the samples that are looked at, a new one every quarter of a second. Pure.

They are of the signal as it came, whatever filters are on, and of two seconds each, which ends at a multiple
of the step: so each is reckoned once, however often it is drawn.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence

from kit.eeg.processing.bands import BANDS, band_power, relative
from kit.eeg.processing.spectrum import frequencies, psd
from kit.eeg.scale import Scale
from kit.eeg.viewing.frame import Bar
from kit.eeg.viewing.history import History

STEP_S = 0.25
_WINDOW_S = 2
_KEPT = 2000
_MADE_UP = 0.01


class Spectra:
    """Power by frequency, per channel and time."""

    def __init__(self, history: History, scale: Scale) -> None:
        self._history = history
        self._scale = scale
        self._size = max(8, round(history.rate_hz * _WINDOW_S))
        self._size -= self._size % 2
        self._made: OrderedDict[tuple[int, int], array[float] | None] = OrderedDict()

    @property
    def frequencies_hz(self) -> list[float]:
        """Those of `powers`."""
        return frequencies(self._size, self._history.rate_hz)

    def powers(self, channel: int, number: int) -> Sequence[float] | None:
        """µV²/Hz of the two seconds that end at this step; None if they have a gap, or are not there."""
        end = round(number * STEP_S * self._history.rate_hz)
        first = end - self._size
        if first < self._history.start or end > self._history.end:
            return None
        key = (channel, number)
        if key not in self._made:
            self._made[key] = self._reckoned(channel, first, end)
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return self._made[key]

    def number_at(self, position: int) -> int:
        """The newest step that is complete there."""
        number = int(position / (STEP_S * self._history.rate_hz)) + 1
        while round(number * STEP_S * self._history.rate_hz) > position:
            number -= 1
        return number

    def bars(self, channel: int, position: int) -> tuple[Bar, ...]:
        """The power of the bands."""
        powers = self.powers(channel, self.number_at(position))
        step_hz = self._history.rate_hz / self._size
        bars = []
        for band in BANDS.values():
            wide = f"{band.low_hz:g}-{band.high_hz:g} Hz"
            if powers is None:
                bars.append(Bar(band.name, wide, None, None))
            else:
                uv = band_power(powers, step_hz, band) ** 0.5
                bars.append(Bar(band.name, wide, uv, relative(powers, step_hz, band)))
        return tuple(bars)

    def _reckoned(self, channel: int, first: int, end: int) -> array[float] | None:
        """A sample that was lost is taken as the one before it, as long as such are few."""
        gaps = self._history.gaps(first, end)
        missing = sum(min(gap.end, end) - max(gap.first, first) for gap in gaps)
        if missing > self._size * _MADE_UP or any(gap.why != "lost" for gap in gaps):
            return None
        factor = self._scale.uv_per_count
        samples: list[float] = []
        for at, until in self._history.stretches(first, end):
            counts = self._history.counts(channel, at, until)
            samples += [samples[-1] if samples else counts[0] * factor] * (at - first - len(samples))
            samples += [count * factor for count in counts]
        samples += samples[-1:] * (self._size - len(samples))
        return array("f", psd(samples, self._history.rate_hz))
