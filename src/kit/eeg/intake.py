"""From the bytes of any format to items: raw through the decoder, text through its reader. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kit.eeg import formats
from kit.eeg.batch import Mark
from kit.eeg.capture import Capture
from kit.eeg.formats.interface import Missed, Reader, Reading
from kit.eeg.formats.sniffing import UNKNOWN
from kit.eeg.records import Chunk, Gone, Item
from kit.eeg.scale import Scale

# A first line is shorter.
_HEAD = 4096
RAW = "raw"


class Intake:
    """Chunks in, items out; the format is the given one, or found in the first bytes."""

    def __init__(self, capture: Capture, form: str | None = None, scale: Scale | None = None) -> None:
        self.format = form
        self.received = 0
        self.capture = capture
        self._scale = scale
        self._reader: Reader | None = None
        self._head = b""
        if form:
            self._choose(form)

    @property
    def scale(self) -> Scale | None:
        """What a count means by the file itself; None where the format does not say, or not yet."""
        return getattr(self._reader, "scale", None)

    def marks(self, start_us: int) -> Sequence[Mark]:
        """Those of a file, once it is read; one that does not say when it began, did so at `start_us`."""
        found = getattr(self._reader, "marks", None)
        return found(start_us) if found else ()

    def feed(self, *chunks: Chunk) -> list[Item]:
        """The items that a read completes, or several reads in turn."""
        self.received += sum(len(chunk.data) for chunk in chunks)
        if self.format is None:
            self._head += b"".join(chunk.data for chunk in chunks)
            if not self._recognise(len(self._head) >= _HEAD):
                return []
            chunks, self._head = (replace(chunks[-1], data=self._head),), b""
        if self._reader:
            return self._accept(self._reader.feed(b"".join(chunk.data for chunk in chunks)))
        return self.capture.feed(*chunks)

    def interrupt(self, gone: Gone) -> list[Item]:
        """The device went away."""
        return self.capture.interrupt(gone)

    def end(self, reason: str) -> list[Item]:
        """The last items."""
        items: list[Item] = []
        if self.format is None:
            self._recognise(certain=True)
            items += self.feed(Chunk(self._head))
            self.received -= len(self._head)
        if self._reader:
            items += self._accept(self._reader.finish())
        return items + self.capture.end(reason)

    def _recognise(self, certain: bool) -> bool:
        found = formats.sniff(self._head)
        if found == UNKNOWN:
            if not certain:
                return False
            found = RAW
        self.format = found
        self._choose(found)
        return True

    def _choose(self, form: str) -> None:
        if form != RAW:
            rate_hz = self.capture.rate_hz
            self._reader = formats.make_reader(form, scale=self._scale, rate_hz=rate_hz)

    def _accept(self, readings: Sequence[Reading]) -> list[Item]:
        items: list[Item] = []
        for span, times in readings:
            if isinstance(span, Gone):
                items += self.capture.interrupt(span)
            elif isinstance(span, Missed):
                items += self.capture.missed(span.count, restarted=span.restarted)
            else:
                items += self.capture.accept(span, times)
        return items
