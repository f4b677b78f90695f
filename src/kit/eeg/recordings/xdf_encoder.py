"""Items to XDF: a stream of samples at the device's rate, and one of markers. Pure.

The samples are microvolts, and in two more channels the counter and the byte of switches (P3: of auxiliary
data), so that nothing of a packet is left out. A lost packet is a row of NaN: a reader that evens out the
times takes samples for contiguous. Behind more than ten seconds the times jump instead. The clock is that of
the wall, in seconds since 1970.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from math import nan
from xml.sax.saxutils import escape

from kit.eeg.batch import Mark
from kit.eeg.loss import LATE_LIMIT
from kit.eeg.recordings import tals, xdf
from kit.eeg.recordings.grid import Grid, Missing, Opening, Remark, Samples
from kit.eeg.recordings.pieces import Begin, Output, Piece, Unit
from kit.eeg.recordings.settings import Settings
from kit.eeg.records import Item, Stretch
from kit.eeg.signals import Signal

SAMPLES, MARKERS = 1, 2
_SETTLED = LATE_LIMIT + 1
_CHUNK_S, _BOUNDARY_S = Fraction(1, 2), 5
_MICRO = 1_000_000

_Row = tuple[float, list[float]]


class XdfEncoder:
    """Items in, files of chunks out."""

    unit: Unit = "piece"

    def __init__(self, settings: Settings) -> None:
        self.dropped = 0
        self._settings = settings
        self._grid = Grid(settings.rate_hz)
        self._chunk = max(1, round(_CHUNK_S * settings.rate_hz))
        self._chunks_to_boundary = round(_BOUNDARY_S / _CHUNK_S)
        self._limit = None if settings.split_s is None else Fraction(settings.split_s) * settings.rate_hz
        self._opening: Opening | None = None
        self._rows: deque[_Row] = deque()
        self._first = 0  # the index of the first row
        self._absent: list[Missing] = []  # since the last packet
        self._markers: list[tuple[float, str]] = []
        self._last_us = 0
        self._written = [0, 0]  # samples and markers in this file
        self._chunks = 0
        self._span: list[float] = []

    def take(self, items: Sequence[Item], signals: Sequence[Signal], marks: Sequence[Mark]) -> list[Output]:
        """The chunks that these complete."""
        out: list[Output] = []
        for event in self._grid.take(items, signals, marks):
            if isinstance(event, Opening):
                out += self._opened(event)
            elif isinstance(event, Remark):
                at_s = self._time_s(event.at) if event.time_us is None else event.time_us / _MICRO
                self._markers.append((at_s, event.text))
            elif isinstance(event, Missing):
                self._absent.append(event)
            elif event.block.late:
                self._put(event)
            else:
                self._add(event)
                out += self._settled()
        return out

    def finish(self) -> list[Output]:
        """The last chunks."""
        return [*self._rest()] if self._opening else []

    def _opened(self, opening: Opening) -> list[Output]:
        before, self._opening = self._opening, opening
        if before and before.layout is opening.layout:
            # A long gap: the same file goes on, and the times jump.
            text = tals.missing_text(Missing(0, opening.missing, opening.why))
            self._markers.append((self._last_us / _MICRO, text))
            out: list[Output] = [*self._flush(0)]
            self._first, self._last_us = 0, opening.time_us
            return out
        out = [*self._rest()] if before else []
        self._first, self._last_us = 0, opening.time_us
        return [*out, self._begun(opening)]

    def _begun(self, opening: Opening) -> Begin:
        settings, layout = self._settings, opening.layout
        self._written, self._chunks, self._span = [0, 0], 0, []
        origin = tals.origin(opening, settings, opening.time_us)
        return Begin(
            xdf.MAGIC
            + xdf.chunk(xdf.Tag.FILE_HEADER, _xml("<version>1.0</version>"))
            + xdf.chunk(xdf.Tag.STREAM_HEADER, _samples_header(settings, layout.channels, origin), SAMPLES)
            + xdf.chunk(xdf.Tag.STREAM_HEADER, _markers_header(), MARKERS)
            + b"".join(_clocks(opening.time_us))
            + xdf.boundary()
        )

    def _add(self, samples: Samples) -> None:
        """Rows of packets, and in front of them those of what is missing, evenly in between."""
        block = samples.block
        count = sum(missing.count for missing in self._absent)
        begin_s, end_s = self._last_us / _MICRO, block.times_us[0] / _MICRO
        step_s = (end_s - begin_s) / (count + 1)
        if count and not self._rows:
            self._first = samples.at - count
        elif not self._rows:
            self._first = samples.at
        first = samples.at - count
        for missing in self._absent:
            at_s = begin_s + (missing.at - first + 1) * step_s
            self._markers.append((at_s, tals.missing_text(missing)))
        width = len(block.channels) + 2
        self._rows.extend((begin_s + (place + 1) * step_s, [nan] * width) for place in range(count))
        self._absent = []
        self._rows.extend(self._packets(samples))
        self._last_us = block.times_us[-1]

    def _packets(self, samples: Samples) -> list[_Row]:
        scale, block = self._settings.scale, samples.block
        volts = [[scale.microvolts(count) for count in column] for column in block.channels]
        columns = zip(*volts, samples.stretch.counters, _switches(samples.stretch), strict=True)
        times_s = [time_us / _MICRO for time_us in block.times_us]
        return [(at, [*row]) for at, row in zip(times_s, columns, strict=True)]

    def _put(self, late: Samples) -> None:
        for place, (_, row) in enumerate(self._packets(late), late.at - self._first):
            if 0 <= place < len(self._rows):
                self._rows[place][1][:] = row
            else:
                self.dropped += 1

    def _settled(self) -> list[Output]:
        out: list[Output] = []
        while len(self._rows) >= self._chunk + _SETTLED:
            out.append(self._samples(self._chunk))
            if self._limit and self._written[0] >= self._limit and self._opening:
                out += self._split(self._opening)
        return out

    def _split(self, opening: Opening) -> list[Output]:
        at_s, row = self._rows[0]
        counter = opening.counter if row[-2] != row[-2] else int(row[-2])
        out: list[Output] = [*self._ended()]
        self._opening = Opening(round(at_s * _MICRO), opening.layout, counter, None)
        return [*out, self._begun(self._opening)]

    def _rest(self) -> list[Piece]:
        return [*self._flush(0), *self._ended()]

    def _flush(self, keep: int) -> list[Piece]:
        out = []
        while len(self._rows) > keep or self._markers:
            out.append(self._samples(min(self._chunk, len(self._rows))))
        return out

    def _samples(self, count: int) -> Piece:
        """The next chunk of samples, the markers so far, and a boundary now and then."""
        rows = [self._rows.popleft() for _ in range(count)]
        self._first += count
        self._chunks += 1
        markers, self._markers = sorted(self._markers), []
        self._written[0] += count
        self._written[1] += len(markers)
        parts = []
        if rows:
            self._span = [*self._span[:1], rows[0][0], rows[-1][0]]
            times_s, values = zip(*rows, strict=True)
            parts.append(xdf.chunk(xdf.Tag.SAMPLES, xdf.numbers(times_s, values), SAMPLES))
        if markers:
            times_s, told = zip(*markers, strict=True)
            parts.append(xdf.chunk(xdf.Tag.SAMPLES, xdf.texts(times_s, told), MARKERS))
        if self._chunks % self._chunks_to_boundary == 0:
            parts += [*_clocks(self._last_us), xdf.boundary()]
        return Piece(b"".join(parts), None, count)

    def _ended(self) -> list[Piece]:
        """The footers."""
        first_s, last_s = (self._span[0], self._span[-1]) if self._span else (0.0, 0.0)
        parts = [
            xdf.chunk(
                xdf.Tag.STREAM_FOOTER,
                _xml(
                    f"<first_timestamp>{first_s!r}</first_timestamp><last_timestamp>{last_s!r}</last_timestamp>"
                    f"<sample_count>{count}</sample_count>"
                ),
                stream,
            )
            for stream, count in zip((SAMPLES, MARKERS), self._written, strict=True)
        ]
        return [Piece(b"".join(parts))]

    def _time_s(self, at: Fraction) -> float:
        """When an instant of the grid was, by the newest packet."""
        newest = self._first + len(self._rows) - 1
        return float(Fraction(self._last_us) / _MICRO + (at - newest) / self._settings.rate_hz)


def _clocks(time_us: int) -> list[bytes]:
    """The clock of the streams is that of the file: a reader misses it if that is not said."""
    body = struct.pack("<dd", time_us / _MICRO, 0.0)
    return [xdf.chunk(xdf.Tag.CLOCK_OFFSET, body, stream) for stream in (SAMPLES, MARKERS)]


def _switches(stretch: Stretch) -> Sequence[int]:
    if stretch.layout.protocol == "p2":
        return stretch.data[16 :: stretch.layout.size]
    return [packet.auxiliary for packet in stretch.packets()]


def _xml(inner: str) -> bytes:
    return f'<?xml version="1.0"?><info>{inner}</info>'.encode()


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _samples_header(settings: Settings, channels: int, origin: tals.Origin) -> bytes:
    labels = [*settings.labels[:channels]]
    labels += [f"ch{number}" for number in range(len(labels) + 1, channels + 1)]
    told = [(label, "microvolts", "EEG") for label in labels]
    told += [("counter", "", "Counter"), ("switches", "", "Digital")]
    described = "".join(
        f"<channel>{_element('label', label)}{_element('unit', unit)}{_element('type', kind)}</channel>"
        for label, unit, kind in told
    )
    subject = settings.subject
    known = {
        "id": subject.code,
        "sex": subject.sex,
        "name": subject.name,
        "birthdate": subject.birthdate and subject.birthdate.isoformat(),
    }
    people = "".join(_element(name, value) for name, value in known.items() if value)
    return _xml(
        "<name>kit</name><type>EEG</type>"
        f"<channel_count>{len(told)}</channel_count><nominal_srate>{float(settings.rate_hz)!r}</nominal_srate>"
        "<channel_format>float32</channel_format>"
        f"{_element('source_id', settings.device or 'kit')}"
        f"<desc><channels>{described}</channels><subject>{people}</subject>"
        f"{_element('experimenter', settings.technician or '')}"
        f"<acquisition>{_element('software', settings.software)}{_element('device', settings.device)}"
        f"{_element('origin', origin.text())}</acquisition></desc>"
    )


def _markers_header() -> bytes:
    return _xml(
        "<name>kit markers</name><type>Markers</type><channel_count>1</channel_count>"
        "<nominal_srate>0</nominal_srate><channel_format>string</channel_format><source_id>kit</source_id>"
        "<desc></desc>"
    )
