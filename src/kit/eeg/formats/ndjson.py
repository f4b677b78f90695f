"""NDJSON: an object a line for every event of a capture, none left out; the first is `start`, the last `end`.

Readers skip events and fields that they do not know, so both may be added; what is here keeps its meaning as
long as `format` is 1. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from kit.eeg.dating import Dating
from kit.eeg.formats.columns import Shape, texts, times_of
from kit.eeg.records import (
    Duplicate,
    Ended,
    Interrupted,
    Item,
    Lost,
    Recognised,
    Reordered,
    Restarted,
    Run,
    Skipped,
)
from kit.eeg.scale import Scale

FORMAT = 1

_Fields = dict[str, Any]


class NdjsonWriter:
    """Writes every item; channels are counts, or with `units_uv` microvolts under a name of their own."""

    def __init__(self, dating: Dating, scale: Scale, *, units_uv: bool) -> None:
        self._dating = dating
        self._scale = scale
        self._units_uv = units_uv
        name = "channels_uv" if units_uv else "channels"
        self._shape = Shape(
            texts(scale if units_uv else None),
            opening=f',"{name}":[',
            between=",",
            closing='],"buttons":',
            after=',"auxiliary":',
            unknown="null",
        )

    def head(self) -> bytes:
        """The event `start`."""
        rate_hz = self._dating.rate_hz
        fields = {
            "format": FORMAT,
            "units": "uv" if self._units_uv else "adc",
            "uv_per_count": self._scale.uv_per_count,
            "zero": self._scale.zero,
            "scale_origin": self._scale.origin,
            "rate_hz": rate_hz.numerator if rate_hz.denominator == 1 else float(rate_hz),
            "start_us": self._dating.start_us,
        }
        return _line("start", fields).encode()

    def render(self, items: Iterable[Item]) -> bytes:
        """A line for each packet, and for each of the other items."""
        lines: list[str] = []
        for item in items:
            if isinstance(item, Run):
                lines += self._packets(item)
            else:
                name, fields = _EVENTS[type(item)]
                lines.append(_line(name, fields(item)))
        return "".join(lines).encode()

    def tail(self) -> bytes:
        """Nothing: `end` is an item."""
        return b""

    def _packets(self, run: Run) -> list[str]:
        times, cells = times_of(run, self._dating), self._shape.cells(run.stretch)
        unknown = ["null"] * len(cells)
        size, begin, first = run.stretch.layout.size, run.stretch.offset, run.sequence
        columns = zip(
            range(begin, begin + size * len(cells), size),
            range(first, first + len(cells)),
            times.wall_us,
            times.monotonic_us or unknown,
            times.sampled_us or unknown,
            cells,
            strict=True,
        )
        version = run.stretch.layout.version
        ending = ',"repeated":true}\n' if run.repeated else "}\n"
        return [
            f'{{"event":"packet","offset":{offset},"sequence":{sequence},"time_us":{wall_us},'
            f'"monotonic_us":{monotonic_us},"sampled_us":{sampled_us},"version":{version},"counter":{cell}{ending}'
            for offset, sequence, wall_us, monotonic_us, sampled_us, cell in columns
        ]


def _line(event: str, fields: _Fields) -> str:
    return json.dumps({"event": event, **fields}, separators=(",", ":")) + "\n"


def _skip(item: Skipped) -> _Fields:
    return {
        "offset": item.offset,
        "count": item.count,
        "bytes": None if item.uncopied else item.data.hex(),
    }


def _lost(item: Lost) -> _Fields:
    low, high = item.low, item.high
    if item.by == "counter":
        low, high = (0 if item.may_be_restart else item.count), item.count
    return {
        "sequence": item.sequence,
        "count": item.count,
        "offset": item.offset,
        "by": item.by,
        "low": low,
        "high": high,
        "may_be_restart": item.may_be_restart,
    }


def _placed(item: Duplicate | Reordered) -> _Fields:
    return {"sequence": item.sequence, "offset": item.offset}


def _restart(item: Restarted) -> _Fields:
    return {
        "sequence": item.sequence,
        "counter": item.counter,
        "offset": item.offset,
        "or_lost": item.or_lost,
    }


def _protocol(item: Recognised) -> _Fields:
    return {"protocol": item.protocol, "channels": item.channels, "offset": item.offset}


def _interrupted(item: Interrupted) -> _Fields:
    return {"offset": item.offset, "time_us": item.wall_us, "reason": item.reason}


def _end(item: Ended) -> _Fields:
    return {
        "reason": item.reason,
        "packets": item.packets,
        "lost": item.lost,
        "skipped": item.skipped,
        "duplicates": item.duplicates,
        "reordered": item.reordered,
        "restarts": item.restarts,
        "bytes": item.bytes,
        "duration_us": item.duration_us,
    }


_EVENTS: dict[type, tuple[str, Callable[[Any], _Fields]]] = {
    Skipped: ("skip", _skip),
    Lost: ("lost", _lost),
    Duplicate: ("duplicate", _placed),
    Reordered: ("reordered", _placed),
    Restarted: ("restart", _restart),
    Recognised: ("protocol", _protocol),
    Interrupted: ("interrupted", _interrupted),
    Ended: ("end", _end),
}
