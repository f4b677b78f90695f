"""The line between the simulated board and its reader: packets in their time, and what happens to them. Pure.

Packets go out in blocks; where a fault strikes, the block ends, and the packet that is struck goes by itself.
The same seed gives the same bytes, whatever the size of the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from kit.eeg.sending.passages import Passage, Sending, Unplugged
from kit.eeg.simulator.device import Device
from kit.eeg.simulator.faults import KINDS, Fault, Schedule
from kit.eeg.simulator.seen import lookalikes
from kit.eeg.simulator.signal import BLOCK, Happening
from kit.eeg.simulator.truth import Ledger, Piece

_S = 1_000_000_000
# A start bit, eight bits, a stop bit.
_BITS = 10
_BAUD = 57600
_GARBAGE = 8


Draw = Callable[[], float]


@dataclass(frozen=True)
class Extent:
    """How far it goes: so many packets, so many slots of time, or for ever."""

    packets: int | None = None
    slots: int | None = None


class Line:
    """Makes passages until the extent is reached; everything that it does is noted in the ledger."""

    def __init__(
        self, device: Device, rate_hz: Fraction, schedules: Sequence[Schedule], ledger: Ledger, extent: Extent
    ) -> None:
        self._device = device
        self._rate_hz = rate_hz
        self._ledger = ledger
        self._extent = extent
        timers = [schedule.fault for schedule in schedules if schedule.fault.is_timer]
        self._tick_ns = int(timers[-1].ms * 1_000_000) if timers else 0
        order = list(KINDS)
        striking = [schedule for schedule in schedules if not schedule.fault.is_timer]
        self._schedules = sorted(striking, key=lambda schedule: order.index(schedule.fault.kind))
        self._sequence = self._slot = self._number = 0
        self._held_until_ns = 0
        self._gone = False
        self._byte_ns = _BITS * _S // _BAUD

    def passages(self, block: int = BLOCK) -> Iterator[Passage]:
        """What goes out, in order, with at most `block` packets at a time."""
        if self._tick_ns:
            self._note("stall", ms=float(self._tick_ns / 1e6), timer=True)
        while (room := self._room(block)) > 0:
            limit = self._sequence + room
            struck = [one.next_struck(self._sequence, self._slot, limit) for one in self._schedules]
            first = min(struck, default=limit)
            if first > self._sequence:
                yield from self._send_clean(first - self._sequence)
            else:
                yield from self._suffer(self._schedules[struck.index(first)])

    def _room(self, block: int) -> int:
        """How many packets may go next; none at the end."""
        if self._gone:
            return 0
        packets, slots = self._extent.packets, self._extent.slots
        left = block if packets is None else min(block, packets - self._sequence)
        return left if slots is None else min(left, slots - self._slot)

    def _send_clean(self, count: int) -> Iterator[Sending]:
        data = self._device.packets(self._slot, self._number, count)
        size = self._device.layout.size
        self._ledger.note(Piece(self._sequence, self._counter, 1, size, repeat=count, whole=True))
        self._advance(count)
        return self._hand_over(data)

    def _suffer(self, schedule: Schedule) -> Iterator[Passage]:
        schedule.strike(self._sequence)
        return _EFFECTS[schedule.fault.kind](self, schedule.fault, schedule.what.random)

    def _lose(self, _fault: Fault, _draw: Draw) -> Iterator[Passage]:
        self._note("lost", packets=1, count=1, detectable=True)
        self._advance(1)
        return iter(())

    def _lose_bytes(self, fault: Fault, draw: Draw) -> Iterator[Passage]:
        """From some byte of the packet on, into the next packets if it is many bytes."""
        layout = self._device.layout
        length, first = fault.length or 1, int(draw() * layout.size)
        touched = self._room(-(-(first + length) // layout.size))
        data = b"".join(self._device.packets(self._slot + k, self._number + k, 1) for k in range(touched))
        rest = data[:first] + data[first + length :]
        lost = len(data) - len(rest)
        plain = not lookalikes(layout, rest)
        self._note("lost-bytes", touched, len(rest), count=touched, byte=first, bytes=lost, detectable=plain)
        self._advance(touched)
        return self._hand_over(rest)

    def _flip(self, fault: Fault, draw: Draw) -> Iterator[Passage]:
        layout = self._device.layout
        byte = int(draw() * layout.size) if fault.byte is None else fault.byte
        bit = int(draw() * 8) if fault.bit is None else fault.bit
        data = bytearray(self._device.packets(self._slot, self._number, 1))
        data[byte] ^= 1 << bit
        plain = not lookalikes(layout, bytes(data))
        self._note("flip", 1, layout.size, count=1, byte=byte, bit=bit, detectable=plain)
        self._advance(1)
        return self._hand_over(bytes(data))

    def _insert(self, fault: Fault, draw: Draw) -> Iterator[Passage]:
        """Bytes from nowhere, right before the packet."""
        data = bytes(int(draw() * 256) for _ in range(fault.length or _GARBAGE))
        plain = not lookalikes(self._device.layout, data)
        self._note("garbage", unit=len(data), bytes=len(data), detectable=plain)
        return self._hand_over(data)

    def _stall(self, fault: Fault, _draw: Draw) -> Iterator[Passage]:
        self._held_until_ns = max(self._held_until_ns, self._slot_ns() + int(fault.ms * 1_000_000))
        self._note("stall", ms=float(fault.ms))
        return iter(())

    def _restart(self, fault: Fault, _draw: Draw) -> Iterator[Passage]:
        """The counter begins anew; while the firmware boots there are no packets."""
        period = self._device.layout.period
        before = self._device.counter(self._number - 1)
        plain = -before % period > period // 2
        self._note("restart", counter=before, pause_s=float(fault.pause), detectable=plain)
        self._begin_anew(fault.pause)
        return iter(())

    def _unplug(self, fault: Fault, _draw: Draw) -> Iterator[Passage]:
        """Without power the board begins anew; one with its own (`kept`) talks to nobody meanwhile."""
        ready_ns = max(self._ready_ns(), self._slot_ns())
        away_s = None if fault.back is None else float(fault.back)
        if fault.back is not None and fault.kept:
            packets = self._room(max(round(fault.back * self._rate_hz), 1))
            self._note("unplug", packets, count=packets, back_s=away_s, detectable=True)
            self._advance(packets)
        else:
            self._note("unplug", count=0, back_s=away_s, detectable=True)
            self._begin_anew(fault.back or Fraction(0))
            self._gone = fault.back is None
        yield Unplugged(ready_ns, None if fault.back is None else ready_ns + int(fault.back * _S))

    def _begin_anew(self, pause_s: Fraction) -> None:
        self._number = 0
        self._slot += round(pause_s * self._rate_hz)

    def _advance(self, packets: int) -> None:
        for one in self._device.happenings(self._slot, packets):
            self._ledger.tell(_told(one, self._sequence + one.slot - self._slot))
        self._sequence += packets
        self._slot += packets
        self._number += packets

    @property
    def _counter(self) -> int:
        return self._device.counter(self._number)

    def _note(self, event: str, packets: int = 0, unit: int = 0, **more: Any) -> None:
        record = {"event": event, "sequence": self._sequence, "counter": self._counter, **more}
        self._ledger.note(Piece(self._sequence, record["counter"], packets, unit, record=record))

    def _slot_ns(self) -> int:
        return self._slot * _S * self._rate_hz.denominator // self._rate_hz.numerator

    def _ready_ns(self) -> int:
        """When the last byte of the packet before this slot is through."""
        last_ns = max(self._slot - 1, 0) * _S * self._rate_hz.denominator // self._rate_hz.numerator
        return max(last_ns + self._device.layout.size * self._byte_ns, self._held_until_ns)

    def _hand_over(self, data: bytes) -> Iterator[Sending]:
        """The bytes at their time; with a latency timer, those that came before its tick, then the others."""
        ready_ns, tick_ns = self._ready_ns(), self._tick_ns
        if not tick_ns:
            yield Sending(ready_ns, data)
            return
        ticked_ns = ready_ns // tick_ns * tick_ns
        early = max(len(data) - -(-(ready_ns - ticked_ns) // self._byte_ns), 0)
        if early:
            yield Sending(ticked_ns, data[:early])
        if early < len(data):
            yield Sending(ticked_ns + tick_ns, data[early:])


def _told(one: Happening, sequence: int) -> dict[str, Any]:
    more = {"height": one.height, "button": one.button}
    known = {name: value for name, value in more.items() if value is not None}
    return {"event": one.kind, "sequence": sequence, "count": one.length, **known}


_EFFECTS: Mapping[str, Callable[[Line, Fault, Draw], Iterator[Passage]]] = {
    "unplug": Line._unplug,
    "restart": Line._restart,
    "stall": Line._stall,
    "garbage": Line._insert,
    "lost": Line._lose,
    "lost-bytes": Line._lose_bytes,
    "flip": Line._flip,
}
