"""The walk from bytes to items: decoder, accountant and clock in a row, without a descriptor.

Each byte is in exactly one run or skipped item, and these come in the order of the bytes. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from kit.eeg.clock import ArrivalClock, Rate, Regular, rate_of
from kit.eeg.dating import NOMINAL_RATE_HZ
from kit.eeg.loss import Accountant
from kit.eeg.recognition import Decoder, make_decoder
from kit.eeg.records import (
    Chunk,
    Gone,
    Interrupted,
    Item,
    Lost,
    Recognised,
    Restarted,
    Run,
    Skipped,
    Stretch,
    Times,
)
from kit.eeg.tally import Tally

NOMINAL_BAUD = 57_600
# The accounting waits no longer than this for packets; where none come it would wait for ever.
_SILENCE_NS = 3_000_000_000


class Capture:
    """Chunks, or spans that others decoded, in; items out."""

    def __init__(
        self, protocol: str = "auto", *, rate_hz: Fraction = NOMINAL_RATE_HZ, baud: int = NOMINAL_BAUD
    ) -> None:
        self.tally = Tally(rate_hz)
        self._protocol = protocol
        self.rate_hz = rate_hz
        self._decoder: Decoder = make_decoder(protocol)
        self._clock = ArrivalClock(baud)
        self._regular = Regular(rate_hz)
        self._wall_offset_us: int | None = None
        self._samples = False  # the times are of this capture's own clock
        self._has_times = False
        self._received = 0
        self._data_ns: int | None = None  # when bytes came last
        self._accountant: Accountant | None = None

    @property
    def rate(self) -> Rate | None:
        """The device's true rate, as far as the times tell it."""
        if self._samples or self._accountant is None:
            return self._regular.rate
        return rate_of(self._accountant.schedule)

    def feed(self, *chunks: Chunk) -> list[Item]:
        """The items that a read completes, or several reads in turn."""
        for chunk in chunks:
            if chunk.monotonic_ns is not None and chunk.wall_ns is not None:
                self._samples = True
                self._clock.chunk(self._received, len(chunk.data), chunk.monotonic_ns, chunk.wall_ns)
            self._received += len(chunk.data)
        data = chunks[0].data if len(chunks) == 1 else b"".join(chunk.data for chunk in chunks)
        return self._finished([*self._spans(self._decoder.scan(data)), *self._overdue(chunks)])

    def _overdue(self, chunks: Sequence[Chunk]) -> Sequence[Item]:
        """What is held until the next packets tell what it means, where none have come for too long."""
        for chunk in chunks:
            if chunk.data or self._data_ns is None:
                self._data_ns = chunk.monotonic_ns
            elif chunk.monotonic_ns is not None and chunk.monotonic_ns - self._data_ns >= _SILENCE_NS:
                self._data_ns = chunk.monotonic_ns
                return self._accountant.settle() if self._accountant else []
        return []

    def accept(self, span: Stretch | Skipped, times: Times | None) -> list[Item]:
        """The items that a span completes which was decoded elsewhere, with the times that it came with."""
        length = span.count if isinstance(span, Skipped) else len(span.data)
        self._received = max(self._received, span.offset + length)
        return self._finished([*self._account(span, times)])

    def missed(self, count: int, *, restarted: bool = False) -> list[Item]:
        """So many packets are missing here, or the device began anew, as whoever kept the packets knows."""
        return self._finished([*self._accountant.missed(count, restarted)]) if self._accountant else []

    def interrupt(self, gone: Gone) -> list[Item]:
        """The device went away: what was held, and that it did."""
        items = self._rest()
        self._decoder = make_decoder(self._protocol, self._received)
        if self._accountant:
            self._accountant.interrupted()
        items.append(Interrupted(self._received, gone.wall_ns // 1000, gone.reason))
        return self._finished(items)

    def end(self, reason: str) -> list[Item]:
        """The last items, the totals at the end."""
        items = self._finished(self._rest())
        return [*items, self.tally.ended(reason)]

    def _rest(self) -> list[Item]:
        items = self._spans(self._decoder.scan_rest())
        if self._accountant:
            items += self._accountant.settle()
        return items

    def _spans(self, spans: Sequence[Stretch | Skipped | Recognised]) -> list[Item]:
        items: list[Item] = []
        for span in spans:
            if isinstance(span, Recognised):
                self._protocol = span.protocol
                items.append(span)
            elif not self._samples:
                items += self._account(span, None)
            else:
                times = self._clock.times(span) if isinstance(span, Stretch) else None
                items += self._account(span, times)
                self._clock.forget(span.offset + len(span.data))
        return items

    def _account(self, span: Stretch | Skipped, times: Times | None) -> Sequence[Item]:
        if isinstance(span, Skipped):
            return self._accountant.skip(span) if self._accountant else [span]
        if self._accountant is None or self._accountant.period != span.layout.period:
            return [*self._change(span.layout.period), *self._account(span, times)]
        if times is None:
            return self._accountant.account(span)
        # A text can have times that are the counter's own: they tell nothing about losses, nor of the rate.
        arrivals_us = times.monotonic_us or times.wall_us or None
        self._has_times = self._has_times or arrivals_us is not None
        return self._accountant.account(span, arrivals_us, times)

    def _change(self, period: int) -> Sequence[Item]:
        """An accountant for packets whose counters have this period; what the one before still held."""
        before = self._accountant
        items = before.settle() if before else []
        self._accountant = Accountant(period, self.rate_hz, before.sequence if before else 0)
        return items

    def _finished(self, items: list[Item]) -> list[Item]:
        """The items, counted, and with the times that the regular clock gives."""
        self.tally.extend(items)
        if not self._has_times or not items:
            return items
        self.tally.rate = self.rate
        return [self._timed(item) for item in items] if self._samples else items

    def _timed(self, item: Item) -> Item:
        if not isinstance(item, Run):
            if isinstance(item, Restarted | Interrupted) or _leaves_doubt(item):
                self._regular.begin()
            return item
        times = item.times
        if times is None or item.repeated or not times.monotonic_us:
            return item
        if self._wall_offset_us is None:
            self._wall_offset_us = times.wall_us[0] - times.monotonic_us[0]
        offset_us = self._wall_offset_us
        sampled_us = [at + offset_us for at in self._regular.sampled_us(item.sequence, times.monotonic_us)]
        times = Times(times.wall_us, times.monotonic_us, sampled_us)
        return Run(item.sequence, item.stretch, times)


def _leaves_doubt(item: Item) -> bool:
    """Is it not known how many packets there would be up to here?"""
    return isinstance(item, Lost) and item.by == "time" and item.low < item.high
