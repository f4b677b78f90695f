"""Traces that are kept from picture to picture are those that would be drawn anew."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from kit.eeg.viewing.frame import Part
from kit.eeg.viewing.lines import Ground, Line, Segments
from kit.eeg.viewing.looking import parts

GROUND = Ground(0, 1, exact=True)


def _segments(gaps: Sequence[tuple[int, int]]) -> Segments:
    """Each sample is its position; what is in a gap is not there."""
    missing = {at for first, count in gaps for at in range(first, first + count)}

    def segments(_channel: int, first: int, end: int) -> list[tuple[int, list[float]]]:
        found: list[tuple[int, list[float]]] = []
        for at in range(first, end):
            if at in missing:
                continue
            if found and found[-1][0] + len(found[-1][1]) == at:
                found[-1][1].append(float(at))
            else:
                found.append((at, [float(at)]))
        return found

    return segments


def _line(size: int) -> Line:
    return Line(1, size, lambda values: [float(value) for value in values])


def _points(line: Line, shown: Sequence[Part]) -> list[list[float]]:
    return [list(points) for part in shown for points in line.points(part, GROUND)]


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 90), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 40)), max_size=4),
    st.integers(20, 120),
    st.booleans(),
)
def test_what_is_kept_is_what_would_be_drawn_anew(
    steps: list[int], gaps: list[tuple[int, int]], window: int, sweep: bool
) -> None:
    segments, kept, end = _segments(gaps), _line(1), 1
    for step in steps:
        end += step
        shown = parts(end, window, 0, sweep)
        kept.update(shown, segments)
        anew = _line(1)
        anew.update(shown, segments)
        assert _points(kept, shown) == _points(anew, shown)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 90), min_size=1, max_size=12), st.integers(2, 9), st.integers(40, 200))
def test_blocks_have_the_least_and_the_greatest_of_each_however_they_came(
    steps: list[int], size: int, window: int
) -> None:
    kept, end = _line(size), 1
    for step in steps:
        end += step
        shown = parts(end, window, 0, False)
        kept.update(shown, _segments([]))
        (points,) = _points(kept, shown)
        lows, highs = points[1::4], points[3::4]
        assert all(low <= high < low + size for low, high in zip(lows, highs, strict=True))
        assert [low % size for low in lows[1:]] == [0] * (len(lows) - 1)
        assert highs[-1] == end - 1


def test_no_line_leads_over_a_gap() -> None:
    line, shown = _line(1), parts(100, 100, 0, False)
    line.update(shown, _segments([(40, 7)]))
    first, second = _points(line, shown)
    assert (first[-2], second[0]) == (39, 47)


def test_a_sample_alone_is_a_dot() -> None:
    line, shown = _line(1), parts(10, 10, 0, False)
    line.update(shown, _segments([(3, 2), (6, 4)]))
    assert _points(line, shown)[1] == [5, 5, 6, 5]


def test_looking_back_and_forward_shows_what_is_there() -> None:
    line, segments = _line(1), _segments([])
    for end in (500, 300, 310, 900, 120):
        shown = parts(end, 100, 0, False)
        line.update(shown, segments)
        assert _points(line, shown)[0][1::2] == list(range(end - 100, end))
