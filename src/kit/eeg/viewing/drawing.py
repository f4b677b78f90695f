"""From a frame to the shapes of a picture: lanes, axis, events, status; panels stand in `graphs`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kit.eeg.viewing import colours
from kit.eeg.viewing.frame import Frame, Tone, Trace, Word
from kit.eeg.viewing.graphs import Area, Graphs
from kit.eeg.viewing.lines import Ground, Line, Segments
from kit.eeg.viewing.picture import ADVANCE, Box, Path, Picture, Text
from kit.eeg.viewing.status import button_words

GROUND, SHADE, RULE, ZERO = "#11151a", "#1a2027", "#242c35", "#36414d"
INK, QUIET = "#e6e9ec", "#96a0aa"
TONES: dict[Tone, str] = {
    "plain": INK,
    "quiet": QUIET,
    "good": "#4fc08d",
    "warn": colours.YELLOW,
    "bad": "#ff7a45",
}
_BETWEEN = "  ·  "
_GUTTER, _MARGIN, _EVENTS, _AXIS, _STATUS = 104, 14, 26, 24, 28
_SMALL_LANE = 44
_LEAST_ROOM = 16  # for a text that is cut
# So many points of a line cost the canvas less than making fewer of them does here.
_MOST_POINTS = 2000


@dataclass(frozen=True)
class Style:
    """A picture's size in pixels, how many of them a point of the layout has, and what it is for.

    `exact` has fractions of pixels, `hint` tells of the help, `advance` is how wide a character is.
    """

    width: int
    height: int
    unit: float = 1.0
    exact: bool = False
    hint: bool = True
    advance: float = ADVANCE


class Drawing:
    """Draws frames in one style, one after the other."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._graphs = Graphs(style.unit, style.advance)
        self._lines: dict[int, Line] = {}
        self._drawn_as: object = None

    def picture(self, frame: Frame, segments: Segments) -> Picture:
        """All shapes of a frame; its traces are in `segments` (`Scene.segments`), and need not be in it."""
        style, u = self._style, self._style.unit
        panels = self._graphs.height(frame)
        left, top = _GUTTER * u, _EVENTS * u
        bottom = max(style.height - (_AXIS + _STATUS) * u - panels, top + 20 * u)
        area = Area(left, top, max(style.width - left - _MARGIN * u, 10), bottom - top)
        sheet = _Sheet(frame, area, style)
        sheet.draw()
        below = Area(left, bottom + _AXIS * u, area.width, panels)
        boxes, paths, cells, texts = self._graphs.draw(frame, below)
        return Picture(
            style.width,
            style.height,
            GROUND,
            [*sheet.boxes, *boxes],
            [*self._traces(frame, area, segments), *paths],
            cells,
            [*sheet.texts, *texts],
            sheet.cover,
            sheet.help,
        )

    def _traces(self, frame: Frame, area: Area, segments: Segments) -> Iterator[Path]:
        lanes = list(_lanes(frame, area))
        drawn_as = (frame.key, area, [trace.channel for trace, _ in lanes])
        if drawn_as != self._drawn_as:
            self._drawn_as = drawn_as
            size = (
                1
                if frame.window <= max(_MOST_POINTS, 2 * area.width)
                else -(-frame.window // int(area.width))
            )
            self._lines = {
                t.channel: Line(t.channel, size, self._heights(t, lane, area)) for t, lane in lanes
            }
        ground = Ground(area.x, area.width / frame.window, self._style.exact)
        for trace, _ in lanes if frame.parts else ():
            line = self._lines[trace.channel]
            line.update(frame.parts, segments)
            for part in frame.parts:
                for points in line.points(part, ground):
                    yield Path(points, trace.colour, max(1.3 * self._style.unit, 1))

    def _heights(self, trace: Trace, lane: Area, area: Area) -> Callable[[Sequence[float]], list[float]]:
        """From values to pixels; what is beyond its lane is drawn over the others."""
        middle, factor = lane.y + lane.height / 2, -_reach_px(lane, self._style.unit) / trace.reach
        low, high, exact = int(area.y), int(area.y + area.height), self._style.exact

        def heights(values: Sequence[float]) -> list[float]:
            if exact:
                return [min(max(round(middle + value * factor, 1), low), high) for value in values]
            return [min(max(int(middle + value * factor), low), high) for value in values]

        return heights


class _Sheet:
    """The shapes of one frame."""

    def __init__(self, frame: Frame, area: Area, style: Style) -> None:
        self.boxes: list[Box] = []
        self.texts: list[Text] = []
        self.cover: list[Box] = []
        self.help: list[Text] = []
        self._frame = frame
        self._area = area
        self._style = style
        self._u = style.unit

    def draw(self) -> None:
        """All of them, the lowest first."""
        self._axis()
        for trace, lane in _lanes(self._frame, self._area):
            boxes, texts = _label(trace, lane, self._u, lane.y > self._area.y)
            self.boxes += boxes
            self.texts += texts
        self._holes()
        self._lines()
        self._events()
        self._status()
        self._help()

    def _x(self, x: int) -> float:
        return self._area.x + x * self._area.width / self._frame.window

    def _axis(self) -> None:
        area, u = self._area, self._u
        self.boxes.append(Box(area.x, area.y, area.width, area.height, SHADE))
        for tick in self._frame.ticks:
            x = self._x(tick.x)
            self.boxes.append(Box(x, area.y, max(1, u), area.height + 5 * u, RULE))
            if x < area.x + area.width - 12 * u:
                self.texts.append(Text(x, area.y + area.height + 13 * u, tick.text, QUIET, 11 * u, "middle"))

    def _holes(self) -> None:
        """As wide as they were long, and never so narrow that nobody sees them."""
        area = self._area
        for hole in self._frame.holes:
            x, end = self._x(hole.x), self._x(hole.end)
            self.boxes.append(Box(x, area.y, max(end - x, 2 * self._u), area.height, colours.GAP_GROUND))

    def _lines(self) -> None:
        area, u = self._area, self._u
        for line in self._frame.lines:
            colour = colours.MARK if line.kind == "mark" else colours.BUTTON
            self.boxes.append(Box(self._x(line.x), area.y, max(1, u), area.height, colour))
        if self._frame.cursor is not None:
            self.boxes.append(Box(self._x(self._frame.cursor), area.y, max(1, u), area.height, QUIET))

    def _events(self) -> None:
        """Above the lanes: what the gaps and the lines are; what would touch the next is left out."""
        frame, u = self._frame, self._u
        found = [(self._x(hole.x), hole.text, TONES["bad"]) for hole in frame.holes]
        for line in frame.lines:
            found.append(
                (self._x(line.x), line.text, colours.MARK if line.kind == "mark" else colours.BUTTON)
            )
        found.sort()
        ends = [*(x for x, _, _ in found[1:]), float(self._style.width)][: len(found)]
        wide, free = 11 * u * self._style.advance, 0.0
        for (x, words, colour), end in zip(found, ends, strict=True):
            room = int((end - x) / wide)
            text = words if len(words) <= room or room < _LEAST_ROOM else words[: room - 1] + "…"
            if x >= free and len(text) <= room:
                self.texts.append(Text(x, self._area.y - 11 * u, text, colour, 11 * u))
                free = x + (len(text) + 1) * wide

    def _status(self) -> None:
        u, size = self._u, 12 * self._u
        y, x = self._style.height - _STATUS * u / 2, 10 * u
        self.boxes.append(Box(0, self._style.height - _STATUS * u, self._style.width, _STATUS * u, SHADE))
        wide = size * self._style.advance
        room = int((self._style.width - 2 * x) / wide) - (8 if self._style.hint else 0)
        if self._frame.prompt:
            self.texts.append(Text(x, y, self._frame.prompt[:room], INK, size, bold=True))
            return
        for at, word in enumerate(_fitting([*self._frame.status, *button_words(self._frame.buttons)], room)):
            if at:
                self.texts.append(Text(x, y, _BETWEEN, QUIET, size))
                x += len(_BETWEEN) * wide
            self.texts.append(Text(x, y, word.text, TONES[word.tone], size))
            x += len(word.text) * wide
        if self._style.hint:
            self.texts.append(Text(self._style.width - 10 * u, y, "? help", QUIET, size, "end"))

    def _help(self) -> None:
        rows, u = self._frame.help, self._u
        if not rows:
            return
        size = 13 * u
        wide = (max(len(what) for _, what in rows) + 16) * size * self._style.advance
        high = (len(rows) + 1.5) * 1.6 * size
        x, y = (self._style.width - wide) / 2, max((self._style.height - high) / 2, 0)
        self.cover.append(Box(x - 2 * u, y - 2 * u, wide + 4 * u, high + 4 * u, ZERO))
        self.cover.append(Box(x, y, wide, high, GROUND))
        for at, (keys, what) in enumerate(rows):
            line = y + (at + 1.25) * 1.6 * size
            self.help.append(
                Text(x + 10 * size * self._style.advance, line, keys, colours.SKY, size, "end", True)
            )
            self.help.append(Text(x + 12 * size * self._style.advance, line, what, INK, size))


@lru_cache(maxsize=32)
def _label(trace: Trace, lane: Area, u: float, below: bool) -> tuple[list[Box], list[Text]]:
    """Beside a lane: which channel, and a bar as long as its label says. The same in most pictures."""
    middle = lane.y + lane.height / 2
    boxes = [Box(lane.x, middle, lane.width, max(1, u), ZERO)]
    if below:
        boxes.append(Box(lane.x, lane.y, lane.width, max(1, u), GROUND))
    small = lane.height < _SMALL_LANE * u
    name, up = str(trace.channel) if small else trace.label, 0 if small else 9 * u
    texts = [Text(10 * u, middle - up, name, trace.colour, 12 * u, bold=True)]
    if trace.selected:
        texts.append(Text(1 * u, middle - up, "▸", trace.colour, 12 * u, bold=True))
    bar = _reach_px(lane, u)
    x, y = lane.x - 9 * u, middle - bar / 2
    boxes.append(Box(x, y, 2 * u, bar, QUIET))
    boxes += [Box(x - 2 * u, end, 6 * u, max(1, u), QUIET) for end in (y, y + bar)]
    texts.append(Text(lane.x - 17 * u, middle + up, f"{trace.reach:g} {trace.unit}", QUIET, 11 * u, "end"))
    if trace.clipped and not small:
        texts.append(Text(10 * u, middle + 26 * u, "clipped", TONES["bad"], 11 * u, bold=True))
    return boxes, texts


def _lanes(frame: Frame, area: Area) -> Iterator[tuple[Trace, Area]]:
    height = area.height / max(len(frame.traces), 1)
    for at, trace in enumerate(frame.traces):
        yield trace, Area(area.x, area.y + at * height, area.width, height)


def _reach_px(lane: Area, unit: float) -> float:
    """How long a lane's reach is drawn: half of the lane, and some air."""
    return max(lane.height / 2 - 4 * unit, 1)


def _fitting(words: list[Word], room: int) -> list[Word]:
    """As many words as there is room for; those that tell the least go first."""
    while len(words) > 1 and sum(len(word.text) + len(_BETWEEN) for word in words) > room:
        quiet = [at for at, word in enumerate(words) if word.tone in ("quiet", "good")]
        del words[quiet[-1] if quiet else -1]
    return words
