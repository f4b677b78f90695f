"""What happens in a capture. Pure.

Beside these, a `Gap` and a `ButtonChange` of `kit.eeg.signals` are events. Each has the sequence number and
the time (microseconds since 1970) of the packet that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kit.eeg.processing.artefacts import Artefact
from kit.eeg.signals import ButtonChange, Gap


@dataclass(frozen=True, slots=True)
class Crossing:
    """A condition came true, and stayed so for its time (`on`), or it did no longer hold.

    `time_us` is when that was sure, `began_us` when it came true. `value` and `threshold` are the two sides
    of its first comparison, `values` has each of its quantities by name. Where it ended without a value, as
    there was an artefact or a loss, `value` is None.
    """

    condition: str
    number: int
    on: bool
    sequence: int
    time_us: int
    began_us: int
    value: float | None
    threshold: float | None
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression is worth now, `number` being its place; None where it has no value."""

    expression: str
    number: int
    sequence: int
    time_us: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Blinked:
    """The eyes were shut and opened; the time is that of the peak, `seen_us` when it was sure."""

    channel: int
    sequence: int
    time_us: int
    seen_us: int
    height_uv: float
    width_s: float


@dataclass(frozen=True, slots=True)
class ArtefactChange:
    """The window of a channel is no longer clean, and `why`; or it is again, and `why` is empty."""

    channel: int
    sequence: int
    time_us: int
    why: tuple[Artefact, ...]


@dataclass(frozen=True, slots=True)
class Returned:
    """A device that was away sends packets again, this the first."""

    sequence: int
    time_us: int


@dataclass(frozen=True, slots=True)
class BaselineTaken:
    """There are enough clean values: from now on the condition has its threshold."""

    condition: str
    number: int
    percent: int
    threshold: float
    sequence: int
    time_us: int


Event = Crossing | Value | Blinked | ArtefactChange | Returned | BaselineTaken | Gap | ButtonChange
