"""Reads kit's XDF back into packets, also what is torn or damaged. Pure: it is given the bytes."""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import isnan
from typing import Any
from xml.sax.saxutils import unescape

from kit.core.errors import ProtocolError
from kit.eeg import p2, p3
from kit.eeg.formats.columns import COUNTS
from kit.eeg.formats.interface import Missed, Reading
from kit.eeg.recordings import tals, xdf
from kit.eeg.recordings.grid import LONGEST_GAP_S, Missing
from kit.eeg.recordings.held import HeldFile
from kit.eeg.recordings.xdf_encoder import MARKERS, SAMPLES
from kit.eeg.records import Gone, Packet, Stretch, Times

_MICRO = 1_000_000
_BYTES = {float(number): number for number in range(256)}
_LATEST_S = 253_402_300_800  # the year 10000
_ORIGIN = re.compile(r"<origin>([^<]*)</origin>")

# A time in microseconds, and the counts, the counter and the switches; None where the packet is missing.
_Row = tuple[int, tuple[Any, ...] | None]


class XdfReader(HeldFile):
    """Takes the bytes of a file, and gives its packets when it has ended."""

    def __init__(self, rate_hz: Fraction) -> None:
        super().__init__("xdf", rate_hz)

    def finish(self) -> Sequence[Reading]:
        """All packets."""
        data = self._held()
        origin: tals.Origin | None = None
        samples: _Samples | None = None
        rows: list[_Row] = []
        marks: list[tuple[int, str]] = []
        for chunk in (one for whole in xdf.stretches(data) for one in whole.chunks):
            if chunk.tag == xdf.Tag.STREAM_HEADER and chunk.stream == SAMPLES:
                origin = _origin(chunk.body)
                samples = _Samples(origin) if origin else None
            elif chunk.tag == xdf.Tag.SAMPLES and chunk.stream == SAMPLES and samples:
                rows += samples.rows(chunk.body)
            elif chunk.tag == xdf.Tag.SAMPLES and chunk.stream == MARKERS:
                marks += _marks(chunk.body)
        if origin is None:
            raise ProtocolError("no recording of kit's in this file of XDF")
        if origin.rate_hz != self._rate_hz:
            raise self._another_rate(origin.rate_hz)
        self.scale = origin.scale
        self._begun_us = 0
        marks.sort()
        self._texts = [(at_us, text) for at_us, text in marks if tals.is_mark(text)]
        return list(_Replay(origin, rows, marks).readings())


def _origin(body: bytes) -> tals.Origin | None:
    found = _ORIGIN.search(body.decode(errors="replace"))
    return tals.read_origin(unescape(found[1])) if found else None


class _Samples:
    """Chunks of samples of one file, as rows of counts, a counter and switches."""

    def __init__(self, origin: tals.Origin) -> None:
        self._row = struct.Struct(f"<Bd{origin.channels + 2}f")
        voltages = struct.pack(f"<{COUNTS}f", *map(origin.scale.microvolts, range(COUNTS)))
        # The format has no checksum, but what is none of these is no sample.
        self._counts = {volt: count for count, (volt,) in enumerate(struct.iter_unpack("<f", voltages))}

    def rows(self, body: bytes) -> Iterator[_Row]:
        """The rows of a chunk, each with its time in microseconds, up to one that is damaged."""
        begin, count = xdf.read_length(body, 0) or (0, 0)
        end = begin + min(count, (len(body) - begin) // self._row.size) * self._row.size
        counts = self._counts.get
        for kind, at_s, *values in self._row.iter_unpack(body[begin:end]):
            if kind != 8 or not 0 <= at_s < _LATEST_S:
                return
            *volts, counter, switches = values
            row = (*map(counts, volts), _BYTES.get(counter), _BYTES.get(switches))
            if None not in row:
                yield round(at_s * _MICRO), row
            elif all(map(isnan, values)):
                yield round(at_s * _MICRO), None
            else:
                return


def _marks(body: bytes) -> Iterator[tuple[int, str]]:
    found = xdf.read_length(body, 0)
    at, count = found or (0, 0)
    for _ in range(count):
        inner = xdf.read_length(body, at + 9)
        if inner is None or body[at] != 8 or sum(inner) > len(body):
            return
        (at_s,) = struct.unpack_from("<d", body, at + 1)
        if not 0 <= at_s < _LATEST_S:
            return
        begin, size = inner
        at = begin + size
        yield round(at_s * _MICRO), body[begin:at].decode(errors="replace")


class _Replay:
    """The rows as packets, with what the markers say between them."""

    def __init__(self, origin: tals.Origin, rows: list[_Row], marks: list[tuple[int, str]]) -> None:
        self._origin = origin
        self._rows = rows
        times = [at_us for at_us, _ in rows]
        self._absent = False
        half_us = int(500_000 / origin.rate_hz)
        self._events: dict[int, list[Missing]] = {}
        for at_us, text in marks:
            for missing in tals.read_missing(0, 0, text):
                place = bisect_left(times, at_us - half_us)
                far = place + 1 if self._jumps(place) else place
                self._events.setdefault(far, []).append(missing)

    def readings(self) -> Iterator[Reading]:
        begin = offset = 0
        rows = self._rows
        for place in range(len(rows) + 1):
            if place < len(rows) and not self._breaks(place):
                continue
            stretch = self._stretch(begin, place, offset)
            if stretch:
                offset += len(stretch.data)
                yield stretch, Times((), (), [at_us for at_us, _ in rows[begin:place]])
            begin = place
            if place < len(rows):
                yield from self._between(place)
                begin = place if not _is_missing(rows[place]) else place + 1

    def _breaks(self, place: int) -> bool:
        return _is_missing(self._rows[place]) or place in self._events

    def _jumps(self, place: int) -> bool:
        """Is the row behind this one far from it?"""
        if place + 1 >= len(self._rows):
            return False
        return self._rows[place + 1][0] - self._rows[place][0] > LONGEST_GAP_S * _MICRO

    def _between(self, place: int) -> Iterator[Reading]:
        events = self._events.get(place, [])
        if events:
            # The time of an absence is no loss: nobody knows what the device sent then.
            self._absent = events[-1].why != "lost"
        for missing in events:
            if missing.why == "restarted":
                yield Missed(0, restarted=True), None
            elif missing.why == "away":
                yield Gone("it was away", 0, self._rows[place][0] * 1000), None
            elif place and self._jumps(place - 1):
                yield Missed(missing.count), None
        if _is_missing(self._rows[place]) and not self._absent:
            yield Missed(1), None

    def _stretch(self, begin: int, end: int, offset: int) -> Stretch | None:
        rows = [values for _, values in self._rows[begin:end] if values]
        if not rows:
            return None
        if self._origin.version == p2.VERSION:
            *columns, counters, switches = zip(*rows, strict=True)
            return Stretch(p2.LAYOUT, offset, p2.encode_columns(counters, columns, switches))
        packets = (
            Packet(0, p3.VERSION, counter, tuple(counts), None, byte) for *counts, counter, byte in rows
        )
        try:
            data = b"".join(map(p3.encode, packets))
        except ValueError as error:
            raise ProtocolError(f"a sample that is no packet: {error}") from None
        return Stretch(p3.layout(self._origin.channels), offset, data)


def _is_missing(row: _Row) -> bool:
    return row[1] is None
