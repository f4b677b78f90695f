"""The text of the C tool eegreader: a line a packet, both ways.

    timestamp_us|version|counter|ch1|ch2|ch3|ch4|ch5|ch6|buttons

A P3 packet has as many channels as its device, and the buttons that were told last (15, none pressed, before
the first time). Loss and noise are not said: they show in the counter. Pure.

The unit of work is a batch of packets, not the packet: a list operation on thousands of fields costs a tenth
of the same done in a loop of Python. Measured for a P2 packet: 0.4 µs, against 0.65 µs for a `%` each.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from struct import Struct

from kit.eeg import p2
from kit.eeg.acceleration import Acceleration
from kit.eeg.dating import Dating
from kit.eeg.formats.lines import LineReader
from kit.eeg.formats.rows import Row
from kit.eeg.records import Item, Layout, Run, Times

_BATCH = 1024
_NOT_PRESSED = 15
_LOW_NIBBLES = bytes(value & 15 for value in range(256))
_COUNTER_TEXT = [b"|2|%d|" % value for value in range(256)]
_CHANNEL_TEXT = [b"%d|" % value for value in range(1024)]
_BUTTONS_TEXT = [b"%d\n" % (value & 15) for value in range(256)]
_PIECES = 9  # of a line of P2, as they are joined: time, counter, six channels, buttons


class EegreaderWriter:
    """Items in, lines out. Packets without a time are dated by their sequence number."""

    def __init__(self, dating: Dating) -> None:
        self._dating = dating
        self._period_us = (1_000_000 / dating.rate_hz).as_integer_ratio()
        self._buttons = _NOT_PRESSED
        self._acceleration = Acceleration()

    def head(self) -> bytes:
        """Nothing: the format has no heading."""
        return b""

    def tail(self) -> bytes:
        """Nothing."""
        return b""

    def render(self, items: Iterable[Item]) -> bytes:
        """The lines of the packets among the items."""
        runs = [item for item in items if isinstance(item, Run)]
        return b"".join(
            [
                self._p2(list(some)) if layout is p2.LAYOUT else self._p3(list(some))
                for layout, some in groupby(runs, _layout)
            ]
        )

    def _p2(self, runs: list[Run]) -> bytes:
        pieces = [run.stretch.data for run in runs]
        if self._acceleration.pays(sum(map(len, pieces)) // p2.SIZE):
            from kit.eeg import fast

            with suppress(fast.Unsuited):
                return fast.p2_lines(runs, self._dating)
        return p2_lines(b"".join(pieces), self._times_us(runs))

    def _p3(self, runs: list[Run]) -> bytes:
        out = []
        packets = [packet for run in runs for packet in run.stretch.packets()]
        for time_us, packet in zip(self._times_us(runs), packets, strict=True):
            if packet.buttons is not None:
                self._buttons = packet.buttons & 15
            fields = (time_us, packet.version, packet.counter, *packet.channels, self._buttons)
            out.append("|".join(map(str, fields)) + "\n")
        return "".join(out).encode()

    def _times_us(self, runs: list[Run]) -> list[int]:
        out: list[int] = []
        start_us, numerator, denominator = self._dating.start_us, *self._period_us
        for run in runs:
            numbers = range(run.sequence, run.sequence + len(run.stretch))
            out += given_us(run) or [start_us + number * numerator // denominator for number in numbers]
        return out


def _layout(run: Run) -> Layout:
    return run.stretch.layout


def given_us(run: Run) -> Sequence[int]:
    """The times that the packets came with; empty if they are to be dated."""
    return run.times.wall_us or run.times.sampled_us if run.times else ()


def p2_lines(data: bytes, times_us: Sequence[int]) -> bytes:
    """The lines of P2 packets that stand one behind the other."""
    size = _BATCH * p2.SIZE
    return b"".join(
        _p2_batch(data[at : at + size], times_us[at // p2.SIZE : at // p2.SIZE + _BATCH])
        for at in range(0, len(data), size)
    )


def _p2_batch(data: bytes, times_us: Sequence[int]) -> bytes:
    """Fields by columns, each looked up in one call and put into its place of one flat list."""
    values = _channels(len(times_us)).unpack(data)
    flat = [b""] * (_PIECES * len(times_us))
    # A list's text has its numbers' at less than half the price of a `str` each.
    flat[0::_PIECES] = str(list(times_us))[1:-1].encode().split(b", ")
    flat[1::_PIECES] = _texts(data[3 :: p2.SIZE], _COUNTER_TEXT)
    texts = _texts(values, _CHANNEL_TEXT)
    for channel in range(6):
        flat[2 + channel :: _PIECES] = texts[channel::6]
    flat[8::_PIECES] = _texts(data[16 :: p2.SIZE], _BUTTONS_TEXT)
    return b"".join(flat)


@lru_cache(maxsize=64)
def _channels(packets: int) -> Struct:
    return Struct(">" + "4x6Hx" * packets)


def _texts(indices: Sequence[int], table: list[bytes]) -> Sequence[bytes]:
    """What stands in the table at each index."""
    if len(indices) == 1:  # an itemgetter of one gives no tuple
        return [table[indices[0]]]
    found: tuple[bytes, ...] = itemgetter(*indices)(table)
    return found


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
