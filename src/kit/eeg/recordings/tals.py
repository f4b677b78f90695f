"""EDF+ annotations: their bytes, and the texts by which kit tells what a sample is. Pure.

A time-stamped annotation list (TAL) is `+ONSET [15 DURATION] 14 TEXT 14 00` (numbers in hexadecimal); the
first of each record has an empty text and says when the record begins.

    kit P2, 6 channels, …       at the first sample: what `Origin` has
    kit counter N               the packet at this sample has this counter, and the next ones go on from it
    kit buttons N               the state of the buttons, the first one of a P3 device
    button N pressed, released  a change
    BAD_lost N packets          these samples are none: they repeat the last one before
    BAD_lost N of M packets: X  the same of N of M samples; X has a bit for each, from the left
    BAD_restarted, BAD_away     the device began anew, or was away, for as long
    BAD_padded N packets        the last record is filled up

What begins with BAD is left out by MNE's `reject_by_annotation`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from kit.eeg.recordings.grid import Missing, Opening
from kit.eeg.recordings.settings import Settings
from kit.eeg.scale import Scale

TEXT_LIMIT = 120
_DIGITS = 9
_PARENTHESES = re.compile(r"[()]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_ORIGIN = re.compile(
    r"kit P(?P<version>[23]), (?P<channels>\d) channels, "
    r"counter (?P<counter>\d+), buttons (?P<buttons>\d+|-), "
    r"(?P<uv>[-+.e\d]+) uV a count \((?P<origin>[^()]{1,60})\), "
    r"zero (?P<zero>[-+.e\d]+), rate (?P<rate>[\d/]+), "
    r"start (?P<start>\d+)\Z"
)
_LOST = re.compile(r"BAD_lost (\d{1,9}) packets?\Z")
_SOME_LOST = re.compile(r"BAD_lost (\d{1,9}) of (\d{1,9}) packets: ([0-9a-f]+)\Z")
COUNTER = re.compile(r"kit counter (\d{1,3})\Z")
BUTTONS = re.compile(r"kit buttons (\d{1,2})\Z")
BUTTON = re.compile(r"button ([1-4]) (pressed|released)\Z")
_MISSING = re.compile(r"BAD_(lost \d|(restarted|away)\Z|padded)")


@dataclass(frozen=True, slots=True)
class Origin:
    """What the first packet of a file was, and what its counts mean; a `start_us` of 0 is not known."""

    version: int
    channels: int
    counter: int
    buttons: int | None
    scale: Scale
    rate_hz: Fraction
    start_us: int

    def text(self) -> str:
        """As an annotation."""
        buttons = "-" if self.buttons is None else self.buttons
        scale = self.scale
        origin = _PARENTHESES.sub("", scale.origin)[:60] or "given"
        return (
            f"kit P{self.version}, {self.channels} channels, counter {self.counter}, buttons {buttons}, "
            f"{scale.uv_per_count!r} uV a count ({origin}), zero {scale.zero!r}, rate {self.rate_hz}, "
            f"start {self.start_us}"
        )


def origin(opening: Opening, settings: Settings, start_us: int) -> Origin:
    """That of a file which begins there."""
    layout = opening.layout
    return Origin(
        layout.version,
        layout.channels,
        opening.counter,
        opening.buttons,
        settings.scale,
        settings.rate_hz,
        start_us,
    )


def read_origin(text: str) -> Origin | None:
    """The origin that an annotation tells, if it does."""
    found = _ORIGIN.match(text)
    if not found:
        return None
    try:
        return Origin(
            int(found["version"]),
            int(found["channels"]),
            int(found["counter"]),
            None if found["buttons"] == "-" else int(found["buttons"]),
            Scale(float(found["uv"]), float(found["zero"]), found["origin"]),
            Fraction(found["rate"]),
            int(found["start"]),
        )
    except (ValueError, ZeroDivisionError):
        return None


def is_mark(text: str) -> bool:
    """Is it somebody's, and not what kit tells of the samples?"""
    told = (_ORIGIN, COUNTER, BUTTONS, BUTTON, _MISSING)
    return bool(text) and not any(pattern.match(text) for pattern in told)


def decimal(number: Fraction) -> str:
    """A number of seconds, without digits that say nothing."""
    text = f"{float(number):.{_DIGITS}f}"
    return text.rstrip("0").rstrip(".")


def tal(onset_s: Fraction, text: str, duration_s: Fraction | None = None) -> bytes:
    """One annotation; its text is made fit to stand in one."""
    clean = _CONTROL.sub(" ", text).encode(errors="replace")
    sign = "" if onset_s < 0 else "+"
    duration = "" if duration_s is None else f"\x15{decimal(duration_s)}"
    return f"{sign}{decimal(onset_s)}{duration}\x14".encode() + clean + b"\x14\x00"


def shortened(text: str) -> str:
    """At most so much of a mark that it has room in any record."""
    while len(text.encode(errors="replace")) > TEXT_LIMIT:
        text = text[:-1]
    return text


def missing_text(missing: Missing) -> str:
    """What is said of samples that are none."""
    if missing.why != "lost":
        return f"BAD_{missing.why}"
    return f"BAD_lost {missing.count} packet" + ("" if missing.count == 1 else "s")


def merged(lost: Sequence[Missing]) -> tuple[int, int, str]:
    """Several losses in one annotation: the first sample, how many they span, and the text."""
    first, last = lost[0].at, lost[-1].at + lost[-1].count
    bits = 0
    for one in lost:
        bits |= ((1 << one.count) - 1) << (last - one.at - one.count)
    span = last - first
    padding = -span % 4
    digits = f"{bits << padding:0{(span + padding) // 4}x}"
    return first, span, f"BAD_lost {sum(one.count for one in lost)} of {span} packets: {digits}"


def read_missing(at: int, span: int, text: str) -> list[Missing]:
    """What an annotation over `span` samples from `at` on says of them; nothing for another text."""
    if found := _LOST.match(text):
        return [Missing(at, int(found[1]), "lost")]
    if found := _SOME_LOST.match(text):
        return _unmerged(at, int(found[2]), found[3])
    if text == "BAD_restarted":
        return [Missing(at, span, "restarted")]
    return [Missing(at, span, "away")] if text == "BAD_away" else []


def _unmerged(at: int, span: int, digits: str) -> list[Missing]:
    bits = bin(int(digits, 16))[2:].zfill(4 * len(digits))[:span]
    return [Missing(at + run.start(), len(run[0]), "lost") for run in re.finditer("1+", bits)]
