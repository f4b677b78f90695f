"""Mains hum: how much of a channel swings at 50 and at 60 Hz. Pure.

Measured on blocks of 256 packets in a row without a loss (a second, at the nominal rate), of which the first
64 all count and then every fourth: hum does not come and go, and this is the dearest figure of all. Each
block is weighed by a Hann window and multiplied by a cosine and a sine of the frequency; the sum of the two
squares is the power. A Hann window is four bins wide, so that mains that are off by a quarter of a hertz
still count for nine tenths, and white noise shows as 3/256 of its power.

The weights are integers, so that the sums are exact and the same however they are computed: a product sum
stays below 2^31, a block's power below 2^58.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import cos, pi, sin
from operator import mul

from kit.eeg.records import Layout, Run, Stretch
from kit.eeg.stats.channels import planes, values

BLOCK = 256
MAINS_HZ = (50, 60)
_ALL_FIRST, _THEN_EVERY = 64, 4
_WEIGHT = 4096
# What a sine of amplitude 1 gives: the Hann window's mean is a half, and so is that of a squared cosine.
_UNIT = _WEIGHT * BLOCK // 4


@dataclass(frozen=True)
class Wave:
    """The weights of one frequency, `BLOCK` of each."""

    hz: int
    cosine: tuple[int, ...]
    sine: tuple[int, ...]


@lru_cache(maxsize=8)
def waves(rate_hz: Fraction) -> tuple[Wave, ...]:
    """Those of `MAINS_HZ` that this sampling rate can show."""
    return tuple(_wave(hz, float(rate_hz)) for hz in MAINS_HZ if 2 * hz < rate_hz)


def powers(blocks: Stretch, known: Sequence[Wave]) -> list[list[int]]:
    """The power of each wave in each channel, summed over the blocks that the stretch is made of."""
    starts = range(0, len(blocks), BLOCK)
    found = []
    for channel in range(blocks.layout.channels):
        series = values(*planes(blocks, channel))
        parts = [series[start : start + BLOCK] for start in starts]
        found.append([sum(_power(part, wave) for part in parts) for wave in known])
    return found


def amplitude(power: int, blocks: int) -> float:
    """The root mean square over the blocks of the amplitude, in counts."""
    return float((power / blocks) ** 0.5) / _UNIT if blocks else 0.0


class Blocks:
    """Picks the blocks to be measured out of a capture's runs."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._layout: Layout | None = None
        self._next = 0  # the sequence number that continues what is held
        self._seen = 0

    def add(self, run: Run) -> Stretch | None:
        """The picked blocks that the run completes, one behind the other."""
        stretch = run.stretch
        layout = stretch.layout
        if run.repeated:
            return None
        if run.sequence != self._next or layout is not self._layout:
            self._held.clear()
            self._layout = layout
        self._next = run.sequence + len(stretch)
        self._held += stretch.data
        size = BLOCK * layout.size
        whole = len(self._held) // size
        if not whole:
            return None
        data, first = bytes(self._held[: whole * size]), self._seen
        del self._held[: whole * size]
        self._seen += whole
        picked = [data[i * size : (i + 1) * size] for i in range(whole) if _is_picked(first + i)]
        return Stretch(layout, stretch.offset, b"".join(picked)) if picked else None


def _is_picked(number: int) -> bool:
    return number < _ALL_FIRST or number % _THEN_EVERY == 0


def _wave(hz: int, rate_hz: float) -> Wave:
    window = [_WEIGHT * (0.5 - 0.5 * cos(2 * pi * k / BLOCK)) for k in range(BLOCK)]
    turn = 2 * pi * hz / rate_hz
    return Wave(
        hz,
        tuple(round(weight * cos(turn * k)) for k, weight in enumerate(window)),
        tuple(round(weight * sin(turn * k)) for k, weight in enumerate(window)),
    )


def _power(part: Sequence[int], wave: Wave) -> int:
    real: int = sum(map(mul, part, wave.cosine))
    imaginary: int = sum(map(mul, part, wave.sine))
    return real * real + imaginary * imaginary
