"""The view as a terminal's screen: from frames to what is to be written. Pure.

What is written leads from the picture before to this one, so all of it must reach the terminal, or `fresh`
must be called. A frame is wrapped in synchronised output (mode 2026, of contour, kitty and others), so that
no half of it is seen; a terminal that does not know that ignores it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kit.eeg.viewing import colours
from kit.eeg.viewing.frame import Frame, Trace
from kit.eeg.viewing.glyphs import Glyphs
from kit.eeg.viewing.lanes import Column, Drawn, Lanes, Segments, lanes_of
from kit.eeg.viewing.paint import RESET, Paint
from kit.eeg.viewing.panels import Panels
from kit.eeg.viewing.words import Places, status_line

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
GUTTER = 9
_CLEAR = "\x1b[0m\x1b[2J"
# Where another program's words do the least harm.
_HOME = "\x1b[0m\x1b[H"
_REST = "\x1b[K"
_LEAST_COLUMNS, _LEAST_ROWS = 40, 8
_OTHER_ROWS = 3  # the events, the axis, the status


class Page:
    """A screen of one size."""

    def __init__(self, columns: int, rows: int, glyphs: Glyphs, paint: Paint) -> None:
        self.columns, self.rows = columns, rows
        self._glyphs = glyphs
        self._paint = paint
        self._width = columns - GUTTER
        self._panels = Panels(self._width, GUTTER, glyphs, paint)
        self._stand = _Stand((), 0, glyphs, paint)
        self._lanes = Lanes(self._width, 0, glyphs, paint)
        self._texts: dict[int, str] = {}  # what begins in which row of the screen
        self._shown: Drawn | None = None
        self._told: tuple[object, str] = (None, "")  # the status line, and what it says
        self._helping = False

    def fresh(self) -> None:
        """The screen may show anything, so all of the next frame is written."""
        self._texts, self._shown = {}, None

    def draw(self, frame: Frame, segments: Segments) -> str:
        """What is to be written to see this frame; nothing if it is seen."""
        texts, height = self._layout(frame)
        if height != self._lanes.rows or not height:
            self._lanes = Lanes(self._width, height, self._glyphs, self._paint)
            self.fresh()
        if bool(frame.help) != self._helping:
            self._helping = bool(frame.help)
            self.fresh()
        pieces = [*self._written(texts)] if height else [_CLEAR, *texts.values()]
        if height and not frame.help:
            pieces += self._traces(self._lanes.draw(frame, self._stand.lanes, segments))
        return "".join([BEGIN, *pieces, _HOME, END]) if pieces else ""

    def lines(self, frame: Frame, segments: Segments) -> list[str]:
        """The picture as lines of text, for a terminal in which others write, too."""
        texts, height = self._layout(frame)
        lines = [texts.get(row, "") for row in range(self.rows)]
        if height and not frame.help:
            lanes = Lanes(self._width, height, self._glyphs, self._paint)
            drawn = lanes.draw(frame, self._stand.lanes, segments)
            for row, (colour, cells) in enumerate(self._cells(drawn.columns), 1):
                lines[row] += colour + cells
        return [line + RESET for line in lines]

    def _layout(self, frame: Frame) -> tuple[dict[int, str], int]:
        """The texts by row, and how many rows are for traces."""
        least = max(_LEAST_ROWS, len(frame.traces) + _OTHER_ROWS)
        if self.columns < _LEAST_COLUMNS or self.rows < least:
            return {0: f"{_LEAST_COLUMNS} x {least}, please"[: self.columns]}, 0
        panels = self._panels.rows(frame)
        height = max(len(frame.traces), self.rows - _OTHER_ROWS - len(panels))
        panels = panels[: self.rows - _OTHER_ROWS - height]
        if not self._stand.holds(frame.traces, height):
            self._stand = _Stand(frame.traces, height, self._glyphs, self._paint)
        gutter = self._help(frame.help, height) if frame.help else self._stand.gutter
        texts = {0: self._events(frame), **dict(enumerate(gutter, 1)), height + 1: self._axis(frame)}
        texts |= dict(enumerate(panels, height + 2))
        texts[self.rows - 1] = self._status(frame)
        return texts, height

    def _written(self, texts: dict[int, str]) -> Iterator[str]:
        # Behind these texts a trace begins.
        lanes = range(1, self._lanes.rows + 1) if not self._helping else ()
        for row, text in texts.items():
            if self._texts.get(row) != text:
                rest = "" if row in lanes else _REST
                yield f"\x1b[{row + 1};1H{text}{RESET}{rest}"
        self._texts = texts

    def _traces(self, drawn: Drawn) -> Iterator[str]:
        """What has moved is moved by the terminal (DCH); only what is new is sent."""
        before, columns = self._shown, drawn.columns
        self._shown = drawn
        moved = drawn.left - before.left if before else 0
        old: list[Column | None] = [None] * len(columns)
        if before and 0 <= moved < len(columns):
            old[: len(columns) - moved] = before.columns[moved:]
        else:
            moved = 0
        spans = list(_spans([x for x, column in enumerate(columns) if column is not old[x]]))
        if moved and spans == [(spans[0][0], len(columns))]:
            first = spans.pop()[0]
            between = f"\x1b[{moved}P\x1b[{GUTTER + first + 1}G"
            yield from self._written_cells(GUTTER + 1, columns[first:], between)
        elif moved:
            for row in range(2, self._lanes.rows + 2):
                yield f"\x1b[{row};{GUTTER + 1}H\x1b[{moved}P"
        for first, last in spans:
            yield from self._written_cells(GUTTER + first + 1, columns[first:last])

    def _written_cells(self, place: int, columns: Sequence[Column], between: str = "") -> Iterator[str]:
        """From a place in each row on; each leaves the colour of its lane to the next."""
        before = ""
        for row, (colour, cells) in enumerate(self._cells(columns), 2):
            begin = "" if colour == before else colour
            before = colour
            yield f"\x1b[{row};{place}H{between}{begin}{cells}"

    def _cells(self, columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
        """Each row's colour and cells."""
        return zip(self._stand.colours, map("".join, zip(*columns, strict=True)), strict=True)

    def _events(self, frame: Frame) -> str:
        """Above the traces: what the lines and the gaps in them are."""
        places = Places(self.columns)
        for hole in frame.holes:
            places.put(self._place(frame, hole.x), self._glyphs.text(f"▾{hole.text}"), colours.GAP)
        for line in frame.lines:
            colour = colours.MARK if line.kind == "mark" else colours.BUTTON
            places.put(self._place(frame, line.x), self._glyphs.text(f"▾{line.text}"), colour)
        return places.text(self._paint)

    def _axis(self, frame: Frame) -> str:
        places = Places(self.columns)
        for tick in frame.ticks:
            places.put(self._place(frame, tick.x), tick.text, colours.AXIS)
        return places.text(self._paint)

    def _place(self, frame: Frame, x: int) -> int:
        return GUTTER + x * self._width // frame.window

    def _status(self, frame: Frame) -> str:
        if frame.prompt:
            return self._paint.on(None, bold=True) + self._glyphs.text(frame.prompt)[: self.columns]
        told = (frame.status, frame.buttons)
        if told != self._told[0]:
            self._told = (told, status_line(*told, self.columns, self._glyphs, self._paint))
        return self._told[1]

    def _help(self, lines: Iterable[tuple[str, str]], height: int) -> list[str]:
        rows = [""]
        for keys, what in lines:
            key = self._paint.on(colours.SKY, bold=True) + self._glyphs.text(keys).rjust(16)
            rows.append(f"{key}{RESET}  {self._glyphs.text(what)[: self.columns - 19]}")
        return (rows + [""] * height)[:height]


class _Stand:
    """Which rows each trace has, and what stands in front of it: its number, and what its height is."""

    def __init__(self, traces: Sequence[Trace], rows: int, glyphs: Glyphs, paint: Paint) -> None:
        self._traces, self._rows = traces, rows
        self.lanes = lanes_of(traces, rows)
        self.colours = [paint.on(lane.trace.colour) for lane in self.lanes for _ in range(lane.rows)]
        quiet = paint.tone("quiet")
        self.gutter: list[str] = []
        for lane in self.lanes:
            style = paint.on(lane.trace.colour, bold=True)
            for row, text in enumerate(_scale(lane.trace, lane.rows)):
                number = str(lane.trace.channel) if row == lane.rows // 2 else " "
                head = glyphs.text(("▸" if lane.trace.selected else " ") + number)
                self.gutter.append(f"{style}{head}{quiet}{glyphs.text(text):>{GUTTER - 3}} ")

    def holds(self, traces: Sequence[Trace], rows: int) -> bool:
        """Is it of these?"""
        return self._traces is traces and self._rows == rows


def _scale(trace: Trace, rows: int) -> list[str]:
    """The texts beside a trace, as far as there are rows."""
    texts = [""] * rows
    if rows < 3:
        texts[rows // 2] = f"±{trace.reach:g}"
        return texts
    texts[0], texts[rows // 2], texts[-1] = f"+{trace.reach:g}", "0", f"-{trace.reach:g}"
    if rows >= 5:
        texts[1] = trace.unit
    if trace.clipped:
        texts[-2] = "clip"
    return texts


def _spans(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Places in a row, from the first to before the last."""
    first = 0
    for number, place in enumerate(places):
        if not number or places[number - 1] != place - 1:
            first = place
        if number + 1 == len(places) or places[number + 1] != place + 1:
            yield first, place + 1
