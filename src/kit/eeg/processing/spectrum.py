"""The power spectral density of a window of samples: Hann, mean removed, one-sided. Pure.

As scipy.signal.periodogram (or welch, with one segment) gives it. Any length will do; one whose prime factors
are small is quick.
"""

from __future__ import annotations

from cmath import exp
from collections.abc import Sequence
from functools import lru_cache
from math import cos, pi
from operator import add, mul, sub


def psd(samples: Sequence[float], rate_hz: float) -> list[float]:
    """µV²/Hz, if the samples are µV, at each of `frequencies(len(samples), rate_hz)`."""
    count = len(samples)
    if count < 2:
        raise ValueError("a spectrum is of two samples or more")
    mean = sum(samples) / count
    window = _hann(count)
    transformed = _transform_real(
        [(sample - mean) * weight for sample, weight in zip(samples, window, strict=True)]
    )
    scale = 2 / (rate_hz * sum(map(mul, window, window)))
    powers = [(value.real * value.real + value.imag * value.imag) * scale for value in transformed]
    powers[0] /= 2
    if count % 2 == 0:
        powers[-1] /= 2
    return powers


def frequencies(count: int, rate_hz: float) -> list[float]:
    """Those of a window of `count` samples, in Hz: from 0 to half of the rate, `rate_hz` / `count` apart."""
    return [number * rate_hz / count for number in range(count // 2 + 1)]


@lru_cache(maxsize=8)
def _hann(count: int) -> tuple[float, ...]:
    return tuple(0.5 - 0.5 * cos(2 * pi * number / count) for number in range(count))


@lru_cache(maxsize=64)
def _turns(count: int) -> tuple[complex, ...]:
    """The `count`-th roots of one, clockwise."""
    return tuple(exp(-2j * pi * number / count) for number in range(count))


@lru_cache(maxsize=8)
def _unpacking(count: int) -> tuple[complex, ...]:
    """What puts the halves of a transform together, where each value was a pair of samples."""
    return tuple(0.5j * turn for turn in _turns(count)[: count // 2 + 1])


def _transform_real(samples: Sequence[float]) -> list[complex]:
    """The first half of the transform, zero and (of an even count) the middle included.

    Of an even count, neighbours go as the parts of complex numbers through a transform of half the length.
    """
    count = len(samples)
    if count % 2:
        return _transform([complex(sample) for sample in samples])[: count // 2 + 1]
    packed = _transform(list(map(complex, samples[0::2], samples[1::2])))
    packed.append(packed[0])
    mirrored = [value.conjugate() for value in reversed(packed)]
    evens, odds = map(add, packed, mirrored), map(sub, packed, mirrored)
    return [even * 0.5 - odd * turn for even, odd, turn in zip(evens, odds, _unpacking(count), strict=True)]


def _transform(values: list[complex]) -> list[complex]:
    """The discrete Fourier transform, by the least prime factor of the length first."""
    count = len(values)
    if count == 1:
        return values
    if count % 2 == 0:
        return _transform_pairs(values)
    factor = next((number for number in (3, 5, 7, 11, 13) if count % number == 0), count)
    if factor == count:
        return _transform_prime(values)
    turns, part = _turns(count), count // factor
    parts = [_transform(values[first::factor]) for first in range(factor)]
    return [
        sum((parts[r][number % part] * turns[r * number % count] for r in range(factor)), 0j)
        for number in range(count)
    ]


def _transform_pairs(values: list[complex]) -> list[complex]:
    half = len(values) // 2
    if half == 1:
        first, second = values
        return [first + second, first - second]
    if half == 2:
        return _transform_four(*values)
    even, odd = _transform(values[0::2]), _transform(values[1::2])
    turned = list(map(mul, odd, _turns(2 * half)))
    return [*map(add, even, turned), *map(sub, even, turned)]


def _transform_four(a: complex, b: complex, c: complex, d: complex) -> list[complex]:
    sum_even, sum_odd, even, odd = a + c, b + d, a - c, (b - d) * 1j
    return [sum_even + sum_odd, even - odd, sum_even - sum_odd, even + odd]


def _transform_prime(values: list[complex]) -> list[complex]:
    count = len(values)
    turns = _turns(count)
    return [
        sum((value * turns[at * number % count] for at, value in enumerate(values)), 0j)
        for number in range(count)
    ]
