"""A table for a person who reads along, 80 columns of counts, with what happens between packets.

    time             sequence ver  ctr   ch1   ch2   ch3   ch4   ch5   ch6  btns aux
    -- 2021-05-26 UTC --
    12:09:07.374070         0   2   10   519   510   505   500   493   487  #...   0
    -- 3 packets lost --

A button that is pressed is `#`, one that is not is `.`; a channel or buttons that the packet lacks are `-`.
Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from kit.core.text import printable
from kit.eeg.dating import Dating
from kit.eeg.formats.columns import CHANNELS, texts, times_of
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

DAY_US = 86_400 * 1_000_000
EPOCH_DAY = date(1970, 1, 1).toordinal()
BY_CLOCK, BY_COUNTER = " UTC", ", times by the counter"
# Skipped bytes are shown as far as they fit into a line.
_SHOWN = 16
_BUTTONS = tuple("".join(".#"[not buttons >> bit & 1] for bit in range(4)) for buttons in range(16))
_FAULT, _REMARK, _PLAIN = "\x1b[31m", "\x1b[2m", "\x1b[0m"


class TableWriter:
    """Writes rows and remarks; `scale` is None where channels are counts."""

    def __init__(self, dating: Dating, scale: Scale | None, *, colour: bool) -> None:
        self._dating = dating
        self._units = "_uv" if scale else ""
        self._colour = colour
        self._day = ""
        values = texts(scale)
        self._width = max(3 + len(self._units), *map(len, values)) + (1 if scale else 2)
        self._values = tuple(text.rjust(self._width) for text in values)

    def head(self) -> bytes:
        """The columns' names."""
        channels = "".join(f"ch{number}{self._units}".rjust(self._width) for number in range(1, CHANNELS + 1))
        return self._line(f"{'time':15}{'sequence':>10} ver  ctr{channels}  btns aux", _REMARK).encode()

    def render(self, items: Iterable[Item]) -> bytes:
        """A row a packet, a line for each of the other items."""
        lines: list[str] = []
        for item in items:
            if isinstance(item, Run):
                self._add_rows(item, lines)
            else:
                remark = _REMARKS[type(item)](item)
                lines.append(self._line(f"-- {remark} --", _REMARK if type(item) in _QUIET else _FAULT))
        return "".join(lines).encode()

    def tail(self) -> bytes:
        """Nothing."""
        return b""

    def _line(self, text: str, style: str) -> str:
        return f"{style}{text}{_PLAIN}\n" if self._colour else f"{text}\n"

    def _add_rows(self, run: Run, lines: list[str]) -> None:
        times, version = times_of(run, self._dating), run.stretch.layout.version
        made_up = not times.monotonic_us and times.sampled_us == times.wall_us
        blank = "-".rjust(self._width) * (CHANNELS - run.stretch.layout.channels)
        packets = zip(times.wall_us, run.stretch.packets(), strict=True)
        for sequence, (wall_us, packet) in enumerate(packets, run.sequence):
            day, time = day_and_time(wall_us)
            day += BY_COUNTER if made_up else BY_CLOCK
            if day != self._day:
                self._day = day
                lines.append(self._line(f"-- {day} --", _REMARK))
            channels = "".join([self._values[count] for count in packet.channels])
            buttons = "-" if packet.buttons is None else _BUTTONS[packet.buttons]
            lines.append(
                f"{time:15}{sequence:>10}{version:>4}{packet.counter:>5}{channels}{blank}"
                f"  {buttons:4}{packet.auxiliary:>4}\n"
            )


def day_and_time(wall_us: int) -> tuple[str, str]:
    """The date, or the number of the day where the calendar has no such date, and the time of the day."""
    day, rest = divmod(wall_us, DAY_US)
    seconds, us = divmod(rest, 1_000_000)
    ordinal = EPOCH_DAY + day
    known = 0 < ordinal <= date.max.toordinal()
    text = date.fromordinal(ordinal).isoformat() if known else f"day {day}"
    return text, f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{us:06}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _lost(item: Lost) -> str:
    known = f" ({item.low} to {item.high}, by the time)" if item.by == "time" else ""
    restart = " (or the device began anew)" if item.may_be_restart else ""
    return f"{_number(item.count, 'packet')} lost{known}{restart}"


def _skipped(item: Skipped) -> str:
    shown = f": {item.data.hex(' ')}" if 0 < len(item.data) <= _SHOWN and not item.uncopied else ""
    return f"{_number(item.count, 'byte')} skipped{shown}"


def _restarted(item: Restarted) -> str:
    lost = f" (or {_number(item.or_lost, 'packet')} lost)" if item.or_lost else ""
    return f"the device began anew at {item.counter}{lost}"


def _interrupted(item: Interrupted) -> str:
    when = "" if item.wall_us is None else f" at {' '.join(day_and_time(item.wall_us))}"
    return f"the device went away{when}: {printable(item.reason)}"


def _ended(item: Ended) -> str:
    return (
        f"end ({printable(item.reason)}): {_number(item.packets, 'packet')}, {item.lost} lost, "
        f"{_number(item.skipped, 'byte')} skipped"
    )


_REMARKS: Mapping[type, Callable[[Any], str]] = {
    Skipped: _skipped,
    Lost: _lost,
    Duplicate: lambda item: f"packet {item.sequence} came once more",
    Reordered: lambda item: f"packet {item.sequence} came late",
    Restarted: _restarted,
    Recognised: lambda item: f"{item.protocol.upper()}, {_number(item.channels, 'channel')}",
    Interrupted: _interrupted,
    Ended: _ended,
}
_QUIET = (Recognised, Ended)
