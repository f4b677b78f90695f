"""Figures from many measurements. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed (the nearest rank)."""
    if not values or not 0 < percent <= 100:
        raise ValueError(f"no {percent}th percentile of {len(values)} values")
    return sorted(values)[ceil(len(values) * percent / 100) - 1]


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two middle ones."""
    if not values:
        raise ValueError("no median of nothing")
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def histogram_percentile(bounds: Sequence[float], counts: Sequence[int], percent: float) -> float:
    """The value that `percent` of a histogram's values do not exceed; infinite beyond the last bound.

    `counts` are of the values up to each bound and above the one before, and of those beyond; between two
    bounds the values count as evenly spread.
    """
    rank = sum(counts) * percent / 100
    if not 0 < percent <= 100 or not rank:
        raise ValueError(f"no {percent}th percentile of {sum(counts)} values")
    below, lower = 0, 0.0
    for upper, count in zip(bounds, counts[:-1], strict=True):
        if below + count >= rank:
            return lower + (upper - lower) * (rank - below) / count
        below, lower = below + count, upper
    return inf


def rate(count: float, seconds: float) -> float:
    """How many a second; none in no time."""
    return count / seconds if seconds > 0 else 0.0
