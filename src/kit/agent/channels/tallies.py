"""Counters in memory that all the agent's processes share: a row for each, which it alone writes.

Every cell is an aligned word of 64 bits, so that a reader sees the old value or the new one. Row 0 is the
supervisor's, row 1 + N worker N's; a worker that replaces another counts on. What stands here is for people
to read and decides nothing: a worker in an attacker's hands can write any number.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Sequence

# Columns of a row: the supervisor's (each worker, too, says what it knows of the audit log), then a worker's.
ACCEPTED, REJECTED, RESTARTS, AUDIT_FAILING, AUDIT_LOST = range(5)
PID, SERVED, CLOSED, MALFORMED, FAILED = range(5, 10)
# The supervisor's again, of the bridge.
BRIDGE_PID, BRIDGE_CLIENTS = range(10, 12)
_COLUMNS = 12
# Columns of a key in a row.
SIGNED, DECRYPTED, REFUSED, MICROSECONDS = range(4)
# Upper bounds of the latency histogram; one more cell holds what is beyond.
BOUNDS_US = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 500_000)
# Behind the histogram: the milliseconds of the Unix epoch in which a key last refused, and what (the number
# of the purpose in the last byte).
LAST_REFUSED = 4 + len(BOUNDS_US) + 1
_KEY_COLUMNS = LAST_REFUSED + 1
# Columns of a client's slot.
OPERATIONS, REFUSALS, GONE = range(3)
_SLOT_COLUMNS = 3
# Sums stay words: too large a one would keep whoever asks from any answer.
_WORD = 2**64 - 1


class Tallies:
    """The whole of it; made once, before the first fork."""

    def __init__(self, workers: int, keys: int, slots: int) -> None:
        self.workers, self.keys, self.slots = workers, keys, slots
        self._row_size = _COLUMNS + keys * _KEY_COLUMNS
        cells = (workers + 1) * self._row_size + slots * _SLOT_COLUMNS
        self._cells = memoryview(mmap.mmap(-1, 8 * cells)).cast("Q")

    def row(self, index: int) -> Row:
        """Worker `index`'s; -1 is the supervisor's."""
        begin = (index + 1) * self._row_size
        return Row(self._cells[begin : begin + self._row_size])

    def total(self, column: int) -> int:
        """Over all rows."""
        return sum(self._cells[column :: self._row_size][: self.workers + 1].tolist()) & _WORD

    def key(self, slot: int) -> list[int]:
        """Every column of a key, over all workers."""
        found = [self.row(index).key(slot).tolist() for index in range(self.workers)]
        *sums, last = zip(*found, strict=True)
        return [*(sum(column) & _WORD for column in sums), max(last)]

    def clear_key(self, slot: int) -> None:
        """A new key takes the slot."""
        for index in range(self.workers):
            self.row(index).key(slot)[:] = memoryview(bytes(8 * _KEY_COLUMNS)).cast("Q")

    def client(self, slot: int) -> memoryview:
        """A client's columns."""
        begin = (self.workers + 1) * self._row_size + slot * _SLOT_COLUMNS
        return self._cells[begin : begin + _SLOT_COLUMNS]


class Row:
    """What one process counts."""

    def __init__(self, cells: memoryview) -> None:
        self.cells = cells

    def key(self, slot: int) -> memoryview:
        begin = _COLUMNS + slot * _KEY_COLUMNS
        return self.cells[begin : begin + _KEY_COLUMNS]


def count(cells: memoryview, column: int, more: int = 1) -> None:
    """Add; where the sum is more than a word, which only somebody else's number makes it, begin again."""
    cells[column] = (cells[column] + more) & _WORD


def count_operation(key: memoryview, column: int, microseconds: int) -> None:
    """One more operation of that kind and length, in a key's columns."""
    for cell, more in (
        (column, 1),
        (MICROSECONDS, microseconds),
        (4 + bisect_left(BOUNDS_US, microseconds), 1),
    ):
        key[cell] = (key[cell] + more) & _WORD


def note_refusal(key: memoryview, time_ms: int, purpose: int) -> None:
    """One more, of a request that this purpose would have taken, in a key's columns."""
    count(key, REFUSED)
    key[LAST_REFUSED] = (time_ms << 8 | purpose) & _WORD


def histogram(key: Sequence[int]) -> Sequence[int]:
    """How many operations took up to each bound, and how many longer, out of a key's columns."""
    return key[4:LAST_REFUSED]
