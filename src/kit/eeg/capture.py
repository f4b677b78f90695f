"""The walk from bytes to items: decoder, accountant and clock in a row, without a descriptor.

Each byte is in exactly one run or skipped item, and these come in the order of the bytes. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from importlib import import_module
from typing import Protocol

from kit.eeg.clock import ArrivalClock
from kit.eeg.dating import NOMINAL_RATE_HZ
from kit.eeg.loss import Accountant
from kit.eeg.p2 import Decoder as P2Decoder
from kit.eeg.records import Chunk, Gone, Interrupted, Item, Recognised, Skipped, Stretch, Times
from kit.eeg.tally import Tally

NOMINAL_BAUD = 57_600


class Decoder(Protocol):
    """Any of the decoders."""

    def scan(self, data: bytes) -> Sequence[Stretch | Skipped | Recognised]:
        """The spans that `data` completes."""

    def scan_rest(self) -> Sequence[Stretch | Skipped | Recognised]:
        """The spans of the bytes that are still held."""


def _make_decoder(protocol: str) -> Decoder:
    if protocol == "p2":
        return P2Decoder()
    made: Decoder = import_module("kit.eeg.recognition").make_decoder(protocol)
    return made


class Capture:
    """Chunks, or spans that others decoded, in; items out."""

    def __init__(
        self, protocol: str = "auto", *, rate_hz: Fraction = NOMINAL_RATE_HZ, baud: int = NOMINAL_BAUD
    ) -> None:
        self.tally = Tally(rate_hz)
        self._protocol = protocol
        self._rate_hz = rate_hz
        self._decoder = _make_decoder(protocol)
        self._clock = ArrivalClock(baud)
        self._received = 0
        self._accountant: Accountant | None = None

    def feed(self, chunk: Chunk) -> list[Item]:
        """The items that a read completes."""
        if chunk.monotonic_ns is not None and chunk.wall_ns is not None:
            self._clock.chunk(self._received, len(chunk.data), chunk.monotonic_ns, chunk.wall_ns)
        self._received += len(chunk.data)
        return self._counted(self._spans(self._decoder.scan(chunk.data)))

    def accept(self, span: Stretch | Skipped, times: Times | None) -> list[Item]:
        """The items that a span completes which was decoded elsewhere, with the times that it came with."""
        return self._counted(self._account(span, times))

    def interrupt(self, gone: Gone) -> list[Item]:
        """The device went away: what was held, and that it did."""
        items = self._rest()
        if self._accountant:
            self._accountant.interrupted()
        items.append(Interrupted(self._received, gone.wall_ns // 1000, gone.reason))
        return self._counted(items)

    def end(self, reason: str) -> list[Item]:
        """The last items, the totals at the end."""
        items = self._counted(self._rest())
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
                items.append(span)
                continue
            times = self._clock.times(span) if isinstance(span, Stretch) else None
            items += self._account(span, times)
            self._clock.forget(span.offset + len(span.data))
        return items

    def _account(self, span: Stretch | Skipped, times: Times | None) -> list[Item]:
        if isinstance(span, Skipped):
            return [*self._accountant.skip(span)] if self._accountant else [span]
        accountant = self._accountant
        before: list[Item] = []
        if accountant is None or accountant.period != span.layout.period:
            if accountant:
                before += accountant.settle()
            sequence = accountant.sequence if accountant else 0
            accountant = Accountant(span.layout.period, self._rate_hz, sequence)
            self._accountant = accountant
        arrivals_us = (times.monotonic_us or times.wall_us) if times else None
        return [*before, *accountant.account(span, arrivals_us, times)]

    def _counted(self, items: list[Item]) -> list[Item]:
        for item in items:
            self.tally.add(item)
        return items
