"""Reads EDF and BDF, kit's own and those of others, with edfio. Pure: it is given the bytes.

In a file of kit's the annotations tell what the packets were. Another one is mapped as it is, where its
samples are 10-bit counts of 2, 4 or 6 channels at one rate; its packets then count from 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from kit.core.errors import ProtocolError, Unavailable
from kit.eeg.dating import Dating
from kit.eeg.formats.interface import Reading
from kit.eeg.recordings import edf, tals
from kit.eeg.recordings.grid import NOT_PRESSED
from kit.eeg.recordings.held import HeldFile
from kit.eeg.recordings.replay import Sampled, readings, version_for
from kit.eeg.scale import Scale

_PADDED = "BAD_padded"
_LONGEST_S = 1e10  # of a recording, centuries: what is later is damage
_MICROVOLTS = {"uV": 1.0, "µV": 1.0, "mV": 1_000.0, "V": 1_000_000.0, "nV": 0.001}


class EdfReader(HeldFile):
    """Takes the bytes of a file, and gives its packets when it has ended."""

    def __init__(self, form: edf.Form, rate_hz: Fraction) -> None:
        super().__init__(form, rate_hz)
        self._kind: edf.Form = form

    def finish(self) -> Sequence[Reading]:
        """All packets."""
        with warnings.catch_warnings():
            # It warns of what a killed recording is like, which is what kit reads it for.
            warnings.simplefilter("ignore")
            content = _content(self._kind, self._held())
        sampled = self._own(content) or self._foreign(content)
        self._begun_us = sampled.dating.start_us if sampled.dating else None
        self._texts = [
            (round(onset * 1_000_000), text)
            for onset, _, text in sorted(content.annotations)
            if tals.is_mark(text)
        ]
        return list(readings(sampled))

    def _own(self, content: _Content) -> Sampled | None:
        origins = [origin for *_, text in content.annotations if (origin := tals.read_origin(text))]
        if not origins:
            return None
        origin = origins[0]
        if origin.channels != len(content.channels):
            raise ProtocolError(
                f"{len(content.channels)} channels, where an annotation says {origin.channels}"
            )
        self._check_rate(origin.rate_hz)
        self.scale = origin.scale
        dating = Dating(origin.start_us, origin.rate_hz) if origin.start_us else None
        sampled = Sampled(origin.version, content.counts(), origin.counter % 256, dating)
        sampled.buttons = NOT_PRESSED if origin.buttons is None else origin.buttons & 15
        _annotate(sampled, content, origin.rate_hz)
        return sampled

    def _foreign(self, content: _Content) -> Sampled:
        name = f"this file of {self._form}"
        self._check_rate(content.rate_hz)
        self.scale = content.scale
        dating = Dating(content.start_us, content.rate_hz) if content.start_us else None
        return Sampled(version_for(len(content.channels), name), content.counts(), 0, dating)

    def _check_rate(self, rate_hz: Fraction) -> None:
        if abs(rate_hz - self._rate_hz) * 10_000 > rate_hz:
            raise self._another_rate(rate_hz)


@dataclass(frozen=True)
class _Content:
    """What edfio found: digital values by channels, their least one and the scale, and the annotations."""

    channels: list[list[int]]
    lowest: int
    scale: Scale
    rate_hz: Fraction
    start_us: int
    annotations: list[tuple[float, float, str]]

    def counts(self) -> list[list[int]]:
        """The values as counts from 0 to 1023."""
        shift = -self.lowest
        return [[value + shift for value in channel] for channel in self.channels]


def _content(form: edf.Form, data: bytes) -> _Content:
    edfio = _edfio()
    try:
        found = (edfio.read_edf if form == "edf" else edfio.read_bdf)(data)
        if not found.num_data_records:
            raise ProtocolError(f"no whole record in this file of {form.upper()}")
        if not getattr(found, "is_continuous", True):
            raise ProtocolError("EDF+D, which has gaps between its records, is not read")
        annotations = [(one.onset, one.duration or 0.0, one.text) for one in found.annotations]
        return _taken(found, [one for one in annotations if abs(one[0]) + one[1] < _LONGEST_S])
    except ProtocolError:
        raise
    except Exception as error:  # noqa: BLE001 - a library at whatever bytes somebody has
        raise ProtocolError(f"no file of {form.upper()} with records: {error}") from None


def _taken(found: Any, annotations: list[tuple[float, float, str]]) -> _Content:
    signals = list(found.signals)
    if not signals:
        raise ProtocolError("a file without signals")
    rates = {Fraction(one.sampling_frequency).limit_denominator(1_000_000) for one in signals}
    if len(rates) > 1:
        raise ProtocolError("its signals have more than one rate, where OpenEEG has one")
    ranges = {(one.digital_range, one.physical_range, one.physical_dimension) for one in signals}
    if len(ranges) > 1:
        raise ProtocolError("its signals have more than one scale, where OpenEEG has one")
    channels = [one.digital.tolist() for one in signals]
    ((digital, physical, unit),) = ranges
    lowest = _lowest(channels, digital)
    factor = _MICROVOLTS.get(unit.strip(), 1.0)
    uv_per_count = factor * (physical.max - physical.min) / (digital.max - digital.min)
    zero = digital.min - physical.min * factor / uv_per_count - lowest
    scale = Scale(uv_per_count, zero, "file")
    return _Content(channels, lowest, scale, rates.pop(), _start_us(found), annotations)


def _lowest(channels: list[list[int]], digital: Any) -> int:
    """The digital value that is count 0; raises ProtocolError where the values are more than 10 bits."""
    least = min((min(channel) for channel in channels if channel), default=0)
    most = max((max(channel) for channel in channels if channel), default=0)
    for lowest in (digital.min, 0, -edf.MIDDLE):
        if lowest <= least and most < lowest + edf.COUNTS:
            return int(lowest)
    raise ProtocolError(f"its values are {least} to {most}, where OpenEEG has 10 bits")


def _start_us(found: Any) -> int:
    """When it began, taken for local time; 0 where it does not say."""
    try:
        start = datetime.combine(found.startdate, found.starttime)
        return round(start.astimezone(UTC).timestamp() * 1_000_000)
    except Exception:  # noqa: BLE001 - edfio has errors of its own for it
        return 0


def _annotate(sampled: Sampled, content: _Content, rate_hz: Fraction) -> None:
    """What the annotations say of the samples."""
    state = sampled.buttons
    for onset, duration, text in sorted(content.annotations, key=lambda one: one[0]):
        at, span = round(Fraction(onset) * rate_hz), round(Fraction(duration) * rate_hz)
        if text.startswith(_PADDED):
            sampled.channels = [channel[:at] for channel in sampled.channels]
        elif found := tals.COUNTER.match(text):
            sampled.counters[at] = int(found[1]) % 256
        elif found := tals.BUTTONS.match(text):
            state = sampled.states[at] = int(found[1]) & 15
        elif found := tals.BUTTON.match(text):
            bit = 1 << int(found[1]) - 1
            state = state & ~bit if found[2] == "pressed" else state | bit
            sampled.states[at] = state
        else:
            sampled.missing += tals.read_missing(at, span, text)


def _edfio() -> Any:
    try:
        import edfio
    except ImportError:
        raise Unavailable(
            "reading EDF and BDF takes the library edfio", hint="pip install 'kit[eeg]'"
        ) from None
    return edfio
