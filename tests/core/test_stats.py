"""Percentiles, medians and rates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.stats import median, percentile, rate

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
