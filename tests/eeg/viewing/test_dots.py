"""Which dots a trace passes through."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kit.eeg.viewing.dots import Grid, Heights, trace

VALUES = st.lists(st.integers(-120, 120).map(float), min_size=1, max_size=200)
WINDOWS = st.integers(1, 300)
COLUMNS = st.integers(1, 120)


def dots_of(column: int) -> list[int]:
    return [at for at in range(column.bit_length()) if column >> at & 1]


def test_the_top_is_the_reach_and_the_bottom_its_negative() -> None:
    heights = Heights(100, 5)
    shown = {value: dots_of(heights.between(value, value)) for value in (100, 50, 0, -50, -100, 999, -999)}
    assert shown == {100: [0], 50: [1], 0: [2], -50: [3], -100: [4], 999: [0], -999: [4]}
    assert dots_of(heights.between(-100, 100)) == [0, 1, 2, 3, 4]


@given(WINDOWS, COLUMNS, st.integers(0, 5000))
def test_each_sample_is_in_the_column_that_begins_at_it_or_before(window: int, columns: int, at: int) -> None:
    grid = Grid(window, columns)
    column = grid.column(at)
    assert grid.begin(column) <= at < grid.begin(column + 1)
    assert grid.begin(columns) == window


@given(VALUES, WINDOWS, COLUMNS)
def test_a_trace_is_one_line(values: list[float], window: int, columns: int) -> None:
    grid = Grid(window, columns)
    last = grid.column(len(values) - 1) + 1
    dots = trace([(0, values)], grid, 0, last, Heights(100, 32))
    assert all(dots)
    for column, after in pairwise(dots):
        touching = column << 1 | column | column >> 1
        assert touching & after
    for column in dots:
        assert len(dots_of(column)) == column.bit_length() - dots_of(column)[0], "a hole in a column"


@given(VALUES, WINDOWS, COLUMNS, st.data())
def test_a_part_of_a_trace_is_as_in_the_whole(
    values: list[float], window: int, columns: int, data: st.DataObject
) -> None:
    grid, heights = Grid(window, columns), Heights(100, 32)
    last = grid.column(len(values) - 1) + 1
    first = data.draw(st.integers(0, last - 1))
    until = data.draw(st.integers(first + 1, last))
    begin, end = max(0, grid.begin(first) - 2), grid.begin(until) + 1
    part = trace([(begin, values[begin:end])], grid, first, until, heights)
    assert part == trace([(0, values)], grid, 0, last, heights)[first:until]


@given(VALUES, VALUES, st.integers(1, 300), WINDOWS, COLUMNS)
def test_nothing_is_drawn_in_a_gap(
    before: list[float], after: list[float], gap: int, window: int, columns: int
) -> None:
    grid = Grid(window, columns)
    begin = len(before) + gap
    last = grid.column(begin + len(after) - 1) + 1
    dots = trace([(0, before), (begin, after)], grid, 0, last, Heights(100, 32))
    inside = range(grid.column(len(before) - 1) + 1, grid.column(begin))
    assert [dots[column] for column in inside] == [0] * len(inside)
