"""The range and the deviation of each channel in each column of time, and what is lost there. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kit.eeg.plotting.columns import Columns, folded
from kit.eeg.processing.artefacts import LIMITS, TOP

# More than a page has dots across.
_LIMIT = 2048
_NO_LOW, _NO_HIGH = TOP + 1, -1


class Envelope:
    """Packets and losses in, columns out."""

    def __init__(self, channels: int, period_us: float) -> None:
        self.columns = Columns(round(period_us), _LIMIT, self._fold)
        self.low = np.full((channels, _LIMIT), _NO_LOW, np.int16)
        self.high = np.full((channels, _LIMIT), _NO_HIGH, np.int16)
        self.clipped = np.zeros((channels, _LIMIT), np.int64)
        self.sums = np.zeros((channels, _LIMIT), np.int64)
        self.squares = np.zeros((channels, _LIMIT), np.int64)
        self.packets = np.zeros(_LIMIT, np.int64)
        self.lost = np.zeros(_LIMIT, np.int64)
        self._period_us = period_us

    def add(self, at_us: NDArray[np.int64], counts: NDArray[np.int16]) -> None:
        """Packets by their times, a row of counts for each channel."""
        places = self.columns.places(at_us)
        if np.any(places[1:] < places[:-1]):
            order = np.argsort(places, kind="stable")
            places, counts = places[order], counts[:, order]
        begins = np.flatnonzero(np.diff(places, prepend=-1))
        there = places[begins]
        self.low[:, there] = np.minimum(self.low[:, there], np.minimum.reduceat(counts, begins, axis=1))
        self.high[:, there] = np.maximum(self.high[:, there], np.maximum.reduceat(counts, begins, axis=1))
        self.clipped[:, there] += np.add.reduceat(is_clipped(counts).astype(np.int64), begins, axis=1)
        wide = counts.astype(np.int64)
        self.sums[:, there] += np.add.reduceat(wide, begins, axis=1)
        self.squares[:, there] += np.add.reduceat(wide * wide, begins, axis=1)
        self.packets[there] += np.diff(begins, append=len(places))

    def add_lost(self, first_us: int, count: int) -> None:
        """Packets that never came, the first of which would have been then."""
        at_us = (first_us + np.arange(count) * self._period_us).astype(np.int64)
        places = self.columns.places(at_us)  # may fold what is added to
        self.lost += np.bincount(places, minlength=_LIMIT)

    def _fold(self) -> None:
        self.low = folded(self.low, np.minimum, _NO_LOW)
        self.high = folded(self.high, np.maximum, _NO_HIGH)
        self.clipped = folded(self.clipped, np.add, 0)
        self.sums = folded(self.sums, np.add, 0)
        self.squares = folded(self.squares, np.add, 0)
        self.packets = folded(self.packets, np.add, 0)
        self.lost = folded(self.lost, np.add, 0)


def is_clipped(counts: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which counts stand at an end of the converter's range."""
    found: NDArray[np.bool_] = (counts <= LIMITS.rail_counts) | (counts >= TOP - LIMITS.rail_counts)
    return found
