"""Batches for the view, cut as one likes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kit.eeg import open as open_stream
from kit.eeg import p2
from kit.eeg.batch import Batch, Mark
from kit.eeg.records import Item, Lost, Packet, Run, Stretch
from kit.eeg.signals import Signals

IDLE = 15


def run(sequence: int, rows: Sequence[Sequence[int]], buttons: int = IDLE) -> Run:
    """Packets with these channels; those that are not named are at rest."""
    data = b"".join(
        p2.encode(Packet(0, 2, (sequence + at) % 256, (*row, *[512] * (6 - len(row))), buttons, 0))
        for at, row in enumerate(rows)
    )
    return Run(sequence, Stretch(p2.LAYOUT, 0, data))


def batches(items: Iterable[Item], marks: Iterable[Mark] = ()) -> Iterator[Batch]:
    """One item each, the marks with the last."""
    signals, found = Signals(), list(items)
    for item in found:
        last = item is found[-1]
        yield Batch([item], signals.take([item]), list(marks) if last else [], 0)


def split(items: Iterable[Item], sizes: Sequence[int]) -> Iterator[Item]:
    """Each run in pieces, whose sizes come around."""
    number = 0
    for item in items:
        if not isinstance(item, Run):
            yield item
            continue
        at, stretch = 0, item.stretch
        while at < len(stretch):
            end = min(len(stretch), at + sizes[number % len(sizes)])
            number += 1
            yield Run(item.sequence + at, stretch.part(at, end))
            at = end


def simulated(source: str) -> list[Batch]:
    """What a simulated device sends."""
    signals = Signals()
    with open_stream(source) as stream:
        return [Batch(items, signals.take(items), [], 0) for items in stream.batches()]


def ramp(count: int, sequence: int = 0) -> list[tuple[int, int]]:
    """Two channels, whose samples can be told by their place."""
    return [(at % 1000, 1000 - at % 1000) for at in range(sequence, sequence + count)]


def lost(sequence: int, count: int) -> Lost:
    return Lost(sequence, count, 0)
