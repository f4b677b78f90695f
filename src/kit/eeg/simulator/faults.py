"""What can happen to a packet on its way, how often, and in which pattern. Pure.

`KIND[:name=value]…`: it strikes by `rate` (the chance of each packet), `every` (each n-th packet) or `at`
(seconds after the start), `burst` packets in a row at a time. Each fault has two generators of its own, one
for when and one for what, so that neither other faults nor the size of a write change what it does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from kit.core.errors import UsageError

if TYPE_CHECKING:
    from random import Random

_WHEN = ("rate", "every", "at")
# What may be said of each kind beside when; of two that strike one packet, the upper one comes first.
KINDS: Mapping[str, tuple[str, ...]] = {
    "unplug": ("back", "kept"),
    "restart": ("pause",),
    "stall": ("ms",),
    "garbage": ("burst", "length"),
    "lost": ("burst",),
    "lost-bytes": ("burst", "length"),
    "flip": ("burst", "byte", "bit"),
}
_RATE = 0.01
_LOT = 256


@dataclass(frozen=True)
class Fault:
    """One `--fault`. `length` and `byte` count bytes, times are seconds (`ms` milliseconds)."""

    kind: str
    rate: float | None = None
    every: int | None = None
    at: Fraction | None = None
    burst: int = 1
    length: int | None = None
    byte: int | None = None
    bit: int | None = None
    ms: Fraction = Fraction(16)
    pause: Fraction = Fraction(1, 2)
    back: Fraction | None = None
    kept: int = 0

    @property
    def is_timer(self) -> bool:
        """A stall that has no time of its own: what comes is handed over at each tick only."""
        return self.kind == "stall" and (self.rate, self.every, self.at) == (None, None, None)


# The least and the most of each value, and what it is.
_LIMITS: Mapping[str, tuple[type, float, float]] = {
    "rate": (float, 1e-9, 1),
    "every": (int, 1, 10**12),
    "at": (Fraction, 0, 10**9),
    "burst": (int, 1, 10**9),
    "length": (int, 1, 65536),
    "byte": (int, 0, 16),
    "bit": (int, 0, 7),
    "ms": (Fraction, 0.001, 3_600_000),
    "pause": (Fraction, 0, 86400),
    "back": (Fraction, 0.001, 86400),
    "kept": (int, 0, 1),
}


def parse(text: str) -> Fault:
    """The fault that a SPEC tells; raises UsageError."""
    kind, *parts = text.replace(",", ":").split(":")
    if kind not in KINDS:
        raise UsageError(f"no fault {kind!r} in {text!r}", hint=f"there are {', '.join(sorted(KINDS))}")
    values: dict[str, Any] = {}
    for part in parts:
        name, sign, value = part.partition("=")
        if not sign or name not in (*_WHEN, *KINDS[kind]):
            known = ", ".join((*_WHEN, *KINDS[kind]))
            raise UsageError(
                f"no {part!r} in the fault {text!r}", hint=f"{kind} takes {known}, as name=value"
            )
        if name in values:
            raise UsageError(f"{name!r} stands twice in the fault {text!r}")
        values[name] = _value(name, value, text)
    return _complete(kind, values, text)


def _complete(kind: str, values: dict[str, Any], text: str) -> Fault:
    when = [name for name in _WHEN if name in values]
    if len(when) > 1:
        raise UsageError(f"{when[0]!r} and {when[1]!r} in the fault {text!r}, where one can be")
    if not when and kind in ("unplug", "restart"):
        raise UsageError(f"the fault {text!r} does not say when", hint=f"{kind}:at=SECONDS, or every=PACKETS")
    if "kept" in values and "back" not in values:
        raise UsageError(f"'kept' without 'back' in the fault {text!r}")
    if not when and kind != "stall":
        values["rate"] = _RATE
    return Fault(kind, **values)


def _value(name: str, value: str, text: str) -> int | float | Fraction:
    kind, low, high = _LIMITS[name]
    try:
        number: int | float | Fraction = kind(value)
    except (ValueError, ZeroDivisionError):
        number = float("nan")
    if not low <= number <= high:  # not a number is in no range
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"{name}={value} in the fault {text!r} is not {what} from {low} to {high}")
    return number


class Schedule:
    """When a fault strikes, asked in the order of the packets."""

    def __init__(self, fault: Fault, rate_hz: Fraction, when: Random, what: Random) -> None:
        self.fault = fault
        self.what = what
        self._draw = when.random
        self._at_slot = None if fault.at is None else -(-fault.at * rate_hz // 1)
        self._last = -1
        self._burst_end = 0
        self._drawn_until = 0
        self._chosen: deque[int] = deque()

    def next_struck(self, sequence: int, slot: int, limit: int) -> int:
        """The first packet from `sequence` (of sample `slot`) before `limit` that is struck, or `limit`."""
        start = max(sequence, self._last + 1)
        if start < self._burst_end:
            return min(start, limit)
        if self._at_slot is not None:
            return limit if self._last >= 0 else min(sequence + max(self._at_slot - slot, 0), limit)
        if self.fault.every is not None:
            return min(start + -(start + 1) % self.fault.every, limit)
        return self._next_by_chance(self.fault.rate, start, limit) if self.fault.rate else limit

    def strike(self, sequence: int) -> None:
        """The packet is struck: those of the burst follow, and none is struck twice."""
        self._last = sequence
        if sequence >= self._burst_end:
            self._burst_end = sequence + self.fault.burst

    def _next_by_chance(self, rate: float, start: int, limit: int) -> int:
        """Drawn in lots of a fixed size: what is asked for must not change what comes out."""
        chosen, draw = self._chosen, self._draw
        while True:
            while chosen and chosen[0] < start:
                chosen.popleft()
            if chosen or self._drawn_until >= limit:
                return min(chosen[0], limit) if chosen else limit
            first = self._drawn_until
            chosen.extend([at for at in range(first, first + _LOT) if draw() < rate])
            self._drawn_until += _LOT
