"""Which protocol a stream of bytes speaks: P2 or P3, told from the stream itself. Pure.

Seventeen random bytes are a good P2 packet with a chance of 2^-60, so the first one decides. A P3 packet has
next to no redundancy; there the counters decide, by rising by one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Protocol

from kit.eeg import p2, p3
from kit.eeg.records import Packet, Recognised, Skipped, Span, Stretch

# Decisions are taken at these offsets only, so that they do not depend on how the bytes came.
_BLOCK = 64
# Eight of the last sixteen steps: by chance in one of 2 * 10^10 places.
_STEPS, _WINDOW = 8, 16
# What has not shown itself in so many bytes is looked for as P2 only, which costs little on any noise.
UNDECIDED_LIMIT = 64 * 1024


class Decoder(Protocol):
    """What finds packets in bytes."""

    def scan(self, data: bytes) -> list[Span | Recognised]:
        """The stretches of packets and the skipped bytes that `data` completes."""

    def scan_rest(self) -> list[Span | Recognised]:
        """The same of what is still held: the stream ended."""

    def feed(self, data: bytes) -> list[Packet | Skipped | Recognised]:
        """As `scan`, packet by packet."""

    def finish(self) -> list[Packet | Skipped | Recognised]:
        """As `scan_rest`, packet by packet."""


class AutoDecoder:
    """Decodes by both protocols until one of them is right, and says so in a `Recognised`."""

    def __init__(self, offset: int = 0) -> None:
        self.decided: Literal["p2", "p3"] | None = None
        self._offset = offset
        self._seen = 0
        self._block = b""
        self._p2, self._p3 = p2.Decoder(offset), p3.Decoder(offset)
        self._p2_spans: list[Span] = []
        self._p3_spans: list[Span] = []
        self._choice: p2.Decoder | p3.Decoder | None = None

    def feed(self, data: bytes) -> list[Packet | Skipped | Recognised]:
        """The events that `data` completes."""
        return _events(self.scan(data))

    def finish(self) -> list[Packet | Skipped | Recognised]:
        """The stream ended: the events of the bytes that are still held."""
        return _events(self.scan_rest())

    def scan(self, data: bytes) -> list[Span | Recognised]:
        """As `feed`, with packets that follow each other in one stretch."""
        out: list[Span | Recognised] = []
        at = 0
        while at < len(data) and self._choice is None:
            part = data[at : at + _BLOCK - len(self._block)]
            self._block += part
            at += len(part)
            if len(self._block) == _BLOCK:
                block, self._block = self._block, b""
                out += self._try(block)
        if at < len(data) and self._choice is not None:
            out += self._found(self._choice.scan(data[at:]))
        return out

    def scan_rest(self) -> list[Span | Recognised]:
        """As `finish`, in stretches."""
        out: list[Span | Recognised] = []
        if self._choice is None:
            block, self._block = self._block, b""
            out += self._try(block)
        if self._choice is not None:
            return out + self._found(self._choice.scan_rest())
        self._p2_spans += self._p2.scan_rest()
        self._p3_spans += self._p3.scan_rest()
        spans = self._p2_spans
        if not _packets_in(spans) and _is_short_p3(self._p3_spans):
            spans = self._p3_spans
        return out + self._found(spans)

    def _try(self, block: bytes) -> list[Span | Recognised]:
        """Decode a block by both; what comes out is kept until one of them has won."""
        self._p2_spans += self._p2.scan(block)
        self._p3_spans += self._p3.scan(block)
        self._seen += len(block)
        if _packets_in(self._p2_spans) or self._seen >= UNDECIDED_LIMIT:
            self._choice, spans = self._p2, self._p2_spans
        elif _steps(self._p3_spans)[-_WINDOW:].count(1) >= _STEPS:
            self._choice, spans = self._p3, self._p3_spans
        else:
            return []
        self._p2_spans, self._p3_spans = [], []
        return self._found(spans)

    def _found(self, spans: list[Span]) -> list[Span | Recognised]:
        """The spans, with word of the protocol before the first packet."""
        out: list[Span | Recognised] = list(spans)
        if self.decided is None:
            for index, span in enumerate(spans):
                if isinstance(span, Stretch):
                    self.decided = span.layout.protocol
                    out.insert(index, Recognised(self.decided, span.layout.channels, span.offset))
                    break
        return out


def make_decoder(protocol: str, offset: int = 0) -> Decoder:
    """A decoder for "p2", "p3" or "auto", for a stream whose first byte has this offset."""
    decoders: dict[str, type[p2.Decoder | p3.Decoder | AutoDecoder]] = {
        "auto": AutoDecoder,
        "p2": p2.Decoder,
        "p3": p3.Decoder,
    }
    return decoders[protocol](offset)  # type: ignore[return-value]  # they find fewer kinds of spans


def _packets_in(spans: list[Span]) -> bool:
    return any(isinstance(span, Stretch) for span in spans)


def _is_short_p3(spans: list[Span]) -> bool:
    """Is a whole stream, too short for the usual rule, P3?"""
    steps = _steps(spans)
    rising = steps.count(1)
    if rising == len(steps):
        return rising >= 2 or (rising == 1 and not any(isinstance(span, Skipped) for span in spans))
    return rising >= 3 and 2 * rising >= len(steps)


def _steps(spans: list[Span]) -> list[int]:
    """By how much the counter rises from packet to packet."""
    counters = b"".join(span.counters for span in spans[-2 * _WINDOW :] if isinstance(span, Stretch))
    return [(b - a) % p3.PERIOD for a, b in pairwise(counters)]


def _events(spans: list[Span | Recognised]) -> list[Packet | Skipped | Recognised]:
    out: list[Packet | Skipped | Recognised] = []
    for span in spans:
        out += span.packets() if isinstance(span, Stretch) else [span]
    return out
