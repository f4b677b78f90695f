"""Items to EDF+ or BDF+, record by record. Pure.

A record is given out when the packets behind it leave no doubt about it: a late one still gets its place,
and what is said of a gap is final. Lost samples repeat the last value: a zero would look like a rail. EDF+D,
which could leave them out, is read wrongly by MNE and not at all by pyedflib; so behind more than ten seconds
a new file begins.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from fractions import Fraction

from kit.core.errors import UsageError
from kit.eeg.batch import Mark
from kit.eeg.loss import LATE_LIMIT
from kit.eeg.recordings import edf, tals
from kit.eeg.recordings.grid import Grid, Missing, Opening, Remark, Samples
from kit.eeg.recordings.pieces import Begin, Output, Piece, Unit
from kit.eeg.recordings.settings import Settings
from kit.eeg.records import Item
from kit.eeg.signals import Signal

# How many packets have to be there behind what is given out.
_SETTLED = LATE_LIMIT + 1
# Texts that wait for room in a record; who sets more marks loses some, and is told.
_WAITING = 4096


class EdfEncoder:
    """Items in, files of records out."""

    unit: Unit = "piece"

    def __init__(self, form: edf.Form, settings: Settings) -> None:
        self.dropped = 0  # texts and late packets that found no room
        self._form: edf.Form = form
        self._settings = settings
        self._grid = Grid(settings.rate_hz)
        self._part: _Part | None = None

    def take(self, items: Sequence[Item], signals: Sequence[Signal], marks: Sequence[Mark]) -> list[Output]:
        """The records that these complete."""
        out: list[Output] = []
        for event in self._grid.take(items, signals, marks):
            if isinstance(event, Opening):
                out += self._finished()
                self._part = _Part(self._form, self._settings, event, 0)
                out.append(Begin(self._part.head()))
            elif self._part:
                out += self._added(self._part, event)
        return out

    def finish(self) -> list[Output]:
        """The last record, filled up."""
        return self._finished()

    def _added(self, part: _Part, event: Samples | Missing | Remark) -> list[Output]:
        part.add(event)
        if not isinstance(event, Samples) or event.block.late:
            return []
        out: list[Output] = [*part.settled()]
        while part.is_full:
            self.dropped += part.dropped
            self._part = part = part.next()
            out += [Begin(part.head()), *part.settled()]
        return out

    def _finished(self) -> list[Output]:
        if self._part is None:
            return []
        pieces, self._part = self._part.rest(), None
        return [*pieces]


class _Part:
    """One file. Places are those of the grid; its first sample, which `opening` tells of, is at `begin`."""

    def __init__(self, form: edf.Form, settings: Settings, opening: Opening, begin: int) -> None:
        self.dropped = 0
        self._form: edf.Form = form
        self._settings = settings
        self._opening = opening
        self._begin = self._first = self._next = begin  # `first` is the open record's first sample
        self._shape = edf.shape(settings.rate_hz, opening.layout.channels)
        self._limit = _limit(settings, self._shape)
        self._records = 0
        self._columns: list[list[int]] = [[] for _ in range(opening.layout.channels)]
        self._missing: list[Missing] = []
        self._texts: deque[bytes] = deque()
        self._remarks: list[Remark] = []
        self._recent: deque[Samples] = deque()
        self._last = [edf.MIDDLE] * opening.layout.channels  # what lost samples repeat
        self._start = edf.start_of(opening.time_us)
        self._start_s = Fraction(opening.time_us % 1_000_000, 1_000_000) if self._start else Fraction(0)

    @property
    def is_full(self) -> bool:
        """Has it as many records as a part may have?"""
        return self._records == self._limit

    def head(self) -> bytes:
        """The file's begin."""
        opening, settings = self._opening, self._settings
        layout = opening.layout
        if not layout.channels:
            raise UsageError("a device without channels has nothing to be recorded", hint="record OUT.raw")
        start_us = opening.time_us if self._start else 0
        origin = tals.origin(opening, settings, start_us)
        self._texts.append(self._tal(Fraction(self._begin), origin.text()))
        return edf.header(self._form, settings, layout.channels, self._start, self._shape)

    def add(self, event: Samples | Missing | Remark) -> None:
        """Take what comes next on the grid, or what came late."""
        if isinstance(event, Remark):
            self._remarks.append(event)
        elif isinstance(event, Missing):
            self._missing.append(event)
            self._fill(event.count)
        elif event.block.late:
            self._put(event)
        else:
            for column, counts in zip(self._columns, event.block.channels, strict=True):
                column.extend(counts)
            self._next += len(event.block)
            self._last = [column[-1] for column in self._columns]
            self._recent.append(event)

    def settled(self) -> list[Piece]:
        """The records whose packets are all there, as far as they will ever be."""
        out: list[Piece] = []
        size = self._shape.samples
        while self._records != self._limit and self._next >= self._first + size + _SETTLED:
            end = self._first + size
            ends = [one.at + one.count for one in self._missing if one.at < end]
            if ends and self._next < max(ends) + _SETTLED:
                break
            out.append(self._record())
        return out

    def rest(self) -> list[Piece]:
        """Everything that is held, and records for the texts that found no room."""
        last = Fraction(max(self._begin, self._next - 1))
        self._remarks = [Remark(min(remark.at, last), remark.text) for remark in self._remarks]
        out = [self._record() for _ in range((self._next - self._first) // self._shape.samples)]
        while self._next > self._first or self._texts or self._remarks:
            padding = self._shape.samples - (self._next - self._first)
            onset, count = Fraction(self._next), Fraction(padding) / self._settings.rate_hz
            self._texts.appendleft(self._tal(onset, f"BAD_padded {padding} packets", count))
            self._fill(padding)
            out.append(self._record(packets=self._shape.samples - padding))
        return out

    def next(self) -> _Part:
        """The part behind this one, with what belongs there of what is held."""
        part = _Part(self._form, self._settings, self._reopened(), self._first)
        part._columns, part._next = self._columns, self._next
        part._missing, part._remarks, part._texts = self._missing, self._remarks, self._texts
        part._recent, part._last = self._recent, self._last
        return part

    def _reopened(self) -> Opening:
        """What the packet at the end of this part is, or would have been."""
        layout, place = self._opening.layout, self._first
        found = next((one for one in reversed(self._recent) if one.at <= place), self._recent[0])
        index = min(place - found.at, len(found.block) - 1)
        ahead = place - found.at - index
        time_us = found.block.times_us[index] + int(ahead * 1_000_000 / self._settings.rate_hz)
        counter = (found.stretch.counters[index] + ahead) % layout.period
        states = [state for one in self._recent for state in one.block.buttons[: max(0, place - one.at + 1)]]
        told = [state for state in states if state is not None]
        return Opening(time_us, layout, counter, told[-1] if told else None)

    def _fill(self, count: int) -> None:
        """Samples that there are not."""
        for column, last in zip(self._columns, self._last, strict=True):
            column.extend([last] * count)
        self._next += count

    def _put(self, late: Samples) -> None:
        """Late packets into their places, if the record is open; they are missing no more."""
        for index in range(len(late.block)):
            at = late.at + index
            gap = next((one for one in self._missing if one.at <= at < one.at + one.count), None)
            if at < self._first or gap is None:
                self.dropped += 1
                continue
            for column, counts in zip(self._columns, late.block.channels, strict=True):
                column[at - self._first] = counts[index]
            place = self._missing.index(gap)
            parts = (
                Missing(gap.at, at - gap.at, gap.why),
                Missing(at + 1, gap.at + gap.count - at - 1, gap.why),
            )
            self._missing[place : place + 1] = [part for part in parts if part.count]

    def _record(self, packets: int | None = None) -> Piece:
        size, end = self._shape.samples, self._first + self._shape.samples
        annotations = self._annotations(end)
        data = edf.record(self._form, [column[:size] for column in self._columns], annotations, self._shape)
        for column in self._columns:
            del column[:size]
        self._first = end
        while len(self._recent) > 1 and self._recent[1].at <= end - 8 * _SETTLED:
            self._recent.popleft()
        self._records += 1
        patch = (edf.COUNT_AT, edf.count_field(self._records))
        return Piece(data, patch, size if packets is None else packets)

    def _annotations(self, end: int) -> bytes:
        """The time-keeping one, losses that begin before `end`, and what else there is room for."""
        room = self._shape.annotation_bytes
        begin_s = self._start_s + self._records * self._shape.duration_s
        out = [tals.tal(begin_s, "")]
        room -= len(out[0])
        for text in self._losses(end, room):
            room -= len(text)
            out.append(text)
        self._queue(end)
        while self._texts and len(self._texts[0]) <= room:
            text = self._texts.popleft()
            room -= len(text)
            out.append(text)
        return b"".join(out)

    def _losses(self, end: int, room: int) -> list[bytes]:
        """Each by itself; where there are too many, those in this record in one annotation."""
        cut = end if self._records + 1 == self._limit else None
        due = [one for one in self._missing if one.at < end]
        self._missing = [one for one in self._missing if one.at >= end]
        if cut is not None:
            # A part ends here: the next one tells of the rest itself.
            over = [one for one in due if one.at + one.count > cut]
            self._missing[:0] = [Missing(cut, one.at + one.count - cut, one.why) for one in over]
            due = [Missing(one.at, min(one.at + one.count, cut) - one.at, one.why) for one in due]
        texts = [self._told(one) for one in due]
        lost = [one for one in due if one.why == "lost" and one.at + one.count <= end]
        if sum(map(len, texts)) > room and len(lost) > 1:
            first, span, text = tals.merged(lost)
            duration_s = Fraction(span) / self._settings.rate_hz
            others = [self._told(one) for one in due if one not in lost]
            texts = [self._tal(Fraction(first), text, duration_s), *others]
        for at in range(len(texts), 0, -1):
            if sum(map(len, texts[:at])) <= room:
                self._texts.extendleft(reversed(texts[at:]))
                return texts[:at]
        self._texts.extendleft(reversed(texts))
        return []

    def _told(self, missing: Missing) -> bytes:
        duration_s = Fraction(missing.count) / self._settings.rate_hz
        return self._tal(Fraction(missing.at), tals.missing_text(missing), duration_s)

    def _queue(self, end: int) -> None:
        """The remarks up to `end` into the queue of texts."""
        due = [remark for remark in self._remarks if remark.at < end]
        self._remarks = [remark for remark in self._remarks if remark.at >= end]
        for remark in due:
            if len(self._texts) < _WAITING:
                self._texts.append(self._tal(remark.at, tals.shortened(remark.text)))
            else:
                self.dropped += 1

    def _tal(self, at: Fraction, text: str, duration_s: Fraction | None = None) -> bytes:
        onset_s = self._start_s + max(Fraction(0), at - self._begin) / self._settings.rate_hz
        return tals.tal(onset_s, text, duration_s)


def _limit(settings: Settings, cut: edf.Shape) -> int | None:
    """After how many records a part is full."""
    return None if settings.split_s is None else max(1, round(Fraction(settings.split_s) / cut.duration_s))
