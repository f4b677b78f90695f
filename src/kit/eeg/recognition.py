"""Finds out whether a stream is P2 or P3, from the stream.

Both decoders read it until one has proof. A good P2 packet is proof: 17 random bytes are one with a chance of
1 to 2 to the 60th, and P3 holds none (a byte with bit 7 set would have to stand where P2 has 0 to 3). P3's
bytes look like little, so its counters have to go on: eight steps of 1 in a row, and at least half of all
steps. Until then all bytes are held, at most 64 KiB; after that only P2 is looked for. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from kit.eeg import p2, p3
from kit.eeg.records import Packet, Recognised, Skipped, Span, Stretch
from kit.eeg.spans import events

# The bytes are looked at in blocks, so that what is found does not depend on how they come.
_BLOCK = 64
LIMIT = 64 * 1024
_STEPS_IN_A_ROW = 8


class Decoder(Protocol):
    """What the decoders of P2 and P3, and the one that finds out, have in common."""

    def scan(self, data: bytes) -> Sequence[Span | Recognised]:
        """The spans that `data` completes."""

    def scan_rest(self) -> Sequence[Span | Recognised]:
        """The stream ended: the spans of the bytes that are still held."""

    def feed(self, data: bytes) -> Sequence[Packet | Skipped | Recognised]:
        """As `scan`, with packets instead of stretches."""

    def finish(self) -> Sequence[Packet | Skipped | Recognised]:
        """As `scan_rest`, with packets."""


def make_decoder(protocol: str, offset: int = 0) -> Decoder:
    """The decoder of "p2" or "p3", or with "auto" the one that finds out; the stream begins at `offset`."""
    if protocol == "p2":
        return p2.Decoder(offset)
    if protocol == "p3":
        return p3.Decoder(offset)
    if protocol == "auto":
        return AutoDecoder(offset)
    raise ValueError(f"no protocol {protocol!r}")


class AutoDecoder:
    """Says which protocol it is, once, before the first packet; then the decoder of that protocol.

    `decided` is the protocol, None as long as none is known.
    """

    def __init__(self, offset: int = 0) -> None:
        self.decided: Literal["p2", "p3"] | None = None
        self._decoder: p2.Decoder | p3.Decoder | None = None  # None as long as it may be either
        self._p2, self._p3 = p2.Decoder(offset), p3.Decoder(offset)
        self._p2_spans: list[Span] = []
        self._p3_spans: list[Span] = []
        self._steps = _Steps()
        self._looked_at = 0
        self._held = b""

    def scan(self, data: bytes) -> list[Span | Recognised]:
        """The spans that `data` completes."""
        if self._decoder:
            return self._tell(self._decoder.scan(data))
        data, at = self._held + data, 0
        while len(data) - at >= _BLOCK:
            block = data[at : at + _BLOCK]
            at += _BLOCK
            self._compare(self._p2.scan(block), self._p3.scan(block))
            if self._decoder:
                return [*self._tell(self._taken()), *self._tell(self._decoder.scan(data[at:]))]
        self._held = data[at:]
        return []

    def scan_rest(self) -> list[Span | Recognised]:
        """The stream ended: the spans of the bytes that are still held, noise if it never was clear."""
        if not self._decoder:
            self._compare(self._p2.scan(self._held), self._p3.scan(self._held))
        if not self._decoder:
            self._compare(self._p2.scan_rest(), self._p3.scan_rest())
        decoder = self._decoder or self._p2
        return [*self._tell(self._taken()), *self._tell(decoder.scan_rest())]

    def feed(self, data: bytes) -> list[Packet | Skipped | Recognised]:
        """The events that `data` completes."""
        return events(self.scan(data))

    def finish(self) -> list[Packet | Skipped | Recognised]:
        """The events of the bytes that are still held."""
        return events(self.scan_rest())

    def _compare(self, p2_spans: Sequence[Span], p3_spans: Sequence[Span]) -> None:
        """Take in what both decoders made of the same block, and choose one if there is proof."""
        self._p2_spans += p2_spans
        self._p3_spans += p3_spans
        self._looked_at += _BLOCK
        for span in p3_spans:
            if isinstance(span, Stretch):
                self._steps.add(span.counters)
        if any(isinstance(span, Stretch) for span in p2_spans) or self._looked_at >= LIMIT:
            self._decoder = self._p2
        elif self._steps.are_a_sequence:
            self._decoder = self._p3

    def _taken(self) -> list[Span]:
        """The spans of the chosen decoder that waited."""
        spans = self._p3_spans if self._decoder is self._p3 else self._p2_spans
        self._p2_spans, self._p3_spans = [], []
        return spans

    def _tell(self, spans: list[Span]) -> list[Span | Recognised]:
        """The spans; before the first packets of all, what they are."""
        packets = [span for span in spans if isinstance(span, Stretch)]
        if self.decided or not packets:
            return [*spans]
        self.decided = packets[0].layout.protocol
        at = spans.index(packets[0])
        # A learned size may have been mended while the spans waited: the last one is right.
        found = Recognised(self.decided, packets[-1].layout.channels, packets[0].offset)
        return [*spans[:at], found, *spans[at:]]


class _Steps:
    """Counts how P3's counters go on."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._all = self._good = self._in_a_row = 0
        self._longest = 0

    @property
    def are_a_sequence(self) -> bool:
        return self._longest >= _STEPS_IN_A_ROW and 2 * self._good >= self._all

    def add(self, counters: bytes) -> None:
        for counter in counters:
            if self._last is not None:
                good = counter == (self._last + 1) % p3.PERIOD
                self._in_a_row = self._in_a_row + 1 if good else 0
                self._longest = max(self._longest, self._in_a_row)
                self._all += 1
                self._good += good
            self._last = counter
