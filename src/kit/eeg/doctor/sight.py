"""Collects what came through a line, chunk by chunk, as facts. Pure.

A pause is a time without bytes that is longer than an adapter takes to hand them over (FTDI's waits 16 ms
unless it is told otherwise); packets that are missing right behind one were lost in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kit.eeg import skips
from kit.eeg.capture import Capture
from kit.eeg.doctor.facts import EndReason, Pause, Seen, Unknown
from kit.eeg.p3 import Identity
from kit.eeg.records import Chunk, Item, Layout, Lost, Run, Skipped
from kit.eeg.stats.skipped import SkippedBytes

PAUSE_NS = 100_000_000
# The newest of them: a bound for the memory of a long watch, and more than anybody reads.
_PAUSES, _LOSSES = 1000, 10_000
# A loss is noticed at the first packet behind the pause, whose begin may have come before it.
_NEAR = 2


@dataclass(frozen=True)
class Ending:
    """Why and after which time the watch ended; how long kit did not run between two instants, at worst."""

    why: EndReason
    gone: str | None
    duration_s: float
    late_us: Callable[[int, int], int]
    worst_late_us: int | Unknown


class Sight:
    """Takes chunks, gives the facts at the end."""

    def __init__(self, protocol: str, rate_hz: Fraction, baud: int) -> None:
        self._capture = Capture(protocol, rate_hz=rate_hz, baud=baud)
        self._asked_protocol = protocol
        self._layout: Layout | None = None
        self._identity = Identity()
        self._skipped = SkippedBytes(skips.why)
        self._skipped_at_first = 0
        self._losses: deque[Lost] = deque(maxlen=_LOSSES)
        self._pauses: deque[tuple[int, int, int]] = deque(maxlen=_PAUSES)  # offset, begin, end
        self._last_ns: int | None = None  # when bytes were read
        self._now_ns: int | None = None
        self._bytes = self._reads = self._largest = 0

    def take(self, chunk: Chunk) -> None:
        """What one read returned; an empty chunk says that nothing came until now."""
        self._now_ns = chunk.monotonic_ns
        if chunk.data:
            self._note_pause()
            self._last_ns = chunk.monotonic_ns
            self._bytes += len(chunk.data)
            self._reads += 1
            self._largest = max(self._largest, len(chunk.data))
        self._add(self._capture.feed(chunk))

    def seen(self, ending: Ending) -> Seen:
        """All of it, once."""
        self._note_pause()
        self._add(self._capture.end(ending.why))
        tally, layout = self._capture.tally, self._layout
        return Seen(
            asked_protocol=self._asked_protocol,
            protocol=layout.protocol if layout else None,
            identity=self._identity.name,
            ended=ending.why,
            gone=ending.gone,
            duration_s=ending.duration_s,
            bytes=self._bytes,
            reads=self._reads,
            largest_read=self._largest,
            packets=tally.packets,
            packet_size=layout.size if layout else 0,
            lost=tally.lost,
            lost_low=tally.lost_low,
            lost_high=tally.lost_high,
            skipped=tally.skipped,
            skipped_at_first=self._skipped_at_first,
            looks=self._skipped.looks(),
            duplicates=tally.duplicates,
            restarts=tally.restarts,
            pauses=tuple(self._judged(ending.late_us)),
            worst_late_us=ending.worst_late_us,
        )

    def _note_pause(self) -> None:
        if self._last_ns is None or self._now_ns is None:
            return
        if self._now_ns - self._last_ns >= PAUSE_NS:
            self._pauses.append((self._bytes, self._last_ns, self._now_ns))

    def _add(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Run):
                self._layout = item.stretch.layout
                if self._layout.protocol == "p3":
                    self._identity.add(item.stretch)
            elif isinstance(item, Skipped):
                self._skipped.add(item)
                if self._layout is None:
                    self._skipped_at_first += item.count
            elif isinstance(item, Lost):
                self._losses.append(item)

    def _judged(self, late_us: Callable[[int, int], int]) -> Iterator[Pause]:
        near = _NEAR * self._layout.size if self._layout else 0
        for offset, begin_ns, end_ns in self._pauses:
            lost = sum(loss.count for loss in self._losses if abs(loss.offset - offset) <= near)
            yield Pause(offset, (end_ns - begin_ns) // 1000, late_us(begin_ns, end_ns), lost)
