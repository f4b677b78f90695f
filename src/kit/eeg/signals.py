"""The signal of a capture, to draw, filter, record and send on: blocks of packets by columns, and gaps. Pure.

Blocks and gaps come in the order of the sequence numbers, so that whoever takes them can count on it; a
packet that came late is marked, and one that came twice is left out. A gap is never to be drawn over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from kit.core.frozen import record
from kit.eeg import p2
from kit.eeg.dating import Dating
from kit.eeg.records import Interrupted, Item, Lost, Restarted, Run, Stretch

BUTTONS = 4


@record
class Block:
    """Packets whose sequence numbers rise by one from `sequence`.

    `times_us` says when each was sampled, in microseconds since 1970, as well as is known; `channels` has a
    column of counts (0 to 1023) for each channel, `buttons` four bits (1 is not pressed) or None where a
    packet does not carry them. `late`: they had been counted as lost, in a gap that came before.
    """

    sequence: int
    times_us: Sequence[int]
    channels: tuple[Sequence[int], ...]
    buttons: Sequence[int | None]
    late: bool = False

    def __len__(self) -> int:
        return len(self.times_us)

    def part(self, first: int, last: int) -> Block:
        """Its packets `first` to before `last`."""
        if first == 0 and last == len(self):
            return self
        columns = tuple(column[first:last] for column in self.channels)
        times_us, buttons = self.times_us[first:last], self.buttons[first:last]
        return Block(self.sequence + first, times_us, columns, buttons, self.late)


@record
class Gap:
    """What is missing in front of `sequence` + `count`: so many packets, 0 where nobody knows or none is.

    `why`: they were lost, the device began anew, or it was away. `time_us` is when the first would have been.
    """

    sequence: int
    count: int
    why: Literal["lost", "restarted", "away"]
    time_us: int


@record
class ButtonChange:
    """Button 1 to 4 was pressed or let go at the packet `sequence`."""

    sequence: int
    time_us: int
    button: int
    pressed: bool

    @property
    def text(self) -> str:
        """As recordings, streams and people are told."""
        return f"button {self.button} {'pressed' if self.pressed else 'released'}"


Signal = Block | Gap
Columns = tuple[tuple[Sequence[int], ...], Sequence[int | None]]
Decode = Callable[[Stretch], Columns]


class Signals:
    """Items in, blocks and gaps out; `decode` is what makes the columns of a stretch."""

    def __init__(self, dating: Dating | None = None, decode: Decode | None = None) -> None:
        self._dating = dating or Dating()
        self._decode = decode or columns
        self._period_us = 1_000_000 / self._dating.rate_hz
        self._next = 0  # the sequence number behind the newest packet, and when that would be sampled
        self._next_us: int | None = None

    def take(self, items: Sequence[Item]) -> list[Signal]:
        """What these items bring."""
        signals: list[Signal] = []
        for item in items:
            if isinstance(item, Run):
                if not item.repeated:
                    signals.append(self._block(item))
            elif isinstance(item, Lost):
                signals.append(Gap(item.sequence, item.count, "lost", self._time_us(item.sequence)))
            elif isinstance(item, Restarted):
                signals.append(Gap(item.sequence, 0, "restarted", self._time_us(item.sequence)))
            elif isinstance(item, Interrupted):
                signals.append(Gap(self._next, 0, "away", item.wall_us or self._time_us(self._next)))
        return signals

    def _block(self, run: Run) -> Block:
        times_us = self._times_us(run)
        channels, buttons = self._decode(run.stretch)
        late = run.sequence < self._next
        if not late:
            self._next = run.sequence + len(times_us)
            self._next_us = int(times_us[-1] + self._period_us)
        return Block(run.sequence, times_us, channels, buttons, late)

    def _times_us(self, run: Run) -> Sequence[int]:
        if run.times is not None:
            return run.times.sampled_us or run.times.wall_us
        return self._dating.walls_us(run.sequence, len(run.stretch))

    def _time_us(self, sequence: int) -> int:
        if self._next_us is None:
            return self._dating.wall_us(sequence)
        return int(self._next_us + (sequence - self._next) * self._period_us)


class Buttons:
    """Blocks in, changes out. The first state is no change."""

    def __init__(self) -> None:
        self._state: int | None = None

    def take(self, block: Block) -> list[ButtonChange]:
        """The changes in a block; a late one tells nothing new."""
        if block.late or (self._state is not None and set(block.buttons) == {self._state}):
            return []
        changes: list[ButtonChange] = []
        for at, state in enumerate(block.buttons):
            if state is None or state == self._state:
                continue
            if self._state is not None:
                changes += _changes(self._state, state, block.sequence + at, block.times_us[at])
            self._state = state
        return changes


def _changes(before: int, after: int, sequence: int, time_us: int) -> list[ButtonChange]:
    return [
        ButtonChange(sequence, time_us, number + 1, not after >> number & 1)
        for number in range(BUTTONS)
        if (before ^ after) >> number & 1
    ]


def columns(stretch: Stretch) -> Columns:
    """A column of counts for each channel, and the buttons of each packet."""
    if stretch.layout.protocol == "p2":
        return p2.columns(stretch.data)
    packets = stretch.packets()
    channels = tuple(zip(*(packet.channels for packet in packets), strict=True))
    return channels, [packet.buttons for packet in packets]
