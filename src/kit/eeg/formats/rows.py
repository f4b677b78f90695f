"""Rows back to what a capture takes: packets encoded as the device would have sent them, in stretches.

Everything behind a reader then has one path, whatever the packets were kept in. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit.eeg import p2, p3
from kit.eeg.formats.interface import Reading
from kit.eeg.records import Gone, Layout, Packet, Skipped, Stretch, Times

# A row's time on the wall clock, the monotonic and the sampled one, each in microseconds.
Moment = tuple[int | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A packet as a line tells it, with what it leaves out as None."""

    version: int
    counter: int
    channels: Sequence[int]
    buttons: int | None = None
    auxiliary: int | None = None

    def encode(self) -> tuple[Layout, bytes]:
        """The packet's bytes; ValueError, saying what is wrong, for one that cannot be."""
        layout = _layout(self.version, len(self.channels))
        self._check("counter", self.counter, layout.period)
        for number, value in enumerate(self.channels, 1):
            self._check(f"ch{number}", value, 1024)
        if self.buttons is not None:
            self._check("buttons", self.buttons, 16)
        auxiliary = self._auxiliary(layout)
        self._check("auxiliary", auxiliary, 16 if layout.protocol == "p2" else 256)
        packet = Packet(0, self.version, self.counter, tuple(self.channels), self.buttons, auxiliary)
        return layout, (p2 if layout is p2.LAYOUT else p3).encode(packet)

    def _auxiliary(self, layout: Layout) -> int:
        if self.auxiliary is not None:
            return self.auxiliary
        told = layout.protocol == "p3" and self.counter & 7 == 4
        return self.buttons or 0 if told else 0

    @staticmethod
    def _check(name: str, value: int, limit: int) -> None:
        if not 0 <= value < limit:
            raise ValueError(f"{name}: {value} is not 0 to {limit - 1}")


def _layout(version: int, channels: int) -> Layout:
    if version == p2.VERSION and channels == 6:
        return p2.LAYOUT
    if version == p3.VERSION and channels in (0, 2, 4, 6):
        return p3.layout(channels)
    raise ValueError(f"no protocol has version {version} and {channels} channels")


class Rows:
    """Collects rows, and puts those of one layout that follow each other into one stretch."""

    def __init__(self) -> None:
        self._offset = 0  # in the stream of bytes that the rows stand for
        self._done: list[Reading] = []
        self._layout: Layout | None = None
        self._known: tuple[bool, ...] = ()
        self._begin = 0
        self._data: list[bytes] = []
        self._moments: list[Moment] = []

    def add(self, layout: Layout, data: bytes, moment: Moment, offset: int | None = None) -> None:
        """A packet."""
        moment = _as_known(moment)
        known = tuple(each is not None for each in moment)
        self._go_to(offset)
        if layout is not self._layout or known != self._known:
            self._close()
            self._layout, self._known, self._begin = layout, known, self._offset
        self._data.append(data)
        self._moments.append(moment)
        self._offset += len(data)

    def add_many(self, layout: Layout, data: bytes, times: Times | None, offset: int | None = None) -> None:
        """Packets that follow each other, with their times by columns."""
        self._close()
        self._go_to(offset)
        self._done.append((Stretch(layout, self._offset, data), times))
        self._offset += len(data)

    def add_skipped(self, count: int, data: bytes = b"", offset: int | None = None) -> None:
        """Bytes of no packet: so many, of which `data` is what is known of them."""
        self._close()
        self._go_to(offset)
        self._done.append((Skipped(self._offset, data, count - len(data)), None))
        self._offset += count

    def add_gone(self, reason: str, wall_us: int | None) -> None:
        """The device went away here."""
        self._close()
        self._done.append((Gone(reason, 0, (wall_us or 0) * 1000), None))

    def take(self) -> list[Reading]:
        """What was added since the last time."""
        self._close()
        done, self._done = self._done, []
        return done

    def _go_to(self, offset: int | None) -> None:
        if offset is not None and offset != self._offset:
            self._close()
            self._offset = offset

    def _close(self) -> None:
        if self._layout is None:
            return
        stretch = Stretch(self._layout, self._begin, b"".join(self._data))
        wall_us, monotonic_us, sampled_us = (
            [time for time in column if time is not None] for column in zip(*self._moments, strict=True)
        )
        self._done.append((stretch, known_times(wall_us, monotonic_us, sampled_us)))
        self._layout, self._data, self._moments = None, [], []


def known_times(
    wall_us: Sequence[int], monotonic_us: Sequence[int], sampled_us: Sequence[int]
) -> Times | None:
    """The columns, an empty one for what is not known; None if nothing on the wall clock's scale is."""
    if not wall_us and not sampled_us:
        return None
    return Times(wall_us or (), monotonic_us or (), sampled_us or ())


def _as_known(moment: Moment) -> Moment:
    """Without a time that is only the counter's (`columns.times_of` writes it in both places)."""
    wall_us, monotonic_us, sampled_us = moment
    if monotonic_us is None and sampled_us is not None and wall_us == sampled_us:
        return (None, None, sampled_us)
    return moment
