"""OpenEEG P3: 2, 5, 8 or 11 bytes a packet, for none, two, four or six channels.

    0ppppppx 0xxxxxxx            p: counter, 0 to 63   x: auxiliary byte
    0aaaaaaa 0bbbbbbb 0aaa-bbb   channels 1 and 2: seven low bits each, then three high bits each
    …        …        1eee-fff   bit 7 is set in a packet's last byte only; the bits `-` are zero

So the bytes up to one with bit 7 are a run, and a good packet is the end of a run: what stands before it lost
its own end. How long a device's packets are is learned from its first runs. The counter's three low bits
choose one of eight auxiliary channels: 0 spells the firmware's name, 4 has the buttons. Pure.
Source: the format comments of the ModularEEG firmware (0.5.5-p3).
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from kit.eeg.p2 import Noise, events
from kit.eeg.records import Layout, Packet, Skipped, Span, Stretch

PERIOD = 64
VERSION = 3
SIZES = (2, 5, 8, 11)
BUTTONS_CHANNEL = 4
IDENTITY_CHANNEL = 0

_LEARN_RUNS = 4
_LEARN_BYTES = 256
_IDENTITY_LIMIT = 64
_COUNTER_OF = bytes(byte >> 1 for byte in range(256))
_RUN = re.compile(rb"[\x00-\x7f]*[\x80-\xff]")


def _class(values: list[int]) -> bytes:
    return b"[" + b"".join(b"\\x%02x" % value for value in values) + b"]"


_HIGH = _class([byte for byte in range(0x80) if not byte & 8])
_LAST_HIGH = _class([byte for byte in range(0x80, 0x100) if not byte & 8])


@cache
def _chain(size: int) -> re.Pattern[bytes]:
    if size == 2:
        return re.compile(rb"(?:[\x00-\x7f][\x80-\xff])++")
    low = rb"[\x00-\x7f][\x00-\x7f]"
    pairs = (low + _HIGH) * (size // 3 - 1)
    return re.compile(rb"(?:" + low + pairs + low + _LAST_HIGH + rb")++")


@cache
def layout(channels: int) -> Layout:
    """The layout of packets with 0, 2, 4 or 6 channels; raises ValueError for another number."""
    size = 2 + channels // 2 * 3
    if channels % 2 or size not in SIZES:
        raise ValueError(f"P3 has 0, 2, 4 or 6 channels, not {channels}")

    def counters(data: bytes) -> bytes:
        return data[::size].translate(_COUNTER_OF)

    def packets(data: bytes, offset: int) -> list[Packet]:
        return [_packet(data[at : at + size], offset + at) for at in range(0, len(data), size)]

    return Layout("p3", VERSION, size, PERIOD, channels, counters, packets)


def _packet(data: bytes, offset: int) -> Packet:
    counter, auxiliary = data[0] >> 1, (data[0] & 1) << 7 | data[1] & 0x7F
    channels: list[int] = []
    for at in range(2, len(data), 3):
        low_a, low_b, high = data[at : at + 3]
        channels += (low_a | (high >> 4 & 7) << 7, low_b | (high & 7) << 7)
    buttons = auxiliary & 15 if counter & 7 == BUTTONS_CHANNEL else None
    return Packet(offset, VERSION, counter, tuple(channels), buttons, auxiliary)


def encode(packet: Packet) -> bytes:
    """The packet's bytes; raises ValueError for one that P3 cannot say.

    The buttons of a packet that carries them are the low nibble of its auxiliary byte.
    """
    count, auxiliary = len(packet.channels), packet.auxiliary
    carries = packet.counter & 7 == BUTTONS_CHANNEL
    if carries and packet.buttons is not None:
        auxiliary = auxiliary & 0xF0 | packet.buttons
    if count not in (0, 2, 4, 6) or not all(0 <= value < 1024 for value in packet.channels):
        raise ValueError(f"P3 has 0, 2, 4 or 6 channels of 0 to 1023, not {packet.channels}")
    if not 0 <= packet.counter < PERIOD or not 0 <= auxiliary < 256 or not 0 <= (packet.buttons or 0) < 16:
        raise ValueError(f"P3 cannot say {packet}")
    out = bytearray((packet.counter << 1 | auxiliary >> 7, auxiliary & 0x7F))
    for a, b in zip(packet.channels[::2], packet.channels[1::2], strict=True):
        out += bytes((a & 0x7F, b & 0x7F, a >> 7 << 4 | b >> 7))
    out[-1] |= 0x80
    return bytes(out)


class Decoder:
    """Bytes in at any chunking, packets and skipped bytes out: every byte is in exactly one of them."""

    def __init__(self, offset: int = 0) -> None:
        self._held = b""
        self._offset = offset  # of the first held byte
        self._noise = Noise()
        self._size = 0  # of this device's packets; 0 until it is learned
        self._other = (0, 0)  # a valid length that is not ours, and how many runs in a row had it

    def feed(self, data: bytes) -> list[Packet | Skipped]:
        """The events that `data` completes."""
        return events(self.scan(data))

    def finish(self) -> list[Packet | Skipped]:
        """The stream ended: the events of the bytes that are still held."""
        return events(self.scan_rest())

    def scan(self, data: bytes) -> list[Span]:
        """As `feed`, with packets that follow each other in one stretch."""
        self._held += data
        return self._scan(final=False)

    def scan_rest(self) -> list[Span]:
        """As `finish`, in stretches."""
        spans = self._scan(final=True)
        spans += self._skip(len(self._held))
        return spans + self._noise.flush()

    def _scan(self, final: bool) -> list[Span]:
        if not self._size:
            self._size = _learned(self._held, final)
        if not self._size:
            return []
        spans: list[Span] = []
        data, start, at = self._held, self._offset, 0
        while True:
            chain = _chain(self._size).match(data, at)
            if chain:
                spans += self._noise.flush()
                spans.append(Stretch(self._layout, start + at, data[at : chain.end()]))
                self._other = (0, 0)
                at = chain.end()
            run = _RUN.match(data, at)
            if not run:
                break
            spans += self._odd_run(start + at, run[0])
            at = run.end()
        self._held, self._offset = data[at:], start + at
        # Only the end of a run can be a packet, however long the run becomes; and by what is kept, a run that
        # is longer than any packet is known as such.
        return spans + self._skip(len(self._held) - max(SIZES))

    @property
    def _layout(self) -> Layout:
        return layout(self._size // 3 * 2)

    def _odd_run(self, offset: int, run: bytes) -> list[Span]:
        """A run of another length than the packets', or with a bit set that is none."""
        self._count_other(len(run), run)
        cut = len(run) - self._size
        if cut < 0 or not _chain(self._size).fullmatch(run, cut):
            spans = self._noise.add(offset, run)
        else:
            spans = self._noise.add(offset, run[:cut]) + self._noise.flush()
            spans.append(Stretch(self._layout, offset + cut, run[cut:]))
        length, count = self._other
        if count >= _LEARN_RUNS:
            self._size, self._other = length, (0, 0)
        return spans

    def _count_other(self, length: int, run: bytes) -> None:
        if length == self._size or length not in SIZES or not _chain(length).fullmatch(run):
            self._other = (0, 0)
        elif self._other[0] == length:
            self._other = (length, self._other[1] + 1)
        else:
            self._other = (length, 1)

    def _skip(self, count: int) -> list[Span]:
        if count <= 0:
            return []
        spans = self._noise.add(self._offset, self._held[:count])
        self._held, self._offset = self._held[count:], self._offset + count
        return spans


def _learned(data: bytes, final: bool) -> int:
    """The size of the packets in this beginning of a stream; 0 while that is open."""
    valid: Counter[int] = Counter()
    for run in _RUN.finditer(data, 0, _LEARN_BYTES):
        size = len(run[0])
        if size in SIZES and _chain(size).fullmatch(run[0]):
            valid[size] += 1
            if valid.total() == _LEARN_RUNS:
                break
    if valid.total() < _LEARN_RUNS and len(data) < _LEARN_BYTES and not final:
        return 0
    # Noise only: most boards have six channels, and other runs would be learned anew.
    return valid.most_common(1)[0][0] if valid else max(SIZES)


class Identity:
    """The firmware's name, which the packets spell character by character."""

    def __init__(self) -> None:
        self.text: str | None = None
        self._letters: list[str] | None = None  # None until a terminating zero was seen

    def add(self, packet: Packet) -> None:
        """Take the character that a packet carries, if it does."""
        if packet.counter & 7 != IDENTITY_CHANNEL:
            return
        if packet.auxiliary == 0:
            if self._letters:
                self.text = "".join(self._letters)
            self._letters = []
        elif self._letters is not None and len(self._letters) < _IDENTITY_LIMIT:
            self._letters.append(chr(packet.auxiliary))
