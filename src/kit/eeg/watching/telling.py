"""Events in words, as records, and as a command's environment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.eeg.signals import ButtonChange, Gap
from kit.eeg.watching.events import ArtefactChange, BaselineTaken, Blinked, Crossing, Event, Returned

_PREFIX = "KIT_EEG_"
# What a record has beside the event, its time and its sequence number.
FIELDS: Mapping[type, tuple[str, ...]] = {
    Crossing: ("condition", "began_us", "value", "threshold", "values"),
    Blinked: ("channel", "seen_us", "height_uv", "width_s"),
    ButtonChange: ("button", "pressed"),
    ArtefactChange: ("channel", "why"),
    BaselineTaken: ("condition", "percent", "threshold"),
    Gap: ("count",),
}


def words(event: Event) -> str:
    """For a person."""
    if isinstance(event, Crossing):
        return f"{event.condition}: {_state(event)}"
    if isinstance(event, Blinked):
        return f"blink on channel {event.channel}, {abs(event.height_uv):.0f} µV"
    if isinstance(event, ButtonChange):
        return event.text
    if isinstance(event, ArtefactChange):
        return f"channel {event.channel}: {', '.join(event.why) or 'clean'}"
    if isinstance(event, BaselineTaken):
        return f"{event.condition}: p{event.percent} is {event.threshold:.3g}"
    if isinstance(event, Gap):
        return _gap(event)
    return "the device is back" if isinstance(event, Returned) else f"{event.expression}: {event.value}"


def _state(crossing: Crossing) -> str:
    value = "" if crossing.value is None else f"{crossing.value:.3g}"
    if crossing.on:
        return value or "true"
    if value:
        return f"ended, {value}"
    return "ended" if crossing.threshold is None else "ended, no value"


def _gap(gap: Gap) -> str:
    if gap.why == "away":
        return "the device went away"
    if gap.why == "restarted":
        return "the device began anew"
    return f"{gap.count} packet{'' if gap.count == 1 else 's'} lost"


def record(event: Event) -> dict[str, Any]:
    """What `--json` shows; the fields are a promise (kit-eeg(1))."""
    begin = {"event": _name(event), "time_us": event.time_us, "sequence": event.sequence}
    return {**begin, **{name: getattr(event, name) for name in FIELDS.get(type(event), ())}}


def _name(event: Event) -> str:
    if isinstance(event, Crossing):
        return "on" if event.on else "off"
    if isinstance(event, Gap):
        return event.why
    names: Mapping[type, str] = {
        Blinked: "blink",
        ButtonChange: "button",
        ArtefactChange: "artefact",
        BaselineTaken: "baseline",
        Returned: "back",
    }
    return names.get(type(event), "value")


def environment(crossing: Crossing) -> dict[str, str]:
    """What a command is told: a variable for each value that there is."""
    values: dict[str, float | None] = {name.upper(): value for name, value in crossing.values.items()}
    values |= {"VALUE": crossing.value, "THRESHOLD": crossing.threshold}
    found = {_PREFIX + name: f"{value:.6g}" for name, value in values.items() if value is not None}
    seconds, microseconds = divmod(crossing.time_us, 1_000_000)
    return {
        **found,
        f"{_PREFIX}WHEN": crossing.condition,
        f"{_PREFIX}TIME": f"{seconds}.{microseconds:06}",
        f"{_PREFIX}SEQUENCE": str(crossing.sequence),
    }
