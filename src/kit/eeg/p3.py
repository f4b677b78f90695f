"""OpenEEG P3: 2, 5, 8 or 11 bytes a packet, for 0, 2, 4 or 6 channels; bit 7 marks a packet's last byte.

    0ppppppx  0xxxxxxx              p: counter, 0 to 63; x: one auxiliary byte
    0aaaaaaa  0bbbbbbb  eaaa-bbb    two channels: their 7 low bits each, then 3 high bits each; - is zero
    …                               e: 1 in the packet's last byte (with no channels, in its second)

The auxiliary byte belongs to one of eight channels, which the three low bits of the counter choose: 0 spells
the device's name, zero-terminated; 4 is port D, whose low nibble has the buttons.

A run is what lies between two bytes with bit 7 set, the second one included. The size of the packets is
learned from the first runs; then a packet is the end of a run, so what was cut off or put in before it costs
nothing. Pure. Source: the format comments of the ModularEEG firmware, version 0.5.5-p3.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise, repeat

from kit.eeg.records import Layout, Packet, Span, Stretch
from kit.eeg.spans import SpanDecoder

PERIOD = 64
VERSION = 3
SIZES = (2, 5, 8, 11)
_LONGEST = max(SIZES)
# So many runs, in at most so many bytes, tell the size of the packets.
_LEARNING_RUNS = 8
_LEARNING_BYTES = 128
# So many of them have to have that size; of two bytes are a quarter of the runs in any noise.
_ENOUGH = {2: 6, 5: 3, 8: 3, 11: 3}
# So many in a row of another size, their counters in sequence, and the device sends other packets now.
_CHANGED_RUNS = 4

_RUN = re.compile(rb"[\x00-\x7f]*+[\x80-\xff]")
_HALF = bytes(byte >> 1 for byte in range(256))


def _form(size: int) -> bytes:
    """A good packet of this size, as a regular expression."""
    top = b"".join(rb"\x%x0-\x%x7" % (high, high) for high in range(8))
    last_top = b"".join(rb"\x%x0-\x%x7" % (high, high) for high in range(8, 16))
    if size == 2:
        return rb"[\x00-\x7f][\x80-\xff]"
    pairs = (size - 2) // 3
    return rb"[\x00-\x7f]{2}(?:[\x00-\x7f]{2}[%b]){%d}[\x00-\x7f]{2}[%b]" % (top, pairs - 1, last_top)


_GOOD = {size: re.compile(_form(size)) for size in SIZES}
_CHAINS = {size: re.compile(rb"(?:%b)++" % _form(size)) for size in SIZES}


@cache
def layout(channels: int) -> Layout:
    """How packets with 0, 2, 4 or 6 channels lie; ValueError for another number."""
    if channels not in (0, 2, 4, 6):
        raise ValueError(f"P3 has 0, 2, 4 or 6 channels, not {channels}")
    size = 2 + channels // 2 * 3

    def counters(data: bytes) -> bytes:
        return data[::size].translate(_HALF)

    def packets(data: bytes, offset: int) -> list[Packet]:
        return _packets(data, offset, size)

    return Layout("p3", VERSION, size, PERIOD, channels, counters, packets)


def _packets(data: bytes, offset: int, size: int) -> list[Packet]:
    """Column by column, which takes a fifth less time than packet by packet."""
    heads = data[::size]
    counters = heads.translate(_HALF)
    auxiliaries = [(head & 1) << 7 | low & 0x7F for head, low in zip(heads, data[1::size], strict=True)]
    columns: list[list[int]] = []
    for at in range(2, size, 3):
        tops = data[at + 2 :: size]
        columns += (
            [low | (top & 0x70) << 3 for low, top in zip(data[at::size], tops, strict=True)],
            [low | (top & 7) << 7 for low, top in zip(data[at + 1 :: size], tops, strict=True)],
        )
    rows = zip(*columns, strict=True) if columns else repeat((), len(heads))
    offsets = range(offset, offset + len(data), size)
    return [
        Packet(begin, VERSION, counter, row, auxiliary & 15 if counter & 7 == 4 else None, auxiliary)
        for begin, counter, row, auxiliary in zip(offsets, counters, rows, auxiliaries, strict=True)
    ]


def encode(packet: Packet) -> bytes:
    """The packet's bytes; raises ValueError for one that P3 cannot say.

    Buttons are part of the auxiliary byte where the counter says so, and are not sent elsewhere.
    """
    channels, counter, auxiliary = packet.channels, packet.counter, packet.auxiliary
    layout(len(channels))
    if not all(0 <= value < 1024 for value in channels):
        raise ValueError(f"P3 has channels of 0 to 1023, not {channels}")
    if not 0 <= counter < PERIOD or not 0 <= auxiliary < 256:
        raise ValueError(f"P3 cannot say {packet}")
    if packet.buttons is not None and counter & 7 == 4 and packet.buttons != auxiliary & 15:
        raise ValueError(f"buttons are {auxiliary & 15} by the auxiliary byte, and not {packet.buttons}")
    out = bytearray([counter << 1 | auxiliary >> 7, auxiliary & 0x7F])
    for first, second in zip(channels[::2], channels[1::2], strict=True):
        out += bytes([first & 0x7F, second & 0x7F, first >> 7 << 4 | second >> 7])
    out[-1] |= 0x80
    return bytes(out)


class Decoder(SpanDecoder):
    """Bytes in at any chunking, packets and skipped bytes out: every byte is in exactly one of them."""

    def __init__(self, offset: int = 0) -> None:
        super().__init__(offset)
        self._size: int | None = None

    def _scan(self, data: bytes, final: bool) -> list[Span]:
        spans: list[Span] = []
        at = 0
        while at < len(data):
            size, until = self._size, None
            if size is None:
                self._size, until = _learn(data, at, final)
            elif chain := _CHAINS[size].match(data, at):
                spans += self._noise.flush()
                spans.append(Stretch(layout(size // 3 * 2), self._offset + at, chain.group()))
                at = chain.end()
                continue
            else:
                until = self._skip_until(data, at, size, final)
            if until is None:
                break
            spans += self._noise.add(self._offset + at, data[at:until])
            at = until
        self._held = data[at:]
        self._offset += at
        return spans

    def _skip_until(self, data: bytes, at: int, size: int, final: bool) -> int | None:
        """Where what is no packet at `at` ends; `at` if the size has changed, None if more is needed."""
        run = _RUN.match(data, at)
        if not run:
            return _unended_until(data, at, len(data), final)
        end = run.end()
        length = end - at
        if length in SIZES and length != size:
            changed = _in_sequence(data, at, length)
            if changed:
                self._size = length
                return at
            if changed is None and not final:
                return None
        begin = end - size
        return begin if begin > at and _GOOD[size].match(data, begin) else end


def _unended_until(data: bytes, at: int, end: int, final: bool) -> int | None:
    """Where the useless part of a run ends whose last byte is not there yet; None if there is none.

    However the run goes on, it holds at most one packet, and that is its end.
    """
    if final:
        return len(data)
    return end - _LONGEST if end - at > _LONGEST else None


def _learn(data: bytes, at: int, final: bool) -> tuple[int | None, int | None]:
    """The size of the packets, if it can be told, and until where there is none; None if more is needed."""
    runs: list[bytes] = []
    end, window = at, at + _LEARNING_BYTES
    while len(runs) < _LEARNING_RUNS and (run := _RUN.match(data, end, window)):
        runs.append(run.group())
        end = run.end()
    if len(runs) < _LEARNING_RUNS and len(data) < window and not final:
        return None, None
    size = _size_of(runs, final)
    if size is not None:
        return size, at
    if runs:
        return None, at + len(runs[0])
    return None, _unended_until(data, at, min(len(data), window), final)


def _size_of(runs: Sequence[bytes], final: bool) -> int | None:
    """The most frequent size of good runs, if it is frequent enough."""
    good = [run for run in runs if len(run) in SIZES and _GOOD[len(run)].match(run)]
    if not good:
        return None
    size, count = max(Counter(map(len, good)).items(), key=lambda found: (found[1], found[0]))
    if count < (min(_ENOUGH[size], len(runs)) if final else _ENOUGH[size]):
        return None
    return size if size > 2 or _mostly_in_sequence([run[0] >> 1 for run in good if len(run) == 2]) else None


def _mostly_in_sequence(counters: Sequence[int]) -> bool:
    steps = [(after - before) % PERIOD for before, after in pairwise(counters)]
    return 2 * steps.count(1) >= len(steps)


def _in_sequence(data: bytes, at: int, size: int) -> bool | None:
    """Do good packets of this size with rising counters begin at `at`? None: as far as there are bytes."""
    counter = None
    for begin in range(at, at + _CHANGED_RUNS * size, size):
        if begin >= len(data):
            return None
        if counter is not None and data[begin] != (data[begin] & 1 | (counter + 1) % PERIOD << 1):
            return False
        counter = data[begin] >> 1
        if not _GOOD[size].match(data, begin):
            return None if _may_become_good(data[begin : begin + size], size) else False
    return True


def _may_become_good(head: bytes, size: int) -> bool:
    """Is this the begin of a packet that is not complete?"""
    if len(head) >= size or any(byte & 0x80 for byte in head):
        return False
    return not any(byte & 8 for byte in head[4::3])


class Identity:
    """Collects the name that a device spells on auxiliary channel 0, a letter in every eighth packet."""

    LIMIT = 64

    def __init__(self) -> None:
        self.name: str | None = None
        self._letters: bytearray | None = None  # None before the first end of a name
        self._counter: int | None = None

    def add(self, stretch: Stretch) -> None:
        """More packets, in the order in which they came."""
        size = stretch.layout.size
        for at, counter in enumerate(stretch.counters):
            if counter & 7 == 0:
                data = stretch.data[at * size : at * size + 2]
                self._add_letter(counter, (data[0] & 1) << 7 | data[1] & 0x7F)

    def _add_letter(self, counter: int, letter: int) -> None:
        if self._counter is not None and (counter - self._counter) % PERIOD != 8:
            self._letters = None
        self._counter = counter
        if letter == 0:
            if self._letters:
                self.name = self._letters.decode("ascii")
            self._letters = bytearray()
        elif self._letters is not None:
            self._letters.append(letter)
            if not 32 <= letter < 127 or len(self._letters) > self.LIMIT:
                self._letters = None
