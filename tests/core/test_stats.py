"""Percentiles, medians and rates."""

from __future__ import annotations

import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.stats import histogram_percentile, median, percentile, rate

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, p) for p in (1, 50, 99, 99.5, 100)] == [1, 50, 99, 100, 100]
    assert percentile([3.0], 50) == 3.0


@given(st.lists(FLOATS, min_size=1), st.floats(0.1, 100))
def test_at_least_that_many_values_do_not_exceed_it(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100 - 1e-9 * len(values)


def test_the_median_of_an_even_number_lies_between() -> None:
    assert median([4, 1, 3, 2]) == 2.5
    assert median([5, 1, 3]) == 3


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_there_is_no_such_percentile(percent: float) -> None:
    with pytest.raises(ValueError, match="percentile of"):
        percentile([1.0], percent)


def test_nothing_has_neither_percentile_nor_median() -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile([], 50)
    with pytest.raises(ValueError, match="median"):
        median([])


def test_a_rate_of_no_time_is_none() -> None:
    assert rate(10, 2) == 5
    assert rate(10, 0) == 0


def test_in_a_histogram_values_count_as_evenly_spread() -> None:
    found = [histogram_percentile((10, 20), (4, 4, 0), p) for p in (12.5, 50, 75, 100)]
    assert found == [2.5, 10, 15, 20]
    assert histogram_percentile((10, 20, 30), (0, 0, 1, 0), 1) == pytest.approx(20.1)


def test_beyond_the_last_bound_a_histogram_knows_nothing() -> None:
    assert histogram_percentile((10, 20), (0, 1, 1), 99) == math.inf
    assert histogram_percentile((), (3,), 50) == math.inf


def test_an_empty_histogram_has_no_percentile() -> None:
    for counts, percent in (((0, 0), 50), ((1, 0), 0), ((1, 0), 101)):
        with pytest.raises(ValueError, match="percentile of"):
            histogram_percentile((10,), counts, percent)


@given(st.lists(st.integers(1, 99), min_size=1, max_size=50), st.sampled_from([1, 25, 50, 99, 100]))
def test_a_histogram_is_right_to_the_width_of_a_bucket(values: list[int], percent: float) -> None:
    bounds = tuple(range(10, 101, 10))
    counts = [0] * 11
    for value in values:
        counts[bisect_left(bounds, value)] += 1
    assert abs(histogram_percentile(bounds, counts, percent) - percentile(values, percent)) <= 10
