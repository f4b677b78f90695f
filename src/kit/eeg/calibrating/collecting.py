"""The samples of a capture by channels, for as long as their times are certain."""

from __future__ import annotations

from fractions import Fraction

from kit.core.errors import NegativeAnswer
from kit.eeg.calibrating.measuring import Samples
from kit.eeg.feeding import Batch
from kit.eeg.signals import Block, Gap

_MOST_LOST = 0.05


class Collector:
    """A sink; `samples` is for when it is closed."""

    def __init__(self, rate_hz: Fraction) -> None:
        self._rate_hz = float(rate_hz)
        self._times_s: list[float] = []
        self._columns: list[list[int]] = []
        self._lost = 0

    def take(self, batch: Batch) -> None:
        """Raises NegativeAnswer where the device began anew: the phase of the signal is lost then."""
        for signal in batch.signals:
            if isinstance(signal, Gap):
                if signal.why != "lost":
                    raise NegativeAnswer("the device began anew, or was away", hint="try again")
                self._lost += signal.count
            elif not signal.late:
                self._add(signal)

    def close(self, reason: str) -> None:
        """Nothing is to be completed."""

    def samples(self) -> list[Samples]:
        """Those of each channel; raises NegativeAnswer where too many are missing."""
        total = len(self._times_s) + self._lost
        if self._lost > _MOST_LOST * total:
            share = f"{self._lost / total:.1%} of the packets are lost"
            raise NegativeAnswer(share, hint="'kit eeg doctor' tells where they go")
        return [Samples(self._times_s, column) for column in self._columns]

    def _add(self, block: Block) -> None:
        while len(self._columns) < len(block.channels):
            self._columns.append([])
        if len(self._columns) != len(block.channels):
            raise NegativeAnswer("the number of channels changed", hint="try again")
        self._times_s += [(block.sequence + at) / self._rate_hz for at in range(len(block))]
        for at, counts in enumerate(block.channels):
            self._columns[at] += counts
