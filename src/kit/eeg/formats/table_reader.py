"""Reads a table that was written without colour: rows, and the skips and interruptions between them. Pure."""

from __future__ import annotations

import re
from datetime import date

from kit.core.text import printable
from kit.eeg.formats.columns import CHANNELS, count_of
from kit.eeg.formats.lines import LineReader
from kit.eeg.formats.rows import Row
from kit.eeg.formats.table import BY_CLOCK, BY_COUNTER, DAY_US, EPOCH_DAY
from kit.eeg.scale import Scale

_HEAD = re.compile(r"time +sequence ver +ctr +ch1(_uv)? ")
_DATE = r"([0-9]{4}-[0-9]{2}-[0-9]{2}|day -?[0-9]{1,9})"
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{6})\Z")
_DAY = re.compile(rf"{_DATE}({re.escape(BY_CLOCK)}|{re.escape(BY_COUNTER)})\Z")
_SKIPPED = re.compile(r"([0-9]{1,18}) bytes? skipped(?:: ([0-9a-f ]+))?\Z")
_GONE = re.compile(rf"the device went away(?: at {_DATE} (\S+))?: (.*)\Z")
_WHOLE = re.compile(r"[0-9]{1,18}\Z")
_VOLTAGE = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?(e[-+]?[0-9]{1,3})?\Z")
_MARKS = re.compile(r"[.#]{4}\Z")
_CELLS = 4 + CHANNELS + 2


class TableReader(LineReader):
    """Reads rows under a head; `scale` is what microvolts in them mean."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self._given_scale = scale
        self._scale: Scale | None = None  # None where channels are counts
        self._headed = False
        self._day_us: int | None = None
        self._by_counter = False

    def _parse_line(self, line: str) -> None:
        head = _HEAD.match(line)
        if head:
            self._headed = True
            self._scale = self._given_scale if head[1] else None
        elif not self._headed:
            raise self._wrong("no table's head")
        elif line.startswith("-- ") and line.endswith(" --"):
            self._remark(line[3:-3])
        else:
            self._row(line.split())

    def _remark(self, text: str) -> None:
        day, skipped, gone = _DAY.match(text), _SKIPPED.match(text), _GONE.match(text)
        if day:
            self._day_us = self._date(day[1])
            self._by_counter = day[2] == BY_COUNTER
        elif skipped:
            self._skipped(int(skipped[1]), skipped[2])
        elif gone:
            self._rows.add_gone(gone[3], self._date(gone[1]) + self._time(gone[2]) if gone[1] else None)

    def _skipped(self, count: int, shown: str | None) -> None:
        try:
            data = bytes.fromhex(shown or "")
        except ValueError:
            raise self._wrong("no bytes in hexadecimal digits") from None
        if shown and len(data) != count:
            raise self._wrong(f"{len(data)} bytes, where {count} are said")
        self._rows.add_skipped(count, data)

    def _row(self, cells: list[str]) -> None:
        if len(cells) != _CELLS:
            raise self._wrong(f"{len(cells)} cells, where a row has {_CELLS}")
        time, _sequence, version, counter, *values, buttons, auxiliary = cells
        if self._day_us is None:
            raise self._wrong("a row before the line with its day")
        wall_us = self._day_us + self._time(time)
        row = Row(
            self._whole("ver", version),
            self._whole("ctr", counter),
            self._channels(values),
            self._pressed(buttons),
            self._whole("aux", auxiliary),
        )
        try:
            layout, data = row.encode()
        except ValueError as error:
            raise self._wrong(str(error)) from None
        self._rows.add(layout, data, (None, None, wall_us) if self._by_counter else (wall_us, None, None))

    def _channels(self, cells: list[str]) -> list[int]:
        while cells and cells[-1] == "-":
            cells = cells[:-1]
        return [self._count(f"ch{number}", cell) for number, cell in enumerate(cells, 1)]

    def _count(self, name: str, cell: str) -> int:
        if self._scale is None:
            return self._whole(name, cell)
        if not _VOLTAGE.match(cell):
            raise self._wrong(f"{name}: {printable(cell, 40)!r} is not a number")
        try:
            return count_of(float(cell), self._scale)
        except ValueError as error:
            raise self._wrong(f"{name}: {error}") from None

    def _pressed(self, marks: str) -> int | None:
        if marks == "-":
            return None
        if not _MARKS.match(marks):
            raise self._wrong(f"btns: {printable(marks, 40)!r} is not four of '.' and '#'")
        return sum((mark == ".") << bit for bit, mark in enumerate(marks))

    def _whole(self, name: str, cell: str) -> int:
        if not _WHOLE.match(cell):
            raise self._wrong(f"{name}: {printable(cell, 40)!r} is not a whole number")
        return int(cell)

    def _date(self, text: str) -> int:
        if text.startswith("day "):
            return int(text[4:]) * DAY_US
        try:
            return (date.fromisoformat(text).toordinal() - EPOCH_DAY) * DAY_US
        except ValueError:
            raise self._wrong(f"no such day: {text!r}") from None

    def _time(self, text: str) -> int:
        found = _TIME.match(text)
        if not found:
            raise self._wrong(f"time: {printable(text, 40)!r} is not a time of the day")
        hours, minutes, seconds, us = map(int, found.groups())
        return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + us
