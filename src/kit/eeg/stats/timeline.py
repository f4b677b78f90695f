"""What was received and lost when: a row of buckets that grow wider as the capture grows longer. Pure.

Buckets are counted in packets that the device sent, so that a file without times has a course of time as
well.
"""

from __future__ import annotations

from dataclasses import dataclass

BUCKETS = 64


@dataclass(frozen=True, slots=True)
class Bucket:
    """What became of the packets of one part of the capture; `gaps` begin in it."""

    received: int
    lost: int
    gaps: int

    @property
    def sent(self) -> int:
        return self.received + self.lost


class Timeline:
    """At most `BUCKETS` of equal width; two become one when the row is full."""

    def __init__(self) -> None:
        self.width = 1
        self._received = [0] * BUCKETS
        self._lost = [0] * BUCKETS
        self._gaps = [0] * BUCKETS
        self._end = 0

    def add_received(self, sequence: int, count: int) -> None:
        """Packets from `sequence` on came."""
        self._reach(sequence + count)
        self._spread(self._received, sequence, count, 1)

    def add_lost(self, sequence: int, count: int) -> None:
        """Packets from `sequence` on did not."""
        self._reach(sequence + count)
        self._spread(self._lost, sequence, count, 1)
        self._gaps[sequence // self.width] += 1

    def take_back(self, sequence: int, gaps: int) -> None:
        """A packet was not lost after all, and with it so many gaps are gone."""
        self._spread(self._lost, sequence, 1, -1)
        self._gaps[sequence // self.width] += gaps

    def buckets(self) -> list[Bucket]:
        """Those that have begun."""
        begun = -(-self._end // self.width)
        rows = zip(self._received, self._lost, self._gaps, strict=True)
        return [Bucket(*row) for row in rows][:begun]

    def _reach(self, end: int) -> None:
        self._end = max(self._end, end)
        while end > BUCKETS * self.width:
            self.width *= 2
            self._received, self._lost, self._gaps = map(_paired, (self._received, self._lost, self._gaps))

    def _spread(self, row: list[int], sequence: int, count: int, sign: int) -> None:
        end = sequence + count
        while sequence < end:
            bucket = sequence // self.width
            until = min(end, (bucket + 1) * self.width)
            row[bucket] += sign * (until - sequence)
            sequence = until


def coarser(buckets: list[Bucket]) -> list[Bucket]:
    """Two and two as one."""
    pairs = [(buckets[at], *buckets[at + 1 : at + 2]) for at in range(0, len(buckets), 2)]
    return [
        Bucket(
            sum(one.received for one in pair), sum(one.lost for one in pair), sum(one.gaps for one in pair)
        )
        for pair in pairs
    ]


def _paired(row: list[int]) -> list[int]:
    return [row[at] + row[at + 1] for at in range(0, BUCKETS, 2)] + [0] * (BUCKETS // 2)
