"""A wave of one frequency and its harmonics, by least squares; and that frequency, if none is told. Pure.

A constant and a slope are fitted along, as an amplifier drifts. Samples may be missing: each has its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, hypot, pi, sin, sqrt
from operator import mul

from kit.eeg.processing.spectrum import frequencies, psd

# As many samples as the spectrum is made of that begins the search, at most.
_COARSE = 4096
_GOLDEN = (sqrt(5) - 1) / 2
_STEPS = 24


@dataclass(frozen=True)
class Wave:
    """Amplitudes of the fundamental and its harmonics, and the power of them all as a share of what moved."""

    amplitudes: tuple[float, ...]
    share: float


def fit(times_s: Sequence[float], values: Sequence[float], frequency_hz: float, harmonics: int) -> Wave:
    """The wave of this frequency that comes closest."""
    middle_s, mean = sum(times_s) / len(times_s), sum(values) / len(values)
    columns: list[Sequence[float]] = [[1.0] * len(values), [at - middle_s for at in times_s]]
    for number in range(1, harmonics + 1):
        turns = [2 * pi * number * frequency_hz * (at - middle_s) for at in times_s]
        columns += [list(map(cos, turns)), list(map(sin, turns))]
    found = _least_squares(columns, [value - mean for value in values])
    amplitudes = tuple(hypot(*found[at : at + 2]) for at in range(2, len(found), 2))
    moved = [v - mean - found[0] - found[1] * at for v, at in zip(values, columns[1], strict=True)]
    left = [
        m - sum(map(mul, found[2:], row))
        for m, row in zip(moved, zip(*columns[2:], strict=True), strict=True)
    ]
    total = sum(map(mul, moved, moved))
    return Wave(amplitudes, 1 - sum(map(mul, left, left)) / total if total else 0.0)


def find_frequency(
    times_s: Sequence[float], values: Sequence[float], rate_hz: float, low_hz: float, high_hz: float
) -> float:
    """The frequency between the two at which most of the power is."""
    even = _evenly(times_s, values, rate_hz)
    count = min(_COARSE, 1 << (len(even).bit_length() - 1))
    powers = psd(even[:count], rate_hz)
    step_hz = rate_hz / count
    inner = [
        (power, hz)
        for power, hz in zip(powers, frequencies(count, rate_hz), strict=True)
        if low_hz <= hz <= high_hz
    ]
    top_hz = max(inner)[1] if inner else (low_hz + high_hz) / 2
    mean, last = sum(values) / len(values), len(values) - 1
    # Hann's window keeps the harmonics and the drift out of the sum.
    weighed = [(value - mean) * (1 - cos(2 * pi * at / last)) for at, value in enumerate(values)]
    return _highest(times_s, weighed, max(top_hz - step_hz, low_hz), min(top_hz + step_hz, high_hz))


def _evenly(times_s: Sequence[float], values: Sequence[float], rate_hz: float) -> list[float]:
    """The samples, with the mean in the place of those that are missing."""
    places = [round((at - times_s[0]) * rate_hz) for at in times_s]
    even = [sum(values) / len(values)] * (places[-1] + 1)
    for place, value in zip(places, values, strict=True):
        even[place] = value
    return even


def window_s(frequency_hz: float) -> float:
    """How long a piece is that an amplitude can be told from: a second, or three periods."""
    return max(1.0, ceil(3000 / frequency_hz) / 1000)


def _highest(times_s: Sequence[float], weighed: Sequence[float], low_hz: float, high_hz: float) -> float:
    """Where the amplitude is highest, by golden section: between these two there is one top."""

    def amplitude(hz: float) -> float:
        turns = [2 * pi * hz * at for at in times_s]
        return hypot(sum(map(mul, weighed, map(cos, turns))), sum(map(mul, weighed, map(sin, turns))))

    left, right = high_hz - _GOLDEN * (high_hz - low_hz), low_hz + _GOLDEN * (high_hz - low_hz)
    at_left, at_right = amplitude(left), amplitude(right)
    for _ in range(_STEPS):
        if at_left > at_right:
            high_hz, right, at_right = right, left, at_left
            left = high_hz - _GOLDEN * (high_hz - low_hz)
            at_left = amplitude(left)
        else:
            low_hz, left, at_left = left, right, at_right
            right = low_hz + _GOLDEN * (high_hz - low_hz)
            at_right = amplitude(right)
    return (low_hz + high_hz) / 2


def _least_squares(columns: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """The weights of the columns whose sum is closest to the values: the normal equations, by Gauss."""
    rows = [[sum(map(mul, one, other)) for other in columns] for one in columns]
    for row, column in zip(rows, columns, strict=True):
        row.append(sum(map(mul, column, values)))
    size = len(rows)
    for at in range(size):
        best = max(range(at, size), key=lambda row: abs(rows[row][at]))
        rows[at], rows[best] = rows[best], rows[at]
        pivot = rows[at][at] or 1.0  # a column of nothing, as the sine at half of the rate
        for below in range(at + 1, size):
            factor = rows[below][at] / pivot
            rows[below] = [a - factor * b for a, b in zip(rows[below], rows[at], strict=True)]
    found = [0.0] * size
    for at in reversed(range(size)):
        known = sum(map(mul, rows[at][at + 1 : size], found[at + 1 :]))
        found[at] = (rows[at][size] - known) / (rows[at][at] or 1.0)
    return found
