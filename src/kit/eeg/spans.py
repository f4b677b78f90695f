"""What the decoders have in common: what they hold, noise in bounded pieces, spans as events. Pure."""

from __future__ import annotations

from typing import Any, overload

from kit.eeg.records import Packet, Recognised, Skipped, Span, Stretch

# A run of noise is handed out in pieces, so that it takes no memory to speak of and is told of in time.
SKIPPED_LIMIT = 1024


class SpanDecoder:
    """A decoder for one protocol: its `_scan` finds the spans in what was held and what came."""

    def __init__(self, offset: int = 0) -> None:
        self._held = b""
        self._offset = offset  # of the first held byte
        self._noise = Noise()

    def feed(self, data: bytes) -> list[Packet | Skipped]:
        """The events that `data` completes."""
        return events(self.scan(data))

    def finish(self) -> list[Packet | Skipped]:
        """The stream ended: the events of the bytes that are still held."""
        return events(self.scan_rest())

    def scan(self, data: bytes) -> list[Span]:
        """As `feed`, with packets that follow each other in one stretch."""
        return self._scan(self._held + data, final=False)

    def scan_rest(self) -> list[Span]:
        """As `finish`, in stretches."""
        spans = self._scan(self._held, final=True)
        return spans + self._noise.flush()

    def _scan(self, data: bytes, final: bool) -> list[Span]:
        """The spans in `data`, which begins at `_offset`; holds what is not complete, unless `final`."""
        raise NotImplementedError


class Noise:
    """Collects bytes that belong to no packet, and hands them out in runs of at most `SKIPPED_LIMIT`."""

    def __init__(self) -> None:
        self._offset = 0
        self._data = bytearray()

    def add(self, offset: int, data: bytes) -> list[Span]:
        """The full pieces that `data`, right behind what is held, completes."""
        if not self._data:
            self._offset = offset
        self._data += data
        pieces: list[Span] = []
        while len(self._data) >= SKIPPED_LIMIT:
            pieces.append(Skipped(self._offset, bytes(self._data[:SKIPPED_LIMIT])))
            del self._data[:SKIPPED_LIMIT]
            self._offset += SKIPPED_LIMIT
        return pieces

    def last(self, offset: int, data: bytes) -> list[Span]:
        """As `add`, and the run's last piece."""
        if not self._data and len(data) <= SKIPPED_LIMIT:
            return [Skipped(offset, data)] if data else []
        return self.add(offset, data) + self.flush()

    def flush(self) -> list[Span]:
        """What is held, as the run's last piece."""
        if not self._data:
            return []
        piece = Skipped(self._offset, bytes(self._data))
        self._data.clear()
        return [piece]


@overload
def events(spans: list[Span]) -> list[Packet | Skipped]: ...


@overload
def events(spans: list[Span | Recognised]) -> list[Packet | Skipped | Recognised]: ...


def events(spans: list[Any]) -> list[Any]:
    """The spans, each stretch as its packets."""
    out: list[Any] = []
    for span in spans:
        if isinstance(span, Stretch):
            out += span.packets()
        else:
            out.append(span)
    return out
