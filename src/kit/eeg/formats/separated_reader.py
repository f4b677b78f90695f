"""Reads CSV and TSV: columns by their names in any order, those that are not needed may be missing. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from kit.core.text import printable
from kit.eeg import p2, p3
from kit.eeg.formats import batches
from kit.eeg.formats.columns import CHANNELS, count_of
from kit.eeg.formats.lines import LineReader
from kit.eeg.formats.rows import Row
from kit.eeg.formats.separated import TIMES
from kit.eeg.records import Times
from kit.eeg.scale import Scale

_WHOLE = re.compile(r"-?[0-9]{1,19}\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,19}(\.[0-9]{0,30})?([eE][-+]?[0-9]{1,3})?\Z")
_SKIPPED = "skipped_before"
_VALUES = ("version", "counter", "buttons", "auxiliary", _SKIPPED, *TIMES)


class SeparatedReader(LineReader):
    """Reads lines with one separator; `scale` is what microvolts in it mean."""

    def __init__(self, separator: str, scale: Scale) -> None:
        super().__init__()
        self._separator = separator
        self._given_scale = scale
        self._scale: Scale | None = None  # of the channels; None where they are counts
        self._width = 0  # how many columns there are, 0 before the header
        self._at: dict[str, int] = {}  # where the values stand
        self._channels: dict[str, int] = {}  # where the channels stand

    def _parse_line(self, line: str) -> None:
        cells = line.split(self._separator)
        if not self._width:
            self._take_header([cell.strip().strip('"') for cell in cells])
            return
        if len(cells) != self._width:
            raise self._wrong(f"{len(cells)} fields, where the header has {self._width}")
        values = {name: self._whole(name, cells[at]) for name, at in self._at.items()}
        channels = self._row_channels(cells)
        version = values.get("version")
        if version is None:
            version = p2.VERSION if len(channels) == CHANNELS else p3.VERSION
        counter, skipped = values["counter"], values.get(_SKIPPED) or 0
        if counter is None or skipped < 0:
            raise self._wrong("no counter" if counter is None else f"{_SKIPPED}: {skipped} is below 0")
        row = Row(version, counter, channels, values.get("buttons"), values.get("auxiliary"))
        wall_us, monotonic_us, sampled_us = (values.get(name) for name in TIMES)
        try:
            layout, data = row.encode()
        except ValueError as error:
            raise self._wrong(str(error)) from None
        if skipped:
            self._rows.add_skipped(skipped)
        self._rows.add(layout, data, (wall_us, monotonic_us, sampled_us))

    def _take_header(self, names: Sequence[str]) -> None:
        twice = [name for name in names if name and names.count(name) > 1]
        if twice:
            raise self._wrong(f"two columns are called {printable(twice[0], 40)!r}")
        suffix = "_uv" if "ch1_uv" in names else ""
        channels = [f"ch{number}{suffix}" for number in range(1, CHANNELS + 1)]
        here = [name for name in channels if name in names]
        if "counter" not in names or not here or here != channels[: len(here)]:
            raise self._wrong("no header with the columns 'counter', 'ch1', 'ch2' and so on")
        self._scale = self._given_scale if suffix else None
        self._at = {name: names.index(name) for name in _VALUES if name in names}
        self._channels = {name: names.index(name) for name in here}
        self._width = len(names)

    def _whole(self, name: str, cell: str) -> int | None:
        if not cell:
            return None
        if not _WHOLE.match(cell):
            raise self._wrong(f"{name}: {printable(cell, 40)!r} is not a whole number")
        return int(cell)

    def _row_channels(self, cells: Sequence[str]) -> list[int]:
        """The channels up to the first empty one; those that the device lacks are empty."""
        found: list[int] = []
        for place, (name, at) in enumerate(self._channels.items()):
            value = self._count(name, cells[at])
            if value is None:
                continue
            if len(found) < place:
                raise self._wrong(f"{name}: a value behind a channel that has none")
            found.append(value)
        return found

    def _count(self, name: str, cell: str) -> int | None:
        if self._scale is None or not cell:
            return self._whole(name, cell)
        if not _DECIMAL.match(cell):
            raise self._wrong(f"{name}: {printable(cell, 40)!r} is not a number")
        try:
            return count_of(float(cell), self._scale)
        except ValueError as error:
            raise self._wrong(f"{name}: {error}") from None

    def _parse_lines(self, lines: list[str]) -> bool:
        """Lines of P2 whose every cell stands as the writer writes it, column by column."""
        separator, width = self._separator, self._width
        breaks = width - 1
        if len(self._channels) != CHANNELS or any(line.count(separator) != breaks for line in lines):
            return False
        cells = separator.join(lines).split(separator)
        columns = {name: cells[at::width] for name, at in self._at.items()}
        if any(version != "2" for version in columns.get("version", ())):
            return False
        try:
            data = batches.p2_data(
                columns["counter"],
                [cells[at::width] for at in self._channels.values()],
                columns.get("buttons", ["15"] * len(lines)),
                columns.get("auxiliary", ["0"] * len(lines)),
                self._scale,
            )
            wall, monotonic, sampled = (columns.get(name, ()) for name in TIMES)
            times = batches.times_of(wall, monotonic, sampled, "")
            skips = _skips(columns.get(_SKIPPED, ()))
        except (KeyError, ValueError):
            return False
        self._add_parts(data, times, skips)
        return True

    def _add_parts(self, data: bytes, times: Times | None, skips: Mapping[int, int]) -> None:
        places = sorted({0, *skips, len(data) // p2.SIZE})
        for first, last in pairwise(places):
            if first in skips:
                self._rows.add_skipped(skips[first])
            part = times.part(first, last) if times else None
            self._rows.add_many(p2.LAYOUT, data[first * p2.SIZE : last * p2.SIZE], part)


def _skips(column: Sequence[str]) -> dict[int, int]:
    """How many bytes were skipped, by the row that they stood before."""
    return {place: batches.naturals([cell])[0] for place, cell in enumerate(column) if cell != "0"}
