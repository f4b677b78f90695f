"""What a receiver can see of it all: gaps by the counter alone, and damage that looks like a packet. Pure.

A flipped bit in a sample leaves a good packet behind, and lost bytes can join two packets to one. Such
lookalikes are looked for by trying every place: plain, and not the way in which the decoders find packets.
"""

from __future__ import annotations

from kit.eeg.records import Layout

_RUBBLE_LIMIT = 65536
_SYNC = b"\xa5\x5a\x02"
_DOUBTFUL = -1


class Seen:
    """Counts on the receiver's side; `exact` as long as counters leave no doubt about what was lost."""

    def __init__(self, layout: Layout) -> None:
        self.packets = self.lost = self.skipped = self.disguised = 0
        self.exact = True
        self._layout = layout
        self._begun = False
        self._gone = 0  # packets since the last one that came whole
        self._rubble = bytearray()  # bytes since then
        self._touched: list[int] = []  # counters of the packets that they are left of

    def whole(self, counter: int, packets: int) -> None:
        """So many good packets came, the first numbered so since the device's start."""
        if self._gone or self._rubble:
            self._close_gap(counter % self._layout.period)
        self._begun = True
        self.packets += packets

    def damaged(self, counter: int, packets: int, data: bytes) -> None:
        """Packets of which only `data` came; no packets: bytes from nowhere."""
        self._gone += packets
        self._rubble += data
        self._touched += [(counter + k) % self._layout.period for k in range(packets)]
        if len(self._rubble) > _RUBBLE_LIMIT:
            self._sift(len(self._rubble) - self._layout.size)

    def missing(self, packets: int) -> None:
        """Packets of which nothing came."""
        self._gone += packets

    def restarted(self, counter: int) -> None:
        """The device's next packet has counter 0, the last one had `counter`.

        Without times, a step by more than half the period is what betrays a restart.
        """
        if self._begun and (self._gone or -counter % self._layout.period <= self._layout.period // 2):
            self.exact = False
        self._sift(len(self._rubble))
        self._gone = 0

    def interrupted(self) -> None:
        """The device goes away: how long, the counter cannot tell."""
        self.exact = False

    def end(self) -> None:
        """No packet follows: what is missing since the last one nobody can see."""
        self._sift(len(self._rubble))

    def _close_gap(self, counter: int) -> None:
        self._sift(len(self._rubble))
        gone, self._gone = self._gone, 0
        if not self._begun:
            return
        self.lost += gone
        period = self._layout.period
        if gone >= period or (counter == 0 and gone >= period // 2):
            self.exact = False

    def _sift(self, length: int) -> None:
        """Look through the first bytes of the rubble."""
        found = lookalikes(self._layout, bytes(self._rubble[:length]))
        self.skipped += length - len(found) * self._layout.size
        del self._rubble[:length]
        touched, self._touched = iter(self._touched), []
        if found:
            self.disguised += len(found)
            self.packets += len(found)
            self._gone -= len(found)
            # In their order, and each with the counter of a packet that was damaged: none is lost then.
            self.exact &= self._begun and all(counter in touched for counter in found)


def lookalikes(layout: Layout, data: bytes) -> list[int]:
    """The counters of what looks like good packets in `data`; -1 for what may be one or not."""
    return _like_p2(data) if layout.protocol == "p2" else _like_p3(data, layout.size)


def _like_p2(data: bytes) -> list[int]:
    found, at = [], data.find(_SYNC)
    while 0 <= at <= len(data) - 17:
        good = all(high <= 3 for high in data[at + 4 : at + 16 : 2])
        if good:
            # Its end may be another one's begin: then it is anybody's guess which of them is the packet.
            doubtful = data[at + 16] == 0xA5 or data[at + 15 : at + 17] == _SYNC[:2]
            found.append(_DOUBTFUL if doubtful else data[at + 3])
        at = data.find(_SYNC, at + (17 if good else 1))
    return found


def _like_p3(data: bytes, size: int) -> list[int]:
    """Runs that end with the one byte above 127; the unused bit 3 of each pair's third byte is clear."""
    found, first = [], 0
    for end, byte in enumerate(data, 1):
        if byte < 128:
            continue
        packet = data[end - size : end] if end - first >= size else b""
        if packet and not any(third & 8 for third in packet[4::3]):
            found.append(packet[0] >> 1)
        first = end
    return found
