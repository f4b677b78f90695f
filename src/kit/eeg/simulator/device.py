"""The board's firmware: samples, counter and switches as packets of P2 or P3. Pure.

A packet is made twice: the samples of a block are encoded once and kept, and the counter (in P3 the auxiliary
byte, too) is written over a copy, as after a restart the same sample goes out under another number.
"""

from __future__ import annotations

from typing import Literal

from kit.eeg import p2, p3
from kit.eeg.records import Packet
from kit.eeg.simulator.signal import BLOCK, BLOCKS, Happening, Signal

Protocol = Literal["p2", "p3"]
# What the firmware of P3 calls itself on its auxiliary channel 0.
IDENTITY = b"mEEGv1.0\0"
_COUNTERS = {"p2": bytes(range(256)) * 2, "p3": bytes(counter << 1 for counter in range(64)) * 8}
_LAST = bytes(value | 0x80 for value in range(256))


class Device:
    """Packets of one protocol and size, for any samples under any number since the device's start."""

    def __init__(self, protocol: Protocol, channels: int, signal: Signal) -> None:
        self.protocol: Protocol = protocol
        self.layout, self._encode_packet = p2.LAYOUT, p2.encode
        if protocol == "p3":
            self.layout, self._encode_packet = p3.layout(channels), p3.encode
        self._signal = signal
        self._encoded: dict[int, bytes] = {}

    def packets(self, slot: int, number: int, count: int) -> bytes:
        """`count` packets (at most `BLOCK`) of the samples from `slot` on, the first numbered `number`."""
        data = bytearray(self._samples(slot, count))
        size = self.layout.size
        counters = _COUNTERS[self.protocol][number % 256 : number % 256 + count]
        if self.protocol == "p2":
            data[3::size] = counters
        else:
            data[0::size] = counters
            data[1::size] = self._auxiliary(number, data[1::size])
        return bytes(data)

    def happenings(self, slot: int, count: int) -> list[Happening]:
        """What begins in the samples from `slot` on."""
        return self._signal.happenings(slot, count)

    def counter(self, number: int) -> int:
        """What the packet numbered `number` carries as its counter."""
        return number % self.layout.period

    def _samples(self, slot: int, count: int) -> bytes:
        first, size = slot % BLOCK, self.layout.size
        data = self._block(slot // BLOCK)[first * size : (first + count) * size]
        if first + count > BLOCK:
            data += self._block(slot // BLOCK + 1)[: (first + count - BLOCK) * size]
        return data

    def _block(self, number: int) -> bytes:
        number %= BLOCKS
        if number not in self._encoded:
            self._encoded[number] = self._encode(number)
        return self._encoded[number]

    def _encode(self, number: int) -> bytes:
        """The block with counter 0; in P3 each auxiliary byte is port D's status."""
        block, layout = self._signal.block(number), self.layout
        auxiliary = [0] * BLOCK if self.protocol == "p2" else block.buttons
        return b"".join(
            self._encode_packet(Packet(0, layout.version, 0, row[: layout.channels], buttons, byte))
            for row, buttons, byte in zip(block.rows, block.buttons, auxiliary, strict=True)
        )

    def _auxiliary(self, number: int, status: bytearray) -> bytes:
        """Of eight channels in turn 0 spells the identity, 4 is port D's status, the others are empty."""
        out = bytearray(len(status))
        spelling, switches = -number % 8, (4 - number) % 8
        letter = (number + spelling) // 8 % len(IDENTITY)
        turns = len(range(spelling, len(status), 8))
        out[spelling::8] = (IDENTITY * (turns // len(IDENTITY) + 2))[letter : letter + turns]
        out[switches::8] = status[switches::8]
        return bytes(out if self.layout.channels else out.translate(_LAST))
