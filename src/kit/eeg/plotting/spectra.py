"""The spectrum of each channel in each column of time, by Welch's method. Pure.

Windows of two seconds that overlap by half. A window in which packets are missing has those filled by a
straight line, if they are few enough to count at all.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kit.eeg.plotting.columns import Columns, folded
from kit.eeg.plotting.envelope import is_clipped
from kit.eeg.processing.artefacts import LIMITS
from kit.eeg.processing.bands import Band

Integers = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]

WINDOW_S = 2
_LIMIT = 1024
# So many windows at once take some megabytes.
_AT_ONCE = 256
_SLACK = 1e-9


class Spectra:
    """Packets in, densities out: the sum of the windows in a column, and how many they are, each channel."""

    def __init__(self, channels: int, rate_hz: float) -> None:
        self.uv_per_count = 1.0  # a recording may tell it only as it is read
        self._rate_hz = rate_hz
        self.size = max(4, 2 * round(WINDOW_S * rate_hz / 2))
        self._step = self.size // 2
        self._allowed = int(LIMITS.lost_share * self.size)
        self._hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.size) / self.size)
        self.columns = Columns(round(self._step * 1_000_000 / rate_hz), _LIMIT, self._fold)
        self.sums = np.zeros((channels, self.size // 2 + 1, _LIMIT))
        self.windows = np.zeros((channels, _LIMIT), np.int64)  # that are clean
        self.seen = 0
        self._held = _Packets.none(channels)

    @property
    def step_hz(self) -> float:
        """How far apart the frequencies are, from 0 on."""
        return self._rate_hz / self.size

    @property
    def frequencies(self) -> Floats:
        """In Hz."""
        found: Floats = np.arange(self.size // 2 + 1) * self.step_hz
        return found

    def add(self, sequence: Integers, at_us: Integers, counts: NDArray[np.int16]) -> None:
        """Packets with rising sequence numbers, and their times."""
        packets = self._held.with_more(_Packets(sequence, at_us, counts))
        breaks = np.flatnonzero(np.diff(packets.sequence) > self._allowed + 1) + 1
        begins = [0, *breaks.tolist(), len(packets.sequence)]
        for begin, end in pairwise(begins):
            self._held = self._windows(packets.part(begin, end))

    def cut(self) -> None:
        """What follows is not in step with what came."""
        self._held = self._held.part(0, 0)

    def within(self, span_us: int) -> int:
        """How many windows of a channel there would be in such a time without a gap."""
        return max(0, (round(span_us * self._rate_hz / 1_000_000) - self.size) // self._step + 1)

    def densities(self) -> Floats:
        """µV²/Hz by channel, frequency and column; NaN where no window is clean."""
        used = max(1, self.columns.used)
        return self._mean(self.sums[..., :used], self.windows[:, None, :used])

    def spectrum(self) -> Floats:
        """µV²/Hz by channel and frequency, the mean of all clean windows."""
        return self._mean(self.sums.sum(axis=2), self.windows.sum(axis=1)[:, None])

    def band(self, band: Band) -> Floats:
        """µV² in a band, by channel and column; as `bands.band_power`."""
        low, high = (int(np.ceil(edge / self.step_hz - _SLACK)) for edge in (band.low_hz, band.high_hz))
        found: Floats = self.step_hz * self.densities()[:, low:high].sum(axis=1)
        return found

    def _windows(self, packets: _Packets) -> _Packets:
        """Take the windows of packets without a long gap; what the next ones need of them."""
        places = packets.sequence - packets.sequence[0] if len(packets.sequence) else packets.sequence
        count = (int(places[-1]) + 1 - self.size) // self._step + 1 if len(places) else 0
        if count <= 0:
            return packets
        for first in range(0, count, _AT_ONCE):
            some = min(_AT_ONCE, count - first)
            low, high = first * self._step, (first + some - 1) * self._step + self.size
            begin, end = np.searchsorted(places, [low, high])
            self._take(places[begin:end] - low, high - low, packets.part(int(begin), int(end)))
        return packets.part(int(np.searchsorted(places, count * self._step)), len(places))

    def _take(self, places: Integers, length: int, packets: _Packets) -> None:
        grid = np.arange(length)
        missing, clipped = np.ones(length, np.int64), np.zeros((len(packets.counts), length), np.int64)
        missing[places], clipped[:, places] = 0, is_clipped(packets.counts)
        values = np.array([np.interp(grid, places, row) for row in packets.counts])
        clean = (self._each(missing).sum(-1) <= self._allowed) & (self._each(clipped).sum(-1) == 0)
        powers = self._powers(self._each(values))
        middles = np.arange(clean.shape[1]) * self._step + self._step
        at = self.columns.places(np.interp(middles, places, packets.at_us).astype(np.int64))
        self.seen += clean.size
        for channel, good in enumerate(clean):
            np.add.at(self.sums[channel].T, at[good], powers[channel][good])
            np.add.at(self.windows[channel], at[good], 1)

    def _each(self, series: NDArray[Any]) -> NDArray[Any]:
        """The windows of a series, as the last two axes."""
        found: NDArray[Any] = sliding_window_view(series, self.size, axis=-1)[..., :: self._step, :]
        return found

    def _powers(self, windows: Floats) -> Floats:
        transformed = np.fft.rfft((windows - windows.mean(axis=-1, keepdims=True)) * self._hann)
        density = 2 / (self._rate_hz * float((self._hann**2).sum()))
        powers: NDArray[Any] = np.square(np.abs(transformed)) * density
        powers[..., [0, -1]] /= 2
        return powers

    def _mean(self, sums: Floats, windows: Integers) -> Floats:
        """µV²/Hz, of sums of squared counts."""
        means: Floats = np.where(windows > 0, sums / np.maximum(windows, 1), np.nan)
        return means * self.uv_per_count**2

    def _fold(self) -> None:
        self.sums = folded(self.sums, np.add, 0)
        self.windows = folded(self.windows, np.add, 0)


class _Packets:
    """Sequence numbers, times and counts that belong together."""

    def __init__(self, sequence: Integers, at_us: Integers, counts: NDArray[np.int16]) -> None:
        self.sequence = sequence
        self.at_us = at_us
        self.counts = counts

    @classmethod
    def none(cls, channels: int) -> _Packets:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((channels, 0), np.int16))

    def part(self, begin: int, end: int) -> _Packets:
        return _Packets(self.sequence[begin:end], self.at_us[begin:end], self.counts[:, begin:end])

    def with_more(self, more: _Packets) -> _Packets:
        return _Packets(
            np.concatenate([self.sequence, more.sequence]),
            np.concatenate([self.at_us, more.at_us]),
            np.concatenate([self.counts, more.counts], axis=1),
        )
