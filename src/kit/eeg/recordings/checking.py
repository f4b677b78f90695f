"""Is a recording whole? What a kill, a full disk or another program left at its end. Pure.

Mended is what needs no guess: the rest of a record, chunk or line that never was complete is cut off, and the
number of records is entered. Nothing that is whole is touched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from kit.core.errors import ProtocolError
from kit.eeg.recordings import edf, xdf

Kind = Literal["torn", "count", "damaged"]
_LINES = ("csv", "tsv", "ndjson", "eegreader", "eegreader-json", "table")
_LONGEST_LENGTH, _LARGEST_CHUNK = 9, 1 << 24
CHECKED = ("edf", "bdf", "xdf", *_LINES)


@dataclass(frozen=True, slots=True)
class Checked:
    """What is there: `whole` bytes, behind them `torn` ones; in EDF and BDF records, and how many are told.

    `damaged` chunks of XDF are within the file: a reader goes on behind them, and nobody can mend them.
    """

    form: str
    whole: int
    torn: int
    records: int | None = None
    told: int | None = None
    duration_s: float | None = None
    damaged: int = 0

    @property
    def faults(self) -> tuple[Kind, ...]:
        """What is the matter."""
        found: list[Kind] = ["torn"] if self.torn else []
        found += ["count"] if self.records != self.told else []
        return (*found, "damaged") if self.damaged else tuple(found)

    @property
    def can_be_mended(self) -> bool:
        """Is there something that a repair would change?"""
        return bool(self.torn) or self.records != self.told

    @property
    def patch(self) -> tuple[int, bytes] | None:
        """What is to be written where, when the file has been cut."""
        if self.records is None or self.records == self.told:
            return None
        return edf.COUNT_AT, edf.count_field(self.records)


def check(form: str, data: bytes) -> Checked:
    """Look at a recording of that format; raises ProtocolError where not even its begin is there."""
    if form in ("edf", "bdf"):
        return _edf("edf" if form == "edf" else "bdf", data)
    if form == "xdf":
        return _xdf(data)
    whole = data.rfind(b"\n") + 1
    if form in ("ndjson", "eegreader-json") and _is_object(data[whole:]):
        whole = len(data)
    return Checked(form, whole, len(data) - whole)


def _edf(form: edf.Form, data: bytes) -> Checked:
    header, told, duration_s, sizes = _layout(form, data)
    size = sum(sizes)
    records = max(0, (len(data) - header) // size)
    # A crash of the machine can leave room for a record that was never written.
    place = _label(form, data)
    at = header + sum(sizes[:place]) - size
    while records and place >= 0 and not any(data[at + records * size :][: sizes[place]]):
        records -= 1
    whole = header + records * size
    return Checked(form, whole, len(data) - whole, records, told, records * duration_s)


def _layout(form: edf.Form, data: bytes) -> tuple[int, int, float, list[int]]:
    """Bytes of the header, records by it, seconds of one, and bytes of each signal in one."""
    try:
        header, told = int(data[184:192]), int(data[236:244])
        duration_s, signals = float(data[244:252]), int(data[252:256])
        begin = 256 + 216 * signals
        if signals < 1 or header != 256 * (signals + 1) or len(data) < header:
            raise ValueError
        counts = [int(data[begin + 8 * place : begin + 8 * place + 8]) for place in range(signals)]
        if min(counts) < 0 or not sum(counts):
            raise ValueError
    except ValueError:
        raise ProtocolError(
            f"the header of {form.upper()} is cut or damaged: there is nothing to mend"
        ) from None
    return header, told, duration_s, [edf.SAMPLE_BYTES[form] * count for count in counts]


def _label(form: edf.Form, data: bytes) -> int:
    """Which of the signals has the annotations, of which a record always has one; -1 if none has."""
    signals = int(data[252:256])
    labels = [data[256 + 16 * place : 272 + 16 * place].strip() for place in range(signals)]
    wanted = edf.ANNOTATIONS[form].encode()
    return labels.index(wanted) if wanted in labels else -1


def _xdf(data: bytes) -> Checked:
    end, damaged = len(xdf.MAGIC), 0
    for whole_until in xdf.stretches(data):
        damaged += whole_until.damaged
        end = whole_until.end
    if end == len(xdf.MAGIC):
        raise ProtocolError("no whole chunk of XDF, which nobody can mend")
    torn = len(data) - end
    if torn and not _is_cut(data, end):
        # What lies there may be whole for somebody cleverer.
        return Checked("xdf", len(data), 0, damaged=damaged + 1)
    return Checked("xdf", end, torn, damaged=damaged)


def _is_cut(data: bytes, at: int) -> bool:
    """Is it the begin of a chunk, the rest of which is missing?"""
    found = xdf.read_length(data, at)
    if found is None:
        return len(data) - at < _LONGEST_LENGTH and data[at] in (1, 4, 8)
    return len(data) < sum(found) < len(data) + _LARGEST_CHUNK


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
