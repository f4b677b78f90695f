"""A whole file from one format into another, piece by piece, so that its size takes no memory. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from kit.core.errors import ProtocolError, Unavailable
from kit.eeg.batch import Mark
from kit.eeg.capture import Capture
from kit.eeg.dating import Dating
from kit.eeg.formats import Units, make_writer
from kit.eeg.formats.sniffing import HEAD, UNKNOWN, sniff
from kit.eeg.intake import Intake
from kit.eeg.records import Chunk, Item, Run, Skipped
from kit.eeg.scale import Scale, preferred
from kit.eeg.summary import complaint
from kit.eeg.tally import Tally


@dataclass(frozen=True)
class Conversion:
    """What is read and what is written.

    `source` is None where the begin of the file tells its format; `presumed` is for one that does not.
    `scale` holds for microvolts on both sides.
    """

    source: str | None
    target: str
    protocol: str
    dating: Dating
    scale: Scale
    units: Units
    presumed: str | None = None


@dataclass(frozen=True)
class Converted:
    """What came of it: the formats, the totals, and what the target has no place for.

    In raw bytes that is when packets came, and skipped bytes where a text tells only their number; in all but
    recordings it is marks.
    """

    source: str
    target: str
    tally: Tally
    scale: Scale
    times_left_out: bool
    skipped_left_out: int
    marks_left_out: int


class Target(Protocol):
    """What takes a conversion's items."""

    def begin(self, scale: Scale) -> None:
        """Microvolts mean this; before the first items."""

    def take(self, items: Sequence[Item], marks: Sequence[Mark]) -> None:
        """More items, and marks."""

    def end(self) -> int:
        """There are no more; how many marks were left out."""


def convert(
    conversion: Conversion, name: str, pieces: Iterable[bytes], write: Callable[[bytes], object] | Target
) -> Converted:
    """Read the pieces of the file called `name`, write those of another.

    Raises Unavailable for an empty file, ProtocolError for one with no packet or with a broken line.
    """
    pieces = iter(pieces)
    head = _head(pieces)
    if not head:
        raise Unavailable(f"{name!r} is empty")
    source = conversion.source or sniff(head)
    if source == UNKNOWN and conversion.presumed:
        source = conversion.presumed
    if source == UNKNOWN:
        raise ProtocolError(
            f"{name!r} is not an OpenEEG stream, nor a text that kit reads", hint="say --from FORMAT if it is"
        )
    walk = _Walk(conversion, source, Writing(conversion, write) if callable(write) else write)
    walk.go(filter(None, chain([head], pieces)))
    error = complaint(walk.capture.tally, name, walk.intake.received)
    if error:
        raise error
    to_raw = conversion.target == "raw"
    return Converted(
        source,
        conversion.target,
        walk.capture.tally,
        walk.scale,
        times_left_out=to_raw and walk.had_times,
        skipped_left_out=walk.uncopied if to_raw else 0,
        marks_left_out=walk.unmarked,
    )


def _head(pieces: Iterator[bytes]) -> bytes:
    """So many pieces as it takes to tell the format."""
    head = b""
    while len(head) < HEAD:
        piece = next(pieces, None)
        if piece is None:
            break
        head += piece
    return head


class _Walk:
    """One conversion, from the first piece to the last."""

    def __init__(self, conversion: Conversion, source: str, target: Target) -> None:
        self.capture = Capture(conversion.protocol, rate_hz=conversion.dating.rate_hz)
        self.intake = Intake(self.capture, source, conversion.scale)
        self.had_times = False
        self.uncopied = self.unmarked = 0
        self.scale = conversion.scale
        self._start_us = conversion.dating.start_us
        self._target = target
        self._begun = False

    def go(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._take(self.intake.feed(Chunk(piece)))
        items = self.intake.end("end")
        self._take(items, self.intake.marks(self._start_us))
        self.unmarked = self._target.end()

    def _take(self, items: Sequence[Item], marks: Sequence[Mark] = ()) -> None:
        for item in items:
            if isinstance(item, Skipped):
                self.uncopied += item.uncopied
            elif isinstance(item, Run):
                self.had_times = self.had_times or bool(item.times and item.times.wall_us)
        if not items:
            return
        if not self._begun:
            self._begun = True
            self.scale = preferred(self.scale, self.intake.scale)
            self._target.begin(self.scale)
        self._target.take(items, marks)


class Writing:
    """A target that is a text or raw bytes."""

    def __init__(self, conversion: Conversion, write: Callable[[bytes], object]) -> None:
        self._conversion = conversion
        self._write = write
        self._unmarked = 0

    def begin(self, scale: Scale) -> None:
        """The head."""
        wish = self._conversion
        self._writer = make_writer(wish.target, dating=wish.dating, scale=scale, units=wish.units)
        self._write(self._writer.head())

    def take(self, items: Sequence[Item], marks: Sequence[Mark]) -> None:
        """The items' lines."""
        self._write(self._writer.render(items))
        self._unmarked += len(marks)

    def end(self) -> int:
        """The tail."""
        self._write(self._writer.tail())
        return self._unmarked
