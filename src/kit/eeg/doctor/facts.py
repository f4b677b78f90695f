"""What was measured while a port was watched, and what could not be, and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kit.eeg.stats.skipped import Look

Kind = Literal["port", "pty", "file", "pipe", "url", "simulated"]
EndReason = Literal["duration", "end", "interrupt", "gone"]
_COUNTER_LIMIT = 2**32


@dataclass(frozen=True, slots=True)
class Unknown:
    """What nobody can tell here, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Counters:
    """What the driver counted: bytes received, and what went wrong with others.

    An overrun is the adapter's own: its memory was full. A buffer overrun is the kernel's.
    """

    received: int
    framing_errors: int
    overruns: int
    parity_errors: int
    breaks: int
    buffer_overruns: int

    def since(self, before: Counters) -> Counters:
        """By how much each rose; the kernel's counters wrap at 32 bits."""
        return Counters(
            *(
                (getattr(self, name) - getattr(before, name)) % _COUNTER_LIMIT
                for name in Counters.__dataclass_fields__
            )
        )


def risen(before: Counters | Unknown, after: Counters | Unknown) -> Counters | Unknown:
    """What was counted meanwhile; unknown if either is, as that of a port which has gone."""
    if isinstance(before, Unknown):
        return before
    return after if isinstance(after, Unknown) else after.since(before)


@dataclass(frozen=True)
class Line:
    """What the system says of the line.

    `latency_before_ms` is the adapter's latency timer before kit opened the port, `latency_ms` while it read:
    kit asks the driver for low latency where it may.
    """

    name: str
    kind: Kind
    tty: str | None
    product: str | None
    driver: str | None
    asked_baud: int
    baud: int | Unknown
    latency_before_ms: int | Unknown
    latency_ms: int | Unknown
    low_latency: bool | Unknown


@dataclass(frozen=True, slots=True)
class Pause:
    """No byte was read for a while; `late_us` is how long kit itself did not run meanwhile.

    `lost` packets are missing right behind it.
    """

    offset: int
    length_us: int
    late_us: int
    lost: int

    @property
    def was_kits(self) -> bool:
        """Was kit late, rather than the line silent?"""
        return 2 * self.late_us >= self.length_us


@dataclass(frozen=True)
class Seen:
    """What came through the line, and why no more did."""

    asked_protocol: str
    protocol: str | None
    identity: str | None
    ended: EndReason
    gone: str | None
    duration_s: float
    bytes: int
    reads: int
    largest_read: int
    packets: int
    packet_size: int
    lost: int
    lost_low: int
    lost_high: int
    skipped: int
    skipped_at_first: int
    looks: tuple[Look, ...]
    duplicates: int
    restarts: int
    pauses: tuple[Pause, ...]
    worst_late_us: int | Unknown


@dataclass(frozen=True)
class Facts:
    """Everything that findings are made of.

    `counters` are what the kernel's rose by meanwhile, `waiting` the bytes that it still held in the end.
    """

    line: Line
    counters: Counters | Unknown
    waiting: int
    seen: Seen
