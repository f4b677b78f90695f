"""What really happened: each fault as it goes out, and the totals that a receiver can be held against. Pure.

The line notes what it makes as pieces, the output says which of their bytes went out. Only then is a packet
delivered, damaged or lost, and only then is the offset of a fault known: it counts the bytes that went out.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kit.eeg.records import Layout
from kit.eeg.simulator.seen import Seen

Write = Callable[[Mapping[str, Any]], None]
_EVENTS = ("restart", "stall", "unplug")


@dataclass(frozen=True)
class Piece:
    """`repeat` units of `unit` bytes, of `packets` packets each; `whole` if nothing has happened to them.

    Without bytes it is packets that never leave, without packets it is bytes that are none.
    """

    sequence: int
    counter: int
    packets: int
    unit: int
    repeat: int = 1
    whole: bool = False
    record: Mapping[str, Any] | None = None


class Ledger:
    """Notes pieces, follows their bytes out, and writes the truth."""

    def __init__(self, layout: Layout, write: Write | None = None) -> None:
        self._write = write
        self._counts: Counter[str] = Counter()
        self._seen = Seen(layout)
        self._queue: deque[Piece] = deque()
        self._begun = False  # is the first piece's record out?
        self._units = 0  # settled ones of the first piece
        self._held = bytearray()  # what went out of its next unit
        self._held_back = 0  # bytes of it that did not
        self._open: dict[str, Any] = {}  # the last record, while it may grow

    @property
    def totals(self) -> dict[str, Any]:
        """The record `end`."""
        counts, seen = self._counts, self._seen
        names = ("packets", "delivered", "damaged", "lost", "bytes", "bytes_lost")
        return {
            "event": "end",
            **{name: counts[name] for name in names},
            "disguised": seen.disguised,
            **{f"{name}s": counts[name] for name in _EVENTS},
            "seen": {"packets": seen.packets, "lost": seen.lost, "skipped": seen.skipped},
            "exact": seen.exact,
        }

    def note(self, piece: Piece) -> None:
        """The line made this; its bytes follow."""
        self._queue.append(piece)
        self._pass()

    def tell(self, record: Mapping[str, Any]) -> None:
        """What is in the signal, whatever becomes of its packets."""
        if self._write:
            self._write(record)

    def sent(self, data: bytes) -> None:
        """These bytes went out."""
        self._follow(data, len(data))

    def dropped(self, count: int) -> None:
        """So many bytes went nowhere: they did not fit, or nobody was there."""
        if count:
            first = self._queue[0]
            sequence = first.sequence + self._units * first.packets
            self._emit({"event": "overflow", "sequence": sequence, "bytes": count, "detectable": True})
            self._counts["bytes_lost"] += count
            self._follow(None, count)

    def close(self) -> None:
        """Write what is left, and the end."""
        if self._held:
            self._settle_one(self._queue[0])
        self._seen.end()
        self._emit({})
        if self._write:
            self._write(self.totals)

    def _follow(self, data: bytes | None, count: int) -> None:
        """Take `count` bytes, in `data` or lost, off the first pieces."""
        until = 0
        while until < count:
            at, piece = until, self._queue[0]
            self._begin(piece)
            if piece.whole and not self._held and not self._held_back and count - at >= piece.unit:
                units = min((count - at) // piece.unit, piece.repeat - self._units)
                until = at + units * piece.unit
                self._settle_whole(piece, units, data is not None)
            else:
                until = min(count, at + piece.unit - len(self._held) - self._held_back)
                if data is None:
                    self._held_back += until - at
                else:
                    self._held += data[at:until]
                if len(self._held) + self._held_back == piece.unit:
                    self._settle_one(piece)
            # Counted before it goes on: the next piece's record tells where it stands.
            self._counts["bytes"] += until - at if data is not None else 0
            self._pass()

    def _settle_whole(self, piece: Piece, units: int, arrived: bool) -> None:
        self._counts["packets"] += units
        self._counts["delivered" if arrived else "lost"] += units
        if arrived:
            self._seen.whole(piece.counter + self._units, units)
        else:
            self._seen.missing(units)
        self._units += units

    def _settle_one(self, piece: Piece) -> None:
        """A unit is through, in more than one part or not as it was."""
        held, lacking = bytes(self._held), piece.unit - len(self._held)
        self._held.clear()
        self._held_back = 0
        if piece.whole and (not lacking or not held):
            self._settle_whole(piece, 1, not lacking)
            return
        self._counts["packets"] += piece.packets
        self._counts["damaged" if held else "lost"] += piece.packets
        self._seen.damaged(piece.counter + self._units, piece.packets, held)
        self._units += 1

    def _pass(self) -> None:
        """Go on to the first piece that still has bytes to come."""
        while self._queue:
            piece = self._queue[0]
            if not piece.unit:
                self._begin(piece)
                self._counts["packets"] += piece.packets
                self._counts["lost"] += piece.packets
                self._seen.missing(piece.packets)
            elif self._units < piece.repeat:
                return
            self._queue.popleft()
            self._begun, self._units = False, 0

    def _begin(self, piece: Piece) -> None:
        if self._begun:
            return
        self._begun = True
        if not piece.record:
            return
        event = piece.record["event"]
        if event in _EVENTS:
            self._counts[event] += 1
        if event == "restart":
            self._seen.restarted(piece.counter)
        elif event == "unplug":
            self._seen.interrupted()
        self._emit({**piece.record, "offset": self._counts["bytes"]})

    def _emit(self, record: dict[str, Any]) -> None:
        """Write the last record; keep this one, as packets lost in a row are one gap."""
        last = self._open
        if _continues(last, record):
            last["count"] += record["count"]
            return
        if last and self._write:
            self._write(last)
        self._open = record


def _continues(last: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    return (
        bool(last)
        and last["event"] == record.get("event") == "lost"
        and last["sequence"] + last["count"] == record["sequence"]
        and last["offset"] == record["offset"]
    )
