"""Times as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.duration import LIMIT_S, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("8h", 28_800),
        ("2d", 172_800),
        ("1w", 604_800),
        ("1h30m", 5400),
        ("1m1h", 3660),
        ("4294967295", LIMIT_S),
    ],
)
def test_a_time_is_the_sum_of_its_parts(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "0", "0h0m", "h", "1x", "-1", "1.5h", "1 h", " 1h", "1h ", "1H", "٣s", "4294967296", "12345678901"],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_duration(text) is None


@given(st.text(alphabet="0123456789smhdw", max_size=5000))
def test_any_text_is_a_time_within_the_limit_or_none(text: str) -> None:
    seconds = parse_duration(text)
    assert seconds is None or 0 < seconds <= LIMIT_S
