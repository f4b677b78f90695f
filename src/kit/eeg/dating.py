"""Times for a stream that carries none: by the sequence number, at the nominal rate. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

NOMINAL_RATE_HZ = Fraction(256)


@dataclass(frozen=True)
class Dating:
    """The packet with sequence number 0 at `start_us` (microseconds since 1970), the others at the rate."""

    start_us: int = 0
    rate_hz: Fraction = NOMINAL_RATE_HZ

    @cached_property
    def _period_us(self) -> Fraction:
        return 1_000_000 / self.rate_hz

    def wall_us(self, sequence: int) -> int:
        """The time of a packet, rounded down to a microsecond."""
        period_us = self._period_us
        return self.start_us + sequence * period_us.numerator // period_us.denominator

    def walls_us(self, sequence: int, count: int) -> list[int]:
        """The times of `count` packets from `sequence` on."""
        period_us = self._period_us
        start_us, numerator, denominator = self.start_us, period_us.numerator, period_us.denominator
        return [start_us + k * numerator // denominator for k in range(sequence, sequence + count)]
