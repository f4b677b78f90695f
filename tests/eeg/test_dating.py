"""Times by the sequence number."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from kit.eeg.dating import Dating


def test_packets_are_dated_from_the_epoch_at_256_hz_by_default() -> None:
    assert Dating().walls_us(0, 4) == [0, 3906, 7812, 11718]


def test_a_packet_a_day_later_is_dated_without_a_drift() -> None:
    assert Dating(1_000_000, Fraction(256)).wall_us(256 * 86_400) == 1_000_000 + 86_400 * 1_000_000


def test_a_rate_that_no_decimal_tells_is_kept_exactly() -> None:
    assert Dating(0, Fraction(1000, 3)).wall_us(1_000_000_000) == 3_000_000_000_000


@given(
    st.integers(0, 2**53),
    st.fractions(Fraction(1, 1000), 10**6),
    st.integers(0, 10**9),
    st.integers(0, 50),
)
def test_many_times_are_those_of_each_packet_and_never_fall(
    start_us: int, rate_hz: Fraction, sequence: int, count: int
) -> None:
    dating = Dating(start_us, rate_hz)
    times = dating.walls_us(sequence, count)
    assert times == [dating.wall_us(sequence + at) for at in range(count)]
    assert times == sorted(times)
