"""Samples to dots: which dots of a column a trace passes through. Pure.

A column of dots is an integer whose bit 0 is the topmost dot. A trace is joined to the sample before, and to
nothing across a gap: so what is drawn does not depend on where one begins to draw.
"""

from __future__ import annotations

from collections.abc import Sequence

Stretch = tuple[int, Sequence[float]]


class Grid:
    """How samples fall into columns: `window` of them into `columns`, counted through all of the capture."""

    def __init__(self, window: int, columns: int) -> None:
        self.window = window
        self.columns = columns

    def begin(self, column: int) -> int:
        """The first sample of a column."""
        return -(-column * self.window // self.columns)

    def column(self, position: int) -> int:
        """The column that a sample is in."""
        return position * self.columns // self.window

    @property
    def is_sparse(self) -> bool:
        """Are there columns without a sample of their own?"""
        return self.window < self.columns


class Heights:
    """From values to dots, the top one being 0; what is beyond the reach is at the edge."""

    def __init__(self, reach: float, height: int) -> None:
        self._reach = reach
        self._last = height - 1
        self._scale = self._last / (2 * reach)

    def between(self, low: float, high: float) -> int:
        reach, last = self._reach, self._last
        top = 0 if high >= reach else last if high <= -reach else int((reach - high) * self._scale + 0.5)
        bottom = last if low <= -reach else 0 if low >= reach else int((reach - low) * self._scale + 0.5)
        return (2 << bottom) - (1 << top)


def trace(stretches: Sequence[Stretch], grid: Grid, first: int, last: int, heights: Heights) -> list[int]:
    """The dots in the columns `first` to before `last`, of the samples in the stretches."""
    dots = [0] * (last - first)
    draw = _sparse if grid.is_sparse else _dense
    for stretch in stretches:
        if stretch[1]:
            draw(dots, stretch, grid, first, heights)
    return dots


def _dense(dots: list[int], stretch: Stretch, grid: Grid, first: int, heights: Heights) -> None:
    """Each column has samples: from its lowest to its highest, the last one of the column before included."""
    at, values = stretch
    begin, end = max(grid.column(at), first), min(grid.column(at + len(values) - 1) + 1, first + len(dots))
    low, window, columns, between = grid.begin(begin) - at, grid.window, grid.columns, heights.between
    for column in range(begin, end):
        high = -(-(column + 1) * window // columns) - at  # as `begin`, in a place that is passed often
        piece = values[low - 1 if low > 0 else 0 : high]
        dots[column - first] |= between(min(piece), max(piece))
        low = high


def _sparse(dots: list[int], stretch: Stretch, grid: Grid, first: int, heights: Heights) -> None:
    """Columns lie between samples: along the line from one to the next."""
    at, values = stretch
    last = at + len(values) - 1
    begin, end = max(-(-at * grid.columns // grid.window), first), grid.column(last) + 1
    before = _between(stretch, (begin - 1) * grid.window / grid.columns)
    for column in range(begin, min(end, first + len(dots))):
        value = _between(stretch, column * grid.window / grid.columns)
        dots[column - first] |= heights.between(min(before, value), max(before, value))
        before = value


def _between(stretch: Stretch, position: float) -> float:
    """The value of the line through the samples; of the first and the last beyond them."""
    at, values = stretch
    place = min(max(position - at, 0), len(values) - 1)
    number = int(place)
    value = values[number]
    if place == number:
        return value
    return value + (values[number + 1] - value) * (place - number)
