"""The newest of an endless row of numbers, in memory of a fixed size. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any


class Ring:
    """The numbers at the positions `start` up to `end`; who asks for others must not."""

    def __init__(self, typecode: str, size: int, end: int = 0) -> None:
        self.size = size
        self.end = end
        self._first = end
        self._type = typecode
        self._cells: Any = array(typecode, bytes(array(typecode).itemsize * size))

    @property
    def start(self) -> int:
        return max(self._first, self.end - self.size)

    def extend(self, numbers: Iterable[float]) -> None:
        """Add these at the end."""
        added = array(self._type, numbers)
        skipped = max(0, len(added) - self.size)
        first, self.end = self.end + skipped, self.end + len(added)
        self._put(first, added[skipped:] if skipped else added)

    def skip(self, count: int, filler: float) -> None:
        """Add so many of one number."""
        kept = min(count, self.size)
        self.end += count - kept
        self.extend([filler] * kept)

    def write(self, position: int, numbers: Sequence[float]) -> None:
        """Put these in the place of others, or in front of them: what does not fit is left out."""
        skipped = max(0, self.end - self.size - position)
        added = array(self._type, numbers[skipped : self.end - position])
        if added:
            self._first = min(self._first, position + skipped)
            self._put(position + skipped, added)

    def read(self, first: int, last: int) -> Sequence[float]:
        """A copy of those from `first` to before `last`."""
        at, until = first % self.size, last % self.size
        if last <= first:
            return ()
        cells = self._cells
        read: Sequence[float] = cells[at:until] if at < until else cells[at:] + cells[:until]
        return read

    def _put(self, position: int, added: Any) -> None:
        at = position % self.size
        fitting = self.size - at
        if len(added) <= fitting:
            self._cells[at : at + len(added)] = added
        else:
            self._cells[at:] = added[:fitting]
            self._cells[: len(added) - fitting] = added[fitting:]
