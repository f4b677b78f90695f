"""OpenEEG P2: 17 bytes a packet, found in any stream of bytes.

    0, 1    A5 5A
    2       version, 02
    3       packet counter, 0 to 255
    4 … 15  six channels, 16 bits big-endian, 10-bit values: a high byte is 0 to 3
    16      switches: four in the low nibble, the high nibble is not defined

`A5 5A` stands inside a good packet at one place only, the last low byte and a switches byte of 5A. So a good
packet is cut short by another good one only in its last two bytes; of two that overlap there, the first is
the one that lost its end. Pure. Source: the format comments of the ModularEEG firmware.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import repeat
from struct import Struct

from kit.eeg.records import Layout, Packet, Span, Stretch
from kit.eeg.spans import SpanDecoder

SIZE = 17
PERIOD = 256
VERSION = 2

# So few packets are as quickly matched by the expression.
_COLUMNS_PAY = 64

_SYNC = b"\xa5\x5a\x02"
_GOOD = rb"\xa5\x5a\x02." + rb"[\x00-\x03]." * 6 + rb"."
_CHAIN = re.compile(rb"(?:" + _GOOD + rb")++", re.DOTALL)
_ROW = Struct(">3xB6HB")
_WHOLE_ROW = Struct(">3sB6HB")


def _counters(data: bytes) -> bytes:
    return data[3::SIZE]


def _packets(data: bytes, offset: int) -> list[Packet]:
    return [
        Packet(offset + index * SIZE, VERSION, row[0], row[1:7], row[7] & 15, row[7] >> 4)
        for index, row in enumerate(_ROW.iter_unpack(data))
    ]


def columns(data: bytes) -> tuple[tuple[Sequence[int], ...], Sequence[int]]:
    """Of packets one right behind the other: the counts of each channel, and the four buttons' bits."""
    _, *channels, switches = zip(*_ROW.iter_unpack(data), strict=True)
    return tuple(channels), [byte & 15 for byte in switches]


def encode_columns(
    counters: Iterable[int], channels: Iterable[Iterable[int]], switches: Iterable[int]
) -> bytes:
    """The other way: packets one right behind the other. What the columns hold is not looked at."""
    return b"".join(map(_WHOLE_ROW.pack, repeat(_SYNC), counters, *channels, switches))


LAYOUT = Layout("p2", VERSION, SIZE, PERIOD, 6, _counters, _packets)


def encode(packet: Packet) -> bytes:
    """The packet's 17 bytes; raises ValueError for one that P2 cannot say."""
    if len(packet.channels) != 6 or not all(0 <= value < 1024 for value in packet.channels):
        raise ValueError(f"P2 has six channels of 0 to 1023, not {packet.channels}")
    buttons = 15 if packet.buttons is None else packet.buttons
    if not 0 <= packet.counter < PERIOD or not 0 <= buttons < 16 or not 0 <= packet.auxiliary < 16:
        raise ValueError(f"P2 cannot say {packet}")
    body = b"".join(value.to_bytes(2, "big") for value in packet.channels)
    return _SYNC + bytes([packet.counter]) + body + bytes([packet.auxiliary << 4 | buttons])


class Decoder(SpanDecoder):
    """Bytes in at any chunking, packets and skipped bytes out: every byte is in exactly one of them."""

    def _scan(self, data: bytes, final: bool) -> list[Span]:
        spans: list[Span] = []
        at = look = 0
        while chain := _next_chain(data, look):
            begin, end = chain
            good, after = _good_until(data, end, final)
            if good > begin:
                spans += self._noise.last(self._offset + at, data[at:begin])
                spans.append(Stretch(LAYOUT, self._offset + begin, data[begin:good]))
            else:
                spans += self._noise.add(self._offset + at, data[at:begin])
            at = good
            if after is None:
                break
            look = after
        else:
            end = len(data) if final else _may_begin(data, at)
            spans += self._noise.add(self._offset + at, data[at:end])
            at = end
        self._held = data[at:]
        self._offset += at
        return spans


def _next_chain(data: bytes, at: int) -> tuple[int, int] | None:
    """Begin and end of the first packets, one right behind the other, that begin at `at` or later."""
    if at == 0 and (end := _clean_until(data)):
        return 0, end
    while (begin := data.find(_SYNC, at)) >= 0:
        if chain := _CHAIN.match(data, begin):
            return chain.span()
        at = begin + 1
    return None


def _clean_until(data: bytes) -> int:
    """The end of the packets if all of the data is packets, 0 otherwise.

    Looked at by columns, which takes an eighth of the time of the expression.
    """
    count = len(data) // SIZE
    end = count * SIZE
    if count < _COLUMNS_PAY or any(data[k:end:SIZE] != _SYNC[k : k + 1] * count for k in range(3)):
        return 0
    highs = b"".join([data[k:end:SIZE] for k in range(4, 16, 2)])
    return 0 if highs.translate(None, b"\0\1\2\3") else end


def _good_until(data: bytes, end: int, final: bool) -> tuple[int, int | None]:
    """Of packets that end at `end`, where the good ones end, and from where on to look for more.

    That is None if the last packet's end may be another one's begin, which only what follows can tell.
    """
    if data[end - 1] == 0xA5:
        overlap = end - 1
    elif data[end - 1] == 0x5A and data[end - 2] == 0xA5:
        overlap = end - 2
    else:
        return end, end
    if _CHAIN.match(data, overlap):
        return end - SIZE, overlap
    if not final and _may_become_good(data, overlap):
        return end - SIZE, None
    return end, end


def _may_begin(data: bytes, at: int) -> int:
    """Where the begin of an incomplete packet may be, from `at` on; the end if nowhere."""
    place = max(at, len(data) - SIZE + 1)
    while (place := data.find(_SYNC[:1], place)) >= 0:
        if _may_become_good(data, place):
            return place
        place += 1
    return len(data)


def _may_become_good(data: bytes, at: int) -> bool:
    """Is what is there from `at` on the begin of a packet that is not complete?"""
    head = data[at : at + SIZE]
    return len(head) < SIZE and _SYNC.startswith(head[:3]) and all(high <= 3 for high in head[4:16:2])
