"""The traces in a terminal: a column of cells for each piece of time, made once. Pure.

Columns of cells are numbered through all of the capture, `width` of them to a window of samples, so that in a
sweep each window begins with a new one. Only those are made that are new, or behind which a mark, a gap or
the axis is another; the newest one is made again as it fills up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from kit.core.frozen import record
from kit.eeg.viewing import colours
from kit.eeg.viewing.dots import Grid, Heights, Stretch, trace
from kit.eeg.viewing.frame import Frame, Trace
from kit.eeg.viewing.glyphs import Glyphs
from kit.eeg.viewing.paint import Paint

Column = tuple[str, ...]  # a cell for each row
Segments = Callable[[int, int, int], Sequence[Stretch]]  # of a channel, from a position to before another

_COLOURS = {"gap": colours.GAP, "mark": colours.MARK, "button": colours.BUTTON, "grid": colours.AXIS}
_KEPT = 3  # times as many columns as are seen
_BEFORE, _BEHIND = 2, 1  # samples about a column, from and to which a trace leads


@record
class Lane:
    """A trace and the rows that it has."""

    trace: Trace
    top: int
    rows: int


def lanes_of(traces: Sequence[Trace], rows: int) -> tuple[Lane, ...]:
    """Each trace with its share of the rows."""
    count = len(traces)
    edges = [rows * number // count for number in range(count + 1)] if count else []
    return tuple(
        Lane(shown, top, until - top) for shown, top, until in zip(traces, edges, edges[1:], strict=False)
    )


@record
class Drawn:
    """The column at each place, and the number of the first one; in a sweep that is always 0.

    A column that has not changed since the drawing before is the same object.
    """

    columns: list[Column]
    left: int


class Lanes:
    """The columns of a picture of one size."""

    def __init__(self, width: int, rows: int, glyphs: Glyphs, paint: Paint) -> None:
        self.width, self.rows = width, rows
        self._glyphs = glyphs
        self._paint = paint
        self._key: object = None
        self._made: dict[int, Column] = {}
        self._behind: dict[int, str] = {}
        self._newest = (0, 0)  # the column that may not have been full, and how far the samples went
        self._empties: dict[tuple[str | None, str], str] = {}
        self._blanks: dict[str | None, Column] = {}

    def draw(self, frame: Frame, lanes: Sequence[Lane], segments: Segments) -> Drawn:
        """The picture."""
        key = (frame.key, tuple(lane.trace.channel for lane in lanes))
        if key != self._key:
            self._key, self._made, self._blanks = key, {}, {}
        sight = _Sight(frame, self.width)
        self._drop_changed(sight)
        made = self._made
        for first, last in _runs(c for c in sight.numbers if c is not None and c not in made):
            dots = [self._dots(lane, sight, first, last, segments) for lane in lanes]
            for column in range(first, last):
                made[column] = self._column(lanes, dots, column - first, sight.behind.get(column))
        columns = [
            self._blank(lanes, sight.behind.get(~place)) if number is None else made[number]
            for place, number in enumerate(sight.numbers)
        ]
        return Drawn(columns, sight.left)

    def _drop_changed(self, sight: _Sight) -> None:
        """What has to be made again, or is no longer to be seen."""
        made = self._made
        for column, _ in sight.behind.items() ^ self._behind.items():
            made.pop(column, None)
        if self._newest[1] != sight.end:
            made.pop(self._newest[0], None)
        if len(made) > _KEPT * self.width:
            self._made = {c: made[c] for c in sight.numbers if c is not None and c in made}
        self._behind = sight.behind
        self._newest = (sight.newest, sight.end)

    def _dots(self, lane: Lane, sight: _Sight, first: int, last: int, segments: Segments) -> list[int]:
        """Of the columns from `first` to before `last`."""
        wide, grid = self._glyphs.wide, sight.grid
        end = min(grid.begin(last) + _BEHIND, sight.end)
        stretches = segments(lane.trace.channel, grid.begin(first) - _BEFORE, end)
        heights = Heights(lane.trace.reach, lane.rows * self._glyphs.high)
        return trace(stretches, Grid(grid.window, self.width * wide), first * wide, last * wide, heights)

    def _column(
        self, lanes: Sequence[Lane], dots: Iterable[list[int]], at: int, behind: str | None
    ) -> Column:
        wide = self._glyphs.wide
        cells: list[str] = []
        for lane, its_dots in zip(lanes, dots, strict=True):
            cells += self._cells(lane, its_dots[at * wide : (at + 1) * wide], behind)
        return tuple(cells)

    def _cells(self, lane: Lane, dots: list[int], behind: str | None) -> list[str]:
        """A lane's part of a column."""
        glyphs = self._glyphs
        high, full = glyphs.high, (1 << glyphs.high) - 1
        cells = [self._empty(lane.trace.colour, behind)] * lane.rows
        left, right, row = dots[0], dots[-1], 0
        lefts, rights = glyphs.columns[0], glyphs.columns[-1]
        while left or right:
            # Where a cell is one dot wide, both are the same one.
            index = lefts[left & full] | rights[right & full]
            if index:
                cells[row] = glyphs.cells[index]
            left, right, row = left >> high, right >> high, row + 1
        return cells

    def _empty(self, colour: str, behind: str | None) -> str:
        """A cell of a lane of this colour that no trace is in."""
        if behind is None:
            return " "
        key = (behind, colour)
        if key not in self._empties:
            glyph, paint = self._glyphs.behind[behind], self._paint
            self._empties[key] = f"{paint.on(_COLOURS[behind])}{glyph}{paint.on(colour)}"
        return self._empties[key]

    def _blank(self, lanes: Iterable[Lane], behind: str | None) -> Column:
        if behind not in self._blanks:
            self._blanks[behind] = tuple(
                self._empty(lane.trace.colour, behind) for lane in lanes for _ in range(lane.rows)
            )
        return self._blanks[behind]


class _Sight:
    """Which column is at which place, and what stands behind the traces.

    `behind` is by the number of the column, or ~place where there is none.
    """

    def __init__(self, frame: Frame, width: int) -> None:
        self.grid = grid = Grid(frame.window, width)
        self.end = frame.parts[0].end if frame.parts else 0
        self.newest = grid.column(self.end - 1)
        self.left = 0 if frame.sweep else self.newest - width + 1
        self.numbers: list[int | None] = [None] * width
        self.behind: dict[int, str] = {}
        self._origin = 0 if frame.sweep else self.end - frame.window
        for part in frame.parts:
            first, last = grid.column(part.first), grid.column(part.end - 1) + 1
            place = first % width if frame.sweep else first - self.left
            first, place = first - min(place, 0), max(place, 0)
            self.numbers[place : place + last - first] = range(first, last)
        self._stand(frame)

    def _stand(self, frame: Frame) -> None:
        """The last one at a place stays."""
        for tick in frame.ticks:
            self._put(self._place(tick.x), "grid")
        for hole in frame.holes:
            for place in range(self._place(hole.x), self._place(hole.end - 1) + 1):
                self._put(place, "gap")
        for line in frame.lines:
            self._put(self._place(line.x), line.kind)

    def _place(self, x: int) -> int:
        """Where a sample of the picture is; it may be outside."""
        return self.grid.column(x + self._origin) - self.left

    def _put(self, place: int, what: str) -> None:
        if 0 <= place < len(self.numbers):
            number = self.numbers[place]
            self.behind[~place if number is None else number] = what


def _runs(columns: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Numbers in a row, from the first to before the last."""
    first = last = None
    for column in sorted(columns):
        if first is None or last != column:
            if first is not None and last is not None:
                yield first, last
            first = column
        last = column + 1
    if first is not None and last is not None:
        yield first, last
