"""Reads what the C tool eegreader prints with -j: an object a line, a stray colon in its first key. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count, takewhile
from typing import Any

from kit.core.text import printable
from kit.eeg.formats.lines import LineReader
from kit.eeg.formats.rows import Row

_TIME_KEYS = ("timestamp:", "timestamp")
_LARGEST = 10**18


class EegreaderJsonReader(LineReader):
    """Reads an object a line, a packet each."""

    _self_delimiting = True

    def _parse_line(self, line: str) -> None:
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise self._wrong(f"not a JSON object: {printable(line, 40)!r}")
        names = takewhile(fields.__contains__, (f"channel_{number}" for number in count(1)))
        channels = [self._whole(fields, name) for name in names]
        key = _TIME_KEYS[0] if _TIME_KEYS[0] in fields else _TIME_KEYS[1]
        wall_us, version, counter, buttons = (
            self._whole(fields, name) for name in (key, "version", "frame", "button_states")
        )
        try:
            layout, data = Row(version, counter, channels, buttons).encode()
        except ValueError as error:
            raise self._wrong(str(error)) from None
        self._rows.add(layout, data, (wall_us, None, None))

    def _whole(self, fields: Mapping[str, Any], name: str) -> int:
        value = fields.get(name)
        if type(value) is not int or abs(value) >= _LARGEST:
            raise self._wrong(f"{name}: not a whole number" if name in fields else f"no {name}")
        return value
