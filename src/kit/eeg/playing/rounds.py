"""The items of a recording as passages, round after round. Pure.

The bytes are those of the recording, damaged ones too. From the second round on the counters are moved, so
that the first packet follows the last one of the round before: a reader sees no seam. Therefore what stands
before the first and behind the last packet is left out at the seam, where it could look like a packet. And of
P3, whose counter says in its three low bits what the auxiliary byte is, a round that is not the last ends
with the packet before one whose three bits are those of the first, up to seven packets early.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from kit.eeg.playing.timeline import Timeline
from kit.eeg.records import Item, Layout, Restarted, Run, Skipped
from kit.eeg.sending.passages import Sending

# A whole turn of the auxiliary channels.
_TURN = {"p2": 1, "p3": 8}


class Rounds:
    """Takes the items of a round, is told of its end, and begins the next one if it is `looping`.

    `packets` counts those that were handed out, `left_out` skipped bytes that the recording only counts.
    """

    def __init__(self, rate_hz: Fraction, block: int, looping: bool) -> None:
        self.packets = self.left_out = 0
        self._block = block
        self._looping = looping
        self._timeline = Timeline(rate_hz)
        self._held: list[Run | Skipped | Restarted] = []
        self._first: int | None = None  # the counter that the round began with
        self._last: int | None = None  # the counter that went out last, and its packet's place in the round
        self._place = -1
        self._shift = 0

    def take(self, items: Sequence[Item]) -> Iterator[Sending]:
        """What these items let go out."""
        for item in items:
            if isinstance(item, Run):
                self._first = item.stretch.counters[0] if self._first is None else self._first
                yield from self._hold(item)
            elif isinstance(item, Skipped | Restarted) and (self._first is not None or not self.packets):
                self._held.append(item)

    def end(self) -> Iterator[Sending]:
        """The round is over: what is left of it goes out, or is the seam's."""
        if not self._looping:
            yield from self._release()
        self._held, self._first, self._place, self._shift = [], None, -1, 0

    def _hold(self, run: Run) -> Iterator[Sending]:
        """Hold back what may have to be left out at the seam."""
        whole = self._whole(run) if self._looping else len(run.stretch)
        if not whole:
            self._held.append(run)
            return
        yield from self._release()
        yield from self._passages(run.part(0, whole))
        if whole < len(run.stretch):
            self._held.append(run.part(whole, len(run.stretch)))

    def _whole(self, run: Run) -> int:
        """How many packets of it can be followed by the round's first one."""
        turn, counters = _TURN[run.stretch.layout.protocol], run.stretch.counters
        for count in range(len(counters), max(len(counters) - turn, 0), -1):
            if (counters[count - 1] + 1 - (self._first or 0)) % turn == 0:
                return count
        return 0

    def _release(self) -> Iterator[Sending]:
        held, self._held = self._held, []
        for item in held:
            if isinstance(item, Run):
                yield from self._passages(item)
            elif isinstance(item, Restarted):
                self._shift = 0
            else:
                self.left_out += item.uncopied
                yield Sending(self._timeline.ready_ns, item.data)

    def _passages(self, run: Run) -> Iterator[Sending]:
        """A run, in blocks."""
        layout, counters = run.stretch.layout, run.stretch.counters
        if self._place < 0:
            self._join(run)
        data = _moved(layout, run.stretch.data, counters, self._shift)
        for first in range(0, len(counters), self._block):
            last = min(first + self._block, len(counters))
            ready_ns = self._timeline.pass_to(run, last - 1)
            yield Sending(ready_ns, data[first * layout.size : last * layout.size])
        self.packets += len(counters)
        if run.sequence + len(counters) > self._place:  # a packet that came late says nothing of the next one
            self._place = run.sequence + len(counters)
            self._last = (counters[-1] + self._shift) % layout.period

    def _join(self, run: Run) -> None:
        """The first packets of a round."""
        self._timeline.begin_anew(run.sequence)
        if self._last is not None:
            self._shift = (self._last + 1 - run.stretch.counters[0]) % run.stretch.layout.period


def _moved(layout: Layout, data: bytes, counters: bytes, shift: int) -> bytes:
    """The packets with their counters moved on."""
    if not shift:
        return data
    moved, period = bytearray(data), layout.period
    table = bytes((counter + shift) % period for counter in range(period)) + bytes(256 - period)
    if layout.protocol == "p2":
        moved[3 :: layout.size] = counters.translate(table)
    else:
        heads = zip(counters.translate(table), data[:: layout.size], strict=True)
        moved[:: layout.size] = bytes(counter << 1 | head & 1 for counter, head in heads)
    return bytes(moved)
