"""EDF+ and BDF+: the header of a contiguous recording, and its records. Pure.

    0    version (EDF: '0', BDF: FF 'BIOSEMI'), who, what        8, 80, 80 bytes
    168  date, time, bytes of header, 'EDF+C', number of records (at 236), seconds of one, number of signals
    256  for all signals, field by field: label, transducer, unit, physical and digital range, filter,
         samples a record

A record has the samples of each signal in turn, 2 bytes (EDF) or 3 (BDF) each, little-endian, the annotations
as the last signal. -1 records are those of a recording that goes on. Source: the EDF+ specification, 2003.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Literal

from kit.core.errors import UsageError
from kit.eeg.recordings.settings import Settings, Subject
from kit.eeg.scale import Scale

Form = Literal["edf", "bdf"]

COUNT_AT, COUNT_LENGTH = 236, 8
ANNOTATIONS = {"edf": "EDF Annotations", "bdf": "BDF Annotations"}
SAMPLE_BYTES = {"edf": 2, "bdf": 3}
VERSIONS = {"edf": b"0       ", "bdf": b"\xffBIOSEMI"}
COUNTS = 1024
# Counts stand around zero, as the filters of those who read them expect.
MIDDLE = 512
_ANNOTATION_RANGE = {"edf": (-32768, 32767), "bdf": (-8388608, 8388607)}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# The ModularEEG's own, by NeuroServer's header.
_FILTERS = "HP:0.16Hz LP:59Hz"
# A record of more bytes is not recommended.
_RECORD_LIMIT = 61_440
_FIRST_YEAR = 1985
_UNDATED = "01.01.85", "00.00.00"
# How much of the range of voltages the limits may be off that eight characters can say.
_NEAR = 0.001
_FORBIDDEN = re.compile(r"[^!-~]+")


@dataclass(frozen=True, slots=True)
class Shape:
    """How records are cut: so many samples each, which take so many seconds, and bytes for annotations."""

    samples: int
    duration_s: Fraction
    annotation_bytes: int


def shape(rate_hz: Fraction, channels: int) -> Shape:
    """Records of a second, or near it: a whole number of samples whose time a header can say exactly."""
    limit = max(1, min(round(rate_hz), (_RECORD_LIMIT // 3 - 400) // max(1, channels)))
    near = [count for count in range(limit, max(0, limit - limit // 10 - 1), -1) if _sayable(count / rate_hz)]
    samples = near[0] if near else limit
    # Each lost sample of a record may need a bit, as a quarter of a hexadecimal digit, and there are marks.
    annotation_bytes = 240 + samples // 4
    return Shape(samples, samples / rate_hz, annotation_bytes + -annotation_bytes % 6)


def _sayable(duration_s: Fraction) -> bool:
    return len(_seconds(duration_s)) <= 8 and Fraction(_seconds(duration_s)) == duration_s


def _seconds(duration_s: Fraction) -> str:
    return f"{float(duration_s):.6f}".rstrip("0").rstrip(".")[:8]


def header(form: Form, settings: Settings, channels: int, start: datetime | None, cut: Shape) -> bytes:
    """The header of a recording that has no record yet; without a start it tells no date."""
    signals = channels + 1
    day, clock = (f"{start:%d.%m.%y}", f"{start:%H.%M.%S}") if start else _UNDATED
    fixed = (
        VERSIONS[form]
        + _field(_patient(settings.subject), 80)
        + _field(_recording(settings, start), 80)
        + _field(day, 8)
        + _field(clock, 8)
        + _field(str(256 * (signals + 1)), 8)
        + _field(f"{form.upper()}+C", 44)
        + count_field(-1)
        + _field(_seconds(cut.duration_s), 8)
        + _field(str(signals), 4)
    )
    columns = _columns(form, settings, channels, cut)
    return fixed + b"".join(_field(text, width) for width, texts in columns for text in texts)


def _columns(
    form: Form, settings: Settings, channels: int, cut: Shape
) -> tuple[tuple[int, Sequence[str]], ...]:
    low, high = _physical(settings.scale)
    lowest, highest = _ANNOTATION_RANGE[form]
    return (
        (16, [*_labels(settings.labels, channels), ANNOTATIONS[form]]),
        (80, [""] * (channels + 1)),
        (8, ["uV"] * channels + [""]),
        (8, [low] * channels + ["-1"]),
        (8, [high] * channels + ["1"]),
        (8, [str(-MIDDLE)] * channels + [str(lowest)]),
        (8, [str(COUNTS - 1 - MIDDLE)] * channels + [str(highest)]),
        (80, [_FILTERS] * channels + [""]),
        (8, [str(cut.samples)] * channels + [str(cut.annotation_bytes // SAMPLE_BYTES[form])]),
        (32, [""] * (channels + 1)),
    )


def count_field(records: int) -> bytes:
    """The number of records, as it stands at `COUNT_AT`."""
    return _field(str(records), COUNT_LENGTH)


def record(form: Form, channels: Sequence[Sequence[int]], annotations: bytes, cut: Shape) -> bytes:
    """A record's bytes: counts from 0 to 1023 by channels, and its annotations, which have to fit."""
    parts = [_samples(form, counts) for counts in channels]
    return b"".join(parts) + annotations.ljust(cut.annotation_bytes, b"\0")


def _samples(form: Form, counts: Sequence[int]) -> bytes:
    if form == "edf":
        values = array("h", [count - MIDDLE for count in counts])
        if array("h", [1]).tobytes() != b"\1\0":
            values.byteswap()
        return values.tobytes()
    return b"".join([_THREE[count] for count in counts])


_THREE = [(count - MIDDLE).to_bytes(3, "little", signed=True) for count in range(COUNTS)]


def start_of(time_us: int) -> datetime | None:
    """When a recording began, by the clock on the wall; None where that cannot be meant, or not be said."""
    try:
        start = datetime.fromtimestamp(time_us // 1_000_000)
    except (OverflowError, ValueError, OSError):
        return None
    return start if start.year >= _FIRST_YEAR else None


def _field(text: str, width: int) -> bytes:
    return text.encode("ascii", "replace")[:width].ljust(width)


def _patient(subject: Subject) -> str:
    born = _date(subject.birthdate) if subject.birthdate else "X"
    return " ".join([_word(subject.code), _word(subject.sex), born, _word(subject.name)])


def _recording(settings: Settings, start: datetime | None) -> str:
    scale = settings.scale
    told = f"{settings.software} {scale.uv_per_count:.6g}uV/count({scale.origin}) {settings.device}"
    equipment = _word(told)
    day = _date(start.date()) if start else "X"
    return " ".join(["Startdate", day, "X", _word(settings.technician), equipment])


def _word(text: str | None) -> str:
    """A subfield: no space in it, X where nothing is known."""
    return _FORBIDDEN.sub("_", text.strip()) if text and text.strip() else "X"


def _date(day: date) -> str:
    return f"{day.day:02}-{_MONTHS[day.month - 1]}-{day.year:04}"


def _labels(given: Sequence[str], channels: int) -> list[str]:
    labels = [f"EEG {_FORBIDDEN.sub('_', label)}" for label in given[:channels]]
    return labels + [f"EEG ch{number}" for number in range(len(labels) + 1, channels + 1)]


def _physical(scale: Scale) -> tuple[str, str]:
    """The voltages of the least and the greatest count, in eight characters each."""
    span = abs(scale.uv_per_count) * COUNTS
    exact = scale.microvolts(0), scale.microvolts(COUNTS - 1)
    low, high = map(_eight, exact)
    told = (abs(float(text or "inf") - value) for text, value in zip((low, high), exact, strict=True))
    if low is None or high is None or max(told) > _NEAR * span:
        raise UsageError(f"{scale.uv_per_count:g} µV a count cannot be said in a header of EDF")
    return low, high


def _eight(value: float) -> str | None:
    for digits in range(6, -1, -1):
        text = f"{value + 0.0:.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        if len(text) <= 8:
            return text
    return None
