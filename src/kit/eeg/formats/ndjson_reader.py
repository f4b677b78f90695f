"""Reads NDJSON: packets, skips and interruptions; what the counters mean is found anew behind it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, TypeGuard

from kit.core.text import printable
from kit.eeg import p2, p3
from kit.eeg.formats import batches
from kit.eeg.formats.columns import count_of
from kit.eeg.formats.lines import LineReader
from kit.eeg.formats.ndjson import FORMAT
from kit.eeg.formats.rows import Row
from kit.eeg.records import Times
from kit.eeg.scale import Scale

_BATCH = 1024
_LARGEST = 10**18
_PACKET = '{"event":"packet",'
_NUMBER = "(0|[1-9][0-9]{0,17})"
_TIME = "(0|[1-9][0-9]{0,17}|null)"
_VALUE = "([-+.0-9e]{1,20})"
# A packet of P2 as the writer writes it: by far the most lines of most files.
_PLAIN = re.compile(
    rf'^\{{"event":"packet","offset":{_NUMBER},"sequence":(?:0|[1-9][0-9]{{0,17}}),"time_us":{_TIME},'
    rf'"monotonic_us":{_TIME},"sampled_us":{_TIME},"version":2,"counter":([0-9]{{1,3}}),'
    rf'"channels(_uv)?":\[{_VALUE},{_VALUE},{_VALUE},{_VALUE},{_VALUE},{_VALUE}\],'
    r'"buttons":([0-9]{1,2}),"auxiliary":([0-9]{1,2})(?:,"repeated":true)?\}$',
    re.MULTILINE,
)


class NdjsonReader(LineReader):
    """Reads an object a line; `scale` is what microvolts mean where the file does not say."""

    _self_delimiting = True

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self._scale = scale
        self._events: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
            "start": self._start,
            "packet": self._packet,
            "skip": self._skip,
            "interrupted": self._interrupted,
        }

    def _parse_line(self, line: str) -> None:
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            raise self._wrong(f"not a JSON object: {printable(line, 40)!r}") from None
        if not isinstance(fields, dict) or not isinstance(fields.get("event"), str):
            raise self._wrong("not a JSON object with an event")
        take = self._events.get(fields["event"])
        if take:
            take(fields)

    def _start(self, fields: Mapping[str, Any]) -> None:
        if self._whole(fields, "format") not in (None, FORMAT):
            raise self._wrong(f"format {fields['format']}, where this program knows {FORMAT}")
        uv_per_count, zero = fields.get("uv_per_count"), fields.get("zero")
        if uv_per_count is None or zero is None:
            return
        if not (_is_number(uv_per_count) and _is_number(zero)):
            raise self._wrong("uv_per_count and zero: not numbers")
        if not 1e-9 < abs(uv_per_count) < 1e9 or abs(zero) > 1e6:
            raise self._wrong(f"no scale has {uv_per_count:g} µV a count and zero at {zero:g}")
        self._scale = Scale(uv_per_count, zero, str(fields.get("scale_origin", "file")))

    def _packet(self, fields: Mapping[str, Any]) -> None:
        counter, version = self._whole(fields, "counter"), self._whole(fields, "version")
        channels = self._channels(fields)
        if counter is None:
            raise self._wrong("no counter")
        if version is None:
            version = p2.VERSION if len(channels) == 6 else p3.VERSION
        row = Row(
            version, counter, channels, self._whole(fields, "buttons"), self._whole(fields, "auxiliary")
        )
        moment = (
            self._whole(fields, "time_us"),
            self._whole(fields, "monotonic_us"),
            self._whole(fields, "sampled_us"),
        )
        offset = self._natural(fields, "offset")
        try:
            layout, data = row.encode()
        except ValueError as error:
            raise self._wrong(str(error)) from None
        self._rows.add(layout, data, moment, offset)

    def _channels(self, fields: Mapping[str, Any]) -> list[int]:
        found = fields.get("channels", fields.get("channels_uv"))
        if not isinstance(found, list):
            raise self._wrong("no list of channels")
        if "channels" in fields:
            if not all(type(value) is int for value in found):
                raise self._wrong("channels: not whole numbers alone")
            return found
        if not all(_is_number(value) for value in found):
            raise self._wrong("channels_uv: not numbers alone")
        try:
            return [count_of(value, self._scale) for value in found]
        except ValueError as error:
            raise self._wrong(f"channels_uv: {error}") from None

    def _skip(self, fields: Mapping[str, Any]) -> None:
        offset, count, text = (
            self._natural(fields, "offset"),
            self._natural(fields, "count"),
            fields.get("bytes"),
        )
        if text is None:
            if count is None:
                raise self._wrong("a skip with neither count nor bytes")
            self._rows.add_skipped(count, offset=offset)
            return
        try:
            data = bytes.fromhex(text)
        except (TypeError, ValueError):
            raise self._wrong("bytes: not pairs of hexadecimal digits") from None
        if count not in (None, len(data)):
            raise self._wrong(f"{len(data)} bytes, where count is {count}")
        self._rows.add_skipped(len(data), data, offset)

    def _interrupted(self, fields: Mapping[str, Any]) -> None:
        reason = fields.get("reason", "")
        if not isinstance(reason, str):
            raise self._wrong("reason: not a text")
        self._rows.add_gone(reason, self._whole(fields, "time_us"))

    def _natural(self, fields: Mapping[str, Any], name: str) -> int | None:
        value = self._whole(fields, name)
        if value is not None and value < 0:
            raise self._wrong(f"{name}: {value} is below 0")
        return value

    def _whole(self, fields: Mapping[str, Any], name: str) -> int | None:
        value = fields.get(name)
        if value is None:
            return None
        if type(value) is not int or abs(value) >= _LARGEST:
            raise self._wrong(f"{name}: not a whole number of at most 18 digits")
        return value

    def _batch_end(self, lines: list[str], begin: int) -> int:
        """Behind the packets, or behind the other events, that begin there."""
        kind, last = lines[begin].startswith(_PACKET), min(len(lines), begin + _BATCH)
        for place in range(begin + 1, last):
            if lines[place].startswith(_PACKET) != kind:
                return place
        return last

    def _parse_lines(self, lines: list[str]) -> bool:
        """Lines of P2 as the writer writes them, column by column."""
        found = _PLAIN.findall("\n".join(lines))
        if len(found) != len(lines):
            return False
        offsets, wall, monotonic, sampled, *values = zip(*found, strict=True)
        counters, units, *channels, buttons, high = values
        if len(set(units)) > 1:
            return False
        try:
            data = batches.p2_data(counters, channels, buttons, high, self._scale if units[0] else None)
            times = batches.times_of(wall, monotonic, sampled, "null")
        except (KeyError, ValueError):
            return False
        self._add_parts(list(map(int, offsets)), data, times)
        return True

    def _add_parts(self, offsets: list[int], data: bytes, times: Times | None) -> None:
        size = p2.SIZE
        jumps = [place for place in range(1, len(offsets)) if offsets[place] != offsets[place - 1] + size]
        for first, last in pairwise([0, *jumps, len(offsets)]):
            part = times.part(first, last) if times else None
            self._rows.add_many(p2.LAYOUT, data[first * size : last * size], part, offsets[first])


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
