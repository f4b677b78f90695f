"""Raw: the bytes as they came, skipped ones too, so that what is written is what was read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kit.eeg.formats.interface import Reading
from kit.eeg.recognition import make_decoder
from kit.eeg.records import Item, Recognised, Run, Skipped, Span


class RawWriter:
    """Writes the bytes of runs and of what lay between them."""

    def head(self) -> bytes:
        """Nothing."""
        return b""

    def render(self, items: Iterable[Item]) -> bytes:
        """The bytes that the items are made of."""
        parts = []
        for item in items:
            if isinstance(item, Run):
                parts.append(item.stretch.data)
            elif isinstance(item, Skipped):
                parts.append(item.data)
        return b"".join(parts)

    def tail(self) -> bytes:
        """Nothing."""
        return b""


class RawReader:
    """Decodes the bytes; they have no times."""

    def __init__(self, protocol: str) -> None:
        self._decoder = make_decoder(protocol)

    def feed(self, data: bytes) -> list[Reading]:
        """The spans that `data` completes."""
        return _readings(self._decoder.scan(data))

    def finish(self) -> list[Reading]:
        """The spans of what is still held."""
        return _readings(self._decoder.scan_rest())


def _readings(spans: Sequence[Span | Recognised]) -> list[Reading]:
    return [(span, None) for span in spans if not isinstance(span, Recognised)]
