"""What the counters mean: which packets were lost, came twice or late, and where the device began anew.

The step from one counter to the next, modulo the period (256 or 64), says it:

    1                            the next packet
    0, the same bytes            the packet once more
    0, other bytes               a whole period but one lost
    back to one of the last few  that packet once more (the same bytes), or late (it was missing)
    to 0 over half the period    the device restarted, or `step - 1` packets were lost
    anything else                `step - 1` packets lost

A packet that seems late may also be the first one after a long burst. The next packet tells, so the late one
is held until it is there. Pure.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction

from kit.core.frozen import record
from kit.eeg.loss_by_time import Gap, Meaning, Timekeeper, by_counter
from kit.eeg.records import Duplicate, Fault, Lost, Reordered, Restarted, Run, Skipped, Stretch, Times
from kit.eeg.schedule import Schedule

# How far back a packet may be late or repeated. Serial lines keep the order; a network may not.
LATE_LIMIT = 8
# A gap of more than this that ends at counter 0 may be a restart.
_SURE_LOSS = 8
_AGO_LIMIT = LATE_LIMIT + 1  # 1 is the newest packet
_KEPT_RUNS = 2 * LATE_LIMIT
_NOT_ZERO = re.compile(rb"[^\0]")


@record
class _Piece:
    """Packets that wait for their turn, and when they came."""

    stretch: Stretch
    arrivals_us: Sequence[int] | None
    times: Times | None

    def part(self, first: int, last: int) -> _Piece:
        """Its packets `first` to before `last`."""
        arrivals = None if self.arrivals_us is None else self.arrivals_us[first:last]
        times = None if self.times is None else self.times.part(first, last)
        return _Piece(self.stretch.part(first, last), arrivals, times)


_Out = Run | Fault | Skipped


class Accountant:
    """Stretches of packets in; runs with sequence numbers out, and what happened between them."""

    def __init__(self, period: int, rate_hz: Fraction, sequence: int = 0) -> None:
        self.period = period
        self.sequence = sequence  # of the next packet
        self._first = sequence  # of the device's present life
        self._timekeeper = Timekeeper(period, rate_hz)
        self._counter: int | None = None  # the next packet's, if nothing happens
        self._cycle = bytes(range(period)) * 2
        self._successors = bytes((value + 1) % period for value in range(256))
        self._recent: deque[Run] = deque(maxlen=_KEPT_RUNS)
        self._held: deque[_Piece | Skipped] = deque()
        self._told: Meaning | None = None  # what is known of the gap before the next packet

    @property
    def holds(self) -> bool:
        """Are there packets whose meaning the next ones will tell?"""
        return bool(self._held)

    @property
    def schedule(self) -> Schedule:
        """The beat of the device, by the arrivals so far."""
        return self._timekeeper.schedule

    def account(
        self, stretch: Stretch, arrivals_us: Sequence[int] | None = None, times: Times | None = None
    ) -> list[_Out]:
        """What the packets mean, as far as it can be told; `times` go into the runs."""
        if self._told and stretch.data:
            meaning, self._told = self._told, None
            over = self._step(meaning, stretch.counters[0], stretch.offset)
            return [*over, *self.account(stretch, arrivals_us, times)]
        if arrivals_us is None and not self._held:
            plain = self._plainly(stretch, times)
            if plain:
                return plain
        if stretch.data:
            self._held.append(_Piece(stretch, arrivals_us, times))
        return self._release(final=False)

    def _plainly(self, stretch: Stretch, times: Times | None) -> list[_Out] | None:
        """What most stretches of a file are: all packets follow each other, perhaps behind a plain loss."""
        counters, period = stretch.counters, self.period
        if self._counter is None or not counters:
            return None
        if len(self._cycle) < len(counters) + period:
            self._cycle = bytes(range(period)) * (len(counters) // period + 2)
        counter = counters[0]
        if not self._cycle.startswith(counters, counter):
            return None
        lost = (counter - self._counter) % period
        if not lost:
            return [self._run(stretch, times, counters)]
        if counter == 0 or lost >= period - _AGO_LIMIT:
            return None
        missing = Lost(self.sequence, lost, stretch.offset)
        self.sequence += lost
        return [missing, self._run(stretch, times, counters)]

    def skip(self, skipped: Skipped) -> list[_Out]:
        """Hands the bytes through, behind what is held."""
        if not self._held:
            return [skipped]
        self._held.append(skipped)
        return []

    def missed(self, count: int, restarted: bool) -> list[_Out]:
        """So many packets are missing behind what came, whatever the counter says; what was held."""
        out = self.settle()
        if self._counter is not None:
            before = self._told.lost if self._told else 0
            self._told = Meaning(before + count, restarted=restarted)
        return out

    def interrupted(self) -> None:
        """The device was away: the time tells what was lost in between, if there are times."""
        self._timekeeper.interrupted()

    def settle(self) -> list[_Out]:
        """What is held, now that nothing follows."""
        return self._release(final=True)

    def _release(self, final: bool) -> list[_Out]:
        out: list[_Out] = []
        while self._held:
            piece = self._held.popleft()
            if isinstance(piece, Skipped):
                out.append(piece)
                continue
            at = self._walk(piece, out, final)
            if at < len(piece.stretch):
                self._held.appendleft(piece.part(at, len(piece.stretch)))
                break
        return out

    def _walk(self, piece: _Piece, out: list[_Out], final: bool) -> int:
        """Account for the packets; returns how many, less than all if the next ones must tell."""
        counters = piece.stretch.counters
        at = 0
        for end in self._breaks(counters):
            while at < end:
                verdict = self._gap(piece, at, counters, final) if counters[at] != self._counter else []
                if verdict is None:
                    return at
                out += verdict
                if verdict and isinstance(verdict[-1], Run):
                    at += 1
                    continue
                until = self._in_time(piece, at, end)
                if until > at:
                    part = piece.part(at, until)
                    out.append(self._run(part.stretch, part.times, counters[at:until]))
                    at = until
                if until < end:
                    late = self._judge(piece, at, 0, final)
                    if late is None:
                        return at
                    out += late
        return at

    def _in_time(self, piece: _Piece, at: int, end: int) -> int:
        """Up to which of the packets, one behind the other, the times agree."""
        if piece.arrivals_us is None:
            return end
        return at + self._timekeeper.on_time(self.sequence, piece.arrivals_us[at:end])

    def _breaks(self, counters: bytes) -> list[int]:
        """The end of each part in which every counter is the successor of the one before."""
        expected = int.from_bytes(counters[:-1].translate(self._successors))
        found = int.from_bytes(counters[1:])
        differences = (expected ^ found).to_bytes(len(counters) - 1)
        return [match.end() for match in _NOT_ZERO.finditer(differences)] + [len(counters)]

    def _run(self, stretch: Stretch, times: Times | None, counters: bytes) -> Run:
        """The packets as the next ones."""
        count = len(counters)
        run = kept = Run(self.sequence, stretch, times)
        self.sequence += count
        self._counter = (counters[-1] + 1) % self.period
        if count > 8 * _AGO_LIMIT:  # of a long run its end will do
            first = count - _AGO_LIMIT
            kept = Run(run.sequence + first, stretch.part(first, count))
        self._recent.append(kept)
        return run

    def _gap(self, piece: _Piece, at: int, counters: bytes, final: bool) -> list[_Out] | None:
        """What the unexpected packet at `at` means; None if the next ones must tell.

        The list ends with a run where the packet is not a new one.
        """
        if self._counter is None:
            self._counter = counters[at]
            return []
        lost = (counters[at] - self._counter) % self.period
        ago = self.period - lost
        sequence = self.sequence - ago
        if ago <= _AGO_LIMIT and sequence >= self._first:
            packet = piece.part(at, at + 1)
            known = self._known(sequence)
            if known is None:
                late = self._is_late(piece, at, counters, ago, final)
                if late is None:
                    return None
                if late:
                    return self._late(packet, sequence)
            elif known == packet.stretch.data:
                again = Run(sequence, packet.stretch, packet.times, repeated=True)
                return [Duplicate(sequence, packet.stretch.offset), again]
        return self._judge(piece, at, lost, final)

    def _known(self, sequence: int) -> bytes | None:
        """The bytes of a recent packet, None if it did not come."""
        for run in self._recent:
            index = sequence - run.sequence
            if 0 <= index < len(run.stretch):
                return run.stretch.part(index, index + 1).data
        return None

    def _late(self, packet: _Piece, sequence: int) -> list[_Out]:
        run = Run(sequence, packet.stretch, packet.times)
        self._recent.append(run)
        return [Reordered(sequence, packet.stretch.offset), run]

    def _is_late(self, piece: _Piece, at: int, counters: bytes, ago: int, final: bool) -> bool | None:
        """Is the packet one that was missing, rather than the first one after a long burst?

        After a burst the counters go on from it, over those that have come before.
        """
        ahead = self._ahead(piece, at + 1)
        for steps, packet in zip(range(1, ago), ahead, strict=False):
            if packet.counters[0] != (counters[at] + steps) % self.period:
                return True
            known = self._known(self.sequence - ago + steps)
            if known is not None:
                return known == packet.data
        return True if final else None

    def _ahead(self, piece: _Piece, at: int) -> Iterator[Stretch]:
        """The packets that follow, one by one, as far as they are here."""
        for index in range(at, len(piece.stretch)):
            yield piece.stretch.part(index, index + 1)
        for held in self._held:
            if isinstance(held, _Piece):
                for index in range(len(held.stretch)):
                    yield held.stretch.part(index, index + 1)

    def _judge(self, piece: _Piece, at: int, lost: int, final: bool) -> list[_Out] | None:
        """What the `lost` packets before the one at `at` are; None if the next ones must tell."""
        counter = piece.stretch.counters[at]
        gap = Gap(self.sequence, lost, counter)
        meaning: Meaning | None
        if piece.arrivals_us is None:
            meaning = by_counter(gap, self.period)
        else:
            steady_clock = piece.times is None or len(piece.times.monotonic_us) > 0
            meaning = self._timekeeper.judge(gap, self._arrivals(piece, at), steady_clock, final)
        if meaning is None:
            return None
        return self._step(meaning, counter, piece.stretch.offset + at * piece.stretch.layout.size)

    def _arrivals(self, piece: _Piece, at: int) -> Iterator[tuple[int, int]]:
        """The counters and arrivals from the packet at `at` on, as far as they are here."""
        if piece.arrivals_us is not None:
            yield from zip(piece.stretch.counters[at:], piece.arrivals_us[at:], strict=True)
        for held in self._held:
            if isinstance(held, _Piece) and held.arrivals_us is not None:
                yield from zip(held.stretch.counters, held.arrivals_us, strict=True)

    def _step(self, meaning: Meaning, counter: int, offset: int) -> list[_Out]:
        """Over the packets that never came, or to a new beginning."""
        out: list[_Out] = []
        self._counter = counter
        count = meaning.lost
        if count:
            may_be_restart = counter == 0 and count > _SURE_LOSS and not meaning.restarted
            lost = Lost(self.sequence, count, offset, meaning.by, meaning.low, meaning.high, may_be_restart)
            out.append(lost)
            self.sequence += count
        if meaning.restarted:
            out.append(Restarted(self.sequence, counter, offset, meaning.or_lost))
            self._recent.clear()
            self._first = self.sequence
            self._timekeeper.begin()
        return out
