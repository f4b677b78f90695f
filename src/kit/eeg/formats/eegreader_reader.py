"""Reads the text of the C tool eegreader (`eegreader` has its form): all lines of a block at once. Pure."""

from __future__ import annotations

import re
import struct

from kit.eeg import p2
from kit.eeg.formats.lines import LineReader
from kit.eeg.formats.rows import Row
from kit.eeg.records import Times

# How many digits fit into 64 bits with a sign, whatever they are.
_TIME_DIGITS = 18
_COUNTERS = {str(value): value for value in range(256)}
_CHANNELS = {str(value): value.to_bytes(2, "big") for value in range(1024)}
_BUTTONS = {str(value): value for value in range(16)}
_FIELDS = 11  # of a line of P2: time, version, counter, six channels, buttons, line end
_EMPTY_ROW = b"\xa5\x5a\x02" + bytes(p2.SIZE - 3)
_GOOD = re.compile(r"(?:\d{1,18}\|2\|\d{1,3}(?:\|(?:\d{1,3}|10[01]\d|102[0-3])){6}\|\d\d?\n)++", re.ASCII)
_DAMAGED = re.compile(r"\d{1,18}\|2\|\d{1,3}(?:\|\d{1,5}){6}\|\d\d?\n", re.ASCII)
_NUMBER = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)
_TIME = re.compile(r"\d{1,18}", re.ASCII)


class EegreaderReader(LineReader):
    """Lines in, at any chunking, packets with their times out: encoded, as the device would have sent them.

    The C tool prints damaged packets too: a line with a channel above 1023 becomes the skipped bytes that it
    was made of.
    """

    def _parse_lines(self, lines: list[str]) -> bool:
        """Lines of P2 all at once; where one is damaged, the good ones between those that are."""
        text = "\n".join(lines) + "\n"
        whole = _p2_rows(text)
        parts = [whole] if whole else _p2_parts(text)
        for data, times_us in parts:
            if times_us:
                self._rows.add_many(p2.LAYOUT, data, Times(times_us))
            else:
                self._rows.add_skipped(len(data), data)
        return bool(parts)

    def _parse_line(self, line: str) -> None:
        fields = line.split("|")
        if len(fields) < 4 or not _TIME.fullmatch(fields[0]) or not all(map(_NUMBER.fullmatch, fields[1:])):
            raise self._wrong(f"not a line of eegreader: {line!r}")
        time_us, version, counter, *channels, buttons = map(int, fields)
        try:
            layout, data = Row(version, counter, channels, buttons).encode()
        except ValueError as error:
            raise self._wrong(str(error)) from None
        self._rows.add(layout, data, (time_us, None, None))


# Packets and their times, or the bytes of a damaged packet and no times.
_Part = tuple[bytes, list[int]]


def _p2_rows(text: str) -> _Part | None:
    """The packets and the times of lines that are all of P2 and good; None if one is not."""
    fields = text.replace("\n", "|\n|").split("|")
    fields.pop()
    count = len(fields) // _FIELDS
    times = fields[0::_FIELDS]
    if fields[10::_FIELDS] != ["\n"] * count or fields[1::_FIELDS] != ["2"] * count:
        return None
    digits = "".join(times)
    if not digits.isascii() or not digits.isdigit() or len(max(times, key=len)) > _TIME_DIGITS:
        return None
    rows = bytearray(_EMPTY_ROW * count)
    try:
        rows[3 :: p2.SIZE] = bytes(map(_COUNTERS.__getitem__, fields[2::_FIELDS]))
        for channel in range(6):
            values = b"".join(map(_CHANNELS.__getitem__, fields[3 + channel :: _FIELDS]))
            rows[4 + 2 * channel :: p2.SIZE] = values[0::2]
            rows[5 + 2 * channel :: p2.SIZE] = values[1::2]
        rows[16 :: p2.SIZE] = bytes(map(_BUTTONS.__getitem__, fields[9::_FIELDS]))
        return bytes(rows), list(map(int, times))
    except (KeyError, ValueError):
        return None


def _p2_parts(text: str) -> list[_Part]:
    """The parts of lines that are all of P2, good ones together, damaged ones alone; empty if one is not."""
    parts: list[_Part] = []
    at = 0
    while at < len(text):
        lines = _GOOD.match(text, at)
        part = _p2_rows(lines[0]) if lines else None
        if part is None:
            lines = _DAMAGED.match(text, at)
            part = _damaged_row(lines[0]) if lines else None
        if lines is None or part is None:
            return []
        parts.append(part)
        at = lines.end()
    return parts


def _damaged_row(line: str) -> _Part | None:
    """The bytes of a packet that is none, as it has a channel above 1023; None if it could not come so."""
    _, _, counter, *channels, buttons = map(int, line.split("|"))
    if max(channels) < 1024 or max(channels) > 0xFFFF or counter > 255 or buttons > 15:
        return None
    return _EMPTY_ROW[:3] + struct.pack(">B6HB", counter, *channels, buttons), []
