"""When packets reached this machine, by the time of the reads that brought them and the line's speed.

A read tells when its last byte was there. The bytes before it came earlier, by ten bits a byte, and all of
them after the read before. Pure: it is given all times.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from kit.eeg.records import Stretch, Times

_BITS_A_BYTE = 10


@dataclass(frozen=True, slots=True)
class Rate:
    """The true rate of the device; `ppm` is its distance from the nominal one, known to `error_ppm`."""

    hz: float
    ppm: float
    error_ppm: float


@dataclass(frozen=True, slots=True)
class _Read:
    offset: int
    end: int
    monotonic_ns: int
    wall_ns: int
    earliest_ns: int  # when the read before was done


class ArrivalClock:
    """The arrival of each packet's first byte."""

    def __init__(self, baud: int) -> None:
        self._byte_ns = _BITS_A_BYTE * 1_000_000_000 / baud
        self._reads: deque[_Read] = deque()
        self._last_ns: int | None = None

    def chunk(self, offset: int, length: int, monotonic_ns: int, wall_ns: int) -> None:
        """A read returned `length` bytes; none at all says that none came until now."""
        if length:
            earliest_ns = 0 if self._last_ns is None else self._last_ns
            self._reads.append(_Read(offset, offset + length, monotonic_ns, wall_ns, earliest_ns))
        self._last_ns = monotonic_ns

    def forget(self, offset: int) -> None:
        """Nobody will ask for the bytes before `offset`."""
        while self._reads and self._reads[0].end <= offset:
            self._reads.popleft()

    def arrivals(self, stretch: Stretch) -> tuple[list[int], list[int]]:
        """Microseconds on the monotonic and on the wall clock, for each of its packets."""
        self.forget(stretch.offset)
        monotonic_us: list[int] = []
        wall_us: list[int] = []
        size, end = stretch.layout.size, stretch.offset + len(stretch.data)
        at = stretch.offset
        for read in self._reads:
            while at < min(end, read.end):
                before_ns = int((read.end - at - 1) * self._byte_ns)
                arrival_ns = max(read.monotonic_ns - before_ns, read.earliest_ns)
                monotonic_us.append(arrival_ns // 1000)
                wall_us.append((read.wall_ns - read.monotonic_ns + arrival_ns) // 1000)
                at += size
        return monotonic_us, wall_us

    def times(self, stretch: Stretch) -> Times | None:
        """The arrivals as the times of a run; None where no read had a time."""
        if not self._reads:
            return None
        monotonic_us, wall_us = self.arrivals(stretch)
        return Times(wall_us, monotonic_us)
