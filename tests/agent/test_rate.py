"""A bucket never gives more than its burst and what its rate fills in the meantime."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.rate import Bucket

RATES = st.floats(0.001, 1000)


@given(RATES, st.integers(1, 50), st.lists(st.floats(0, 30), max_size=200))
def test_in_no_window_more_is_given_than_burst_and_rate_allow(
    rate: float, burst: int, waits: list[float]
) -> None:
    bucket, now_s, given_s = Bucket(rate, burst, 1000.0), 1000.0, []
    for wait in waits:
        now_s += wait / rate / 30
        if bucket.take(now_s):
            given_s.append(now_s)
    for first in range(len(given_s)):
        for last in range(first, len(given_s)):
            allowed = burst + rate * (given_s[last] - given_s[first])
            assert last - first + 1 <= allowed * 1.000001


@given(RATES, st.integers(1, 50))
def test_whoever_waits_long_enough_is_given_what_fits_and_no_more(rate: float, burst: int) -> None:
    bucket = Bucket(rate, burst, 0.0)
    for round_s in (0.0, 2 * burst / rate, 1000 * burst / rate):
        given = sum(bucket.take(round_s) for _ in range(2 * burst + 5))
        assert given == burst


@given(
    st.floats(0.001, 2),
    st.integers(1, 3),
    st.lists(st.one_of(st.floats(-100, 0), st.floats(0, 0.1)), max_size=60),
)
def test_a_clock_that_goes_back_and_forth_gives_no_more_than_its_way_forth(
    rate: float, burst: int, steps: list[float]
) -> None:
    bucket, now_s, forth_s, given = Bucket(rate, burst, 0.0), 0.0, 0.0, 0
    for step in steps:
        now_s += step
        forth_s += max(0.0, step)
        given += bucket.take(now_s)
    assert given <= (burst + rate * forth_s) * 1.000001


@pytest.mark.parametrize(("rate", "wait_s"), [(0.5, 2.0), (10, 0.1), (1000, 0.001)])
def test_one_comes_back_after_the_time_of_one(rate: float, wait_s: float) -> None:
    bucket = Bucket(rate, 1, 50.0)
    assert bucket.take(50.0)
    assert not bucket.take(50.0 + wait_s * 0.99)
    assert bucket.take(50.0 + wait_s * 1.001)
