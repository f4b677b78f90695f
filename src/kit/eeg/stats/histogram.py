"""How often each number came, in bounded memory: exact where it is small, else to one part in 32. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil

EXACT = 1024
_KEPT_BITS = 6


class Histogram:
    """Numbers from 0 on, and how often each came; those below `exact` are told apart."""

    def __init__(self, counts: Mapping[int, int] | None = None, *, exact: int = EXACT) -> None:
        self._exact = exact
        self._counts: Counter[int] = Counter(counts or {})
        self.count = sum(self._counts.values())
        self.greatest = max(self._counts, default=0)

    def add(self, value: int, times: int = 1) -> None:
        """The value came so often."""
        self._counts[value if value < self._exact else self._lower_edge(value)] += times
        self.count += times
        self.greatest = max(self.greatest, value)

    def add_all(self, values: Iterable[int]) -> None:
        """Each of many values came; the same ones are looked at once."""
        for value, times in Counter(values).items():
            self.add(value, times)

    def copy(self) -> Histogram:
        twin = Histogram(self._counts, exact=self._exact)
        twin.greatest = self.greatest
        return twin

    def rows(self) -> list[tuple[int, int, int]]:
        """From, to (both included) and how often, in order."""
        return [(low, self._upper_edge(low), self._counts[low]) for low in sorted(self._counts)]

    def share(self, value: int) -> float:
        """How much of all is this value."""
        return self._counts[self._lower_edge(value)] / self.count if self.count else 0.0

    def most_common(self) -> tuple[int, int]:
        """The value that came most often (the smallest of several), and how often it came."""
        if not self._counts:
            return 0, 0
        return max(self._counts.items(), key=lambda entry: (entry[1], -entry[0]))

    def percentile(self, percent: float) -> int:
        """The nearest rank; above the exact ones the middle of its range. Nothing has no percentile: 0."""
        rank, seen = ceil(self.count * percent / 100), 0
        for low, high, times in self.rows():
            seen += times
            if seen >= rank:
                return min((low + high) // 2, self.greatest)
        return 0

    def _lower_edge(self, value: int) -> int:
        if value < self._exact:
            return value
        shift = value.bit_length() - _KEPT_BITS
        return value >> shift << shift

    def _upper_edge(self, low: int) -> int:
        return low if low < self._exact else low + (1 << low.bit_length() - _KEPT_BITS) - 1
