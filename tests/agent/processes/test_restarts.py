"""How often a worker may be replaced."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kit.agent.processes.restarts import LIMIT, WITHIN_S, Restarts


def test_five_within_a_minute_and_no_sixth() -> None:
    restarts = Restarts()
    assert [restarts.allow(100.0 + second) for second in range(6)] == [True] * 5 + [False]
    assert not restarts.allow(100.0 + 59.9)
    assert restarts.allow(100.0 + 60.0), "a minute after the first"
    assert not restarts.allow(100.0 + 60.5)


@given(st.lists(st.floats(0, 40), max_size=80))
def test_in_no_minute_there_are_more(waits: list[float]) -> None:
    restarts, now_s, allowed_s = Restarts(), 0.0, []
    for wait in waits:
        now_s += wait
        if restarts.allow(now_s):
            allowed_s.append(now_s)
    for at, first in enumerate(allowed_s):
        assert sum(first <= other < first + WITHIN_S * 0.999999 for other in allowed_s[at:]) <= LIMIT


@given(st.integers(1, 5), st.floats(1, 100))
def test_seldom_ones_are_always_allowed(limit: int, within_s: float) -> None:
    restarts = Restarts(limit, within_s)
    assert all(restarts.allow(number * within_s * 1.001 / limit) for number in range(50))
