"""The newest samples of one channel, whole or not at all. Pure.

A gap of a few packets is filled with the sample before it, which keeps the window's time, and is counted; a
long one, or one whose length nobody knows, empties the window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class Window:
    """Holds `size` counts, once so many have come."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._counts: deque[int] = deque(maxlen=size)
        self._filled: deque[tuple[int, int]] = deque()  # where (by number of sample) how many were made up
        self._seen = 0

    def add(self, counts: Sequence[int]) -> None:
        """The next samples."""
        self._counts.extend(counts)
        self._seen += len(counts)

    def skip(self, count: int) -> None:
        """So many packets are missing; 0 is nobody knows how many."""
        if not self._counts:
            return
        if not 0 < count < self.size:
            self.clear()
            return
        self._filled.append((self._seen, count))
        self.add([self._counts[-1]] * count)

    def clear(self) -> None:
        """What comes next continues nothing."""
        self._counts.clear()
        self._filled.clear()

    @property
    def is_full(self) -> bool:
        """Is there a whole window?"""
        return len(self._counts) == self.size

    @property
    def counts(self) -> list[int]:
        """The samples, the oldest first."""
        return list(self._counts)

    @property
    def lost(self) -> int:
        """How many of them were made up, as their packets never came."""
        begin = self._seen - self.size
        while self._filled and sum(self._filled[0]) <= begin:
            self._filled.popleft()
        return sum(at + count - max(at, begin) for at, count in self._filled)
