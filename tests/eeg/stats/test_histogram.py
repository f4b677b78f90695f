"""Numbers in bounded memory, exact where they are small."""

from __future__ import annotations

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from kit.eeg.stats.histogram import Histogram

_VALUES = st.lists(st.integers(0, 2000) | st.integers(0, 10**12), min_size=1, max_size=50)


def _of(values: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.add_all(values)
    return histogram


@given(_VALUES, st.floats(1, 100))
def test_a_percentile_is_the_nearest_rank_to_one_part_in_32(values: list[int], percent: float) -> None:
    exact = sorted(values)[ceil(len(values) * percent / 100) - 1]
    assert abs(_of(values).percentile(percent) - exact) <= (0 if exact < 1024 else exact / 32)


@given(_VALUES)
def test_each_value_is_in_the_row_that_says_so(values: list[int]) -> None:
    rows = _of(values).rows()
    assert sum(times for _, _, times in rows) == len(values)
    for low, high, times in rows:
        assert times == sum(low <= value <= high for value in values)
    assert _of(values).greatest == max(values)


def test_it_stays_small_whatever_comes() -> None:
    assert len(_of([pow(7, n, 2**63) for n in range(100_000)]).rows()) < 1024 + 32 * 64


def test_of_several_most_common_values_the_smallest_is_named() -> None:
    assert _of([5, 3, 3, 5, 9]).most_common() == (3, 2)
    assert Histogram().most_common() == (0, 0)


def test_a_copy_goes_its_own_way() -> None:
    first = _of([1, 2000])
    second = first.copy()
    second.add(5000)
    assert (first.count, first.greatest, second.count, second.greatest) == (2, 2000, 3, 5000)
