"""Runs of packets with the channels that a test wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kit.eeg import p2
from kit.eeg.records import Item, Layout, Lost, Packet, Run, Stretch, Times


def p2_stretch(rows: Sequence[Sequence[int]], counter: int = 0, offset: int = 0) -> Stretch:
    """A packet a row, counters in order."""
    packets = (p2.encode(Packet(0, 2, (counter + k) % 256, tuple(row), 15, 0)) for k, row in enumerate(rows))
    return Stretch(p2.LAYOUT, offset, b"".join(packets))


def one_channel(series: Sequence[int]) -> Stretch:
    """The series on the first channel, the other five at rest."""
    return p2_stretch([(value, 512, 512, 512, 512, 512) for value in series])


def p3_stretch(rows: Sequence[Sequence[int]]) -> Stretch:
    """A packet a row, bits laid by hand as the format says."""
    channels = len(rows[0])
    out = bytearray()
    for k, row in enumerate(rows):
        body = bytearray([(k & 63) << 1, 0])
        for even, odd in zip(row[::2], row[1::2], strict=True):
            body += bytes([even & 127, odd & 127, even >> 7 << 4 | odd >> 7])
        body[-1] |= 128
        out += body
    layout = Layout("p3", 3, 2 + channels * 3 // 2, 64, channels, lambda _: b"", lambda _data, _offset: [])
    return Stretch(layout, 0, bytes(out))


def run_of(count: int, sequence: int = 0, times: Times | None = None, value: int = 512) -> Run:
    """So many packets with the counters of their sequence numbers."""
    rows = [(value,) * 6] * count
    return Run(sequence, p2_stretch(rows, sequence % 256, sequence * p2.SIZE), times)


def with_gaps(gaps: Sequence[tuple[int, int]], end: int) -> list[Item]:
    """Packets 0 to before `end` without those of the gaps (begin and length), as an accountant tells it."""
    items: list[Item] = []
    at = 0
    for begin, length in [*gaps, (end, 0)]:
        if begin > at:
            items.append(run_of(begin - at, at))
        if length:
            items.append(Lost(begin, length, begin * p2.SIZE, low=length, high=length))
        at = begin + length
    return items


def timed(items: Sequence[Item], late_us: Callable[[int], int]) -> list[Item]:
    """The runs with the times at which their packets came: by their numbers, and `late_us(number)` later."""
    out: list[Item] = []
    for item in items:
        if isinstance(item, Run):
            numbers = range(item.sequence, item.sequence + len(item.stretch))
            arrivals = [number * 1_000_000 // 256 + late_us(number) for number in numbers]
            out.append(replace(item, times=Times(arrivals, arrivals)))
        else:
            out.append(item)
    return out
