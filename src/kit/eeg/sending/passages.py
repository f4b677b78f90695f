"""What a device sends, and when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Sending:
    """Bytes, and when the last of them is ready to be read, in nanoseconds after the start."""

    ready_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Unplugged:
    """The device goes, and comes back, or does not."""

    ready_ns: int
    back_ns: int | None


Passage = Sending | Unplugged

_BLOCK = 256
_WRITES_HZ = 1000


def packets_together(rate_hz: Fraction, speed: Fraction | None) -> int:
    """How many packets go together: one at real time, more where the writes would be too many."""
    if speed is None:
        return _BLOCK
    return max(min(int(rate_hz * speed / _WRITES_HZ), _BLOCK), 1)
