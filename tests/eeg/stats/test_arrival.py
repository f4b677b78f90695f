"""Times from packet to packet, pauses, and what comes behind them."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from kit.eeg.records import Times
from kit.eeg.stats.arrival import ArrivalFigures, Arrivals

_RATE = Fraction(256)
_STEPS = st.lists(st.integers(0, 5000) | st.integers(40_000, 200_000), min_size=1, max_size=40)


def _figures(arrivals: Arrivals) -> ArrivalFigures:
    found = arrivals.figures()
    assert found
    return found


def _sums(steps: list[int]) -> list[int]:
    times = [1_000_000]
    for step in steps:
        times.append(times[-1] + step)
    return times


@given(_STEPS, st.integers(1, 9))
def test_the_figures_do_not_depend_on_the_length_of_the_runs(steps: list[int], size: int) -> None:
    times = _sums(steps)
    whole, pieces = Arrivals(_RATE), Arrivals(_RATE)
    whole.add(Times(times), 0)
    for at in range(0, len(times), size):
        pieces.add(Times(times[at : at + size]), 0)
    assert whole.figures() == pieces.figures()


@given(_STEPS)
def test_pauses_and_their_aftermath_are_those_of_a_plain_loop(steps: list[int]) -> None:
    times = _sums(steps)
    arrivals = Arrivals(_RATE)
    arrivals.add(Times(times), 0)
    until, pauses, exposed = -1, 0, 0
    for before, now in zip([times[0], *times], times, strict=False):
        if now - before > 50_000:
            until, pauses = now + 100_000, pauses + 1
        exposed += now <= until
    found = _figures(arrivals)
    assert (found.long_pauses, found.exposed, found.timed) == (pauses, exposed, len(times))
    assert found.intervals.max_us == max(steps)


def test_the_time_of_lost_packets_is_part_of_no_pause() -> None:
    arrivals = Arrivals(_RATE)
    arrivals.add(Times([0]), 0)
    assert not arrivals.add(Times([4_000_000]), 1023)
    assert _figures(arrivals).long_pauses == 0
    assert _figures(arrivals).intervals.max_us == 0


def test_a_loss_behind_a_pause_is_in_its_aftermath() -> None:
    arrivals = Arrivals(_RATE)
    arrivals.add(Times([0, 300_000, 300_010]), 0)
    assert arrivals.add(Times([300_020]), 40)
    assert not arrivals.add(Times([600_000]), 70)


def test_the_monotonic_clock_is_believed_where_there_is_one() -> None:
    arrivals = Arrivals(_RATE)
    arrivals.add(Times([0, 10**9, 5], [0, 4000, 8000]), 0)
    assert _figures(arrivals).intervals.max_us == 4000
    assert _figures(arrivals).backwards == 0


def test_a_wall_clock_that_is_set_back_is_told() -> None:
    arrivals = Arrivals(_RATE)
    arrivals.add(Times([10_000, 5_000, 9_000]), 0)
    assert _figures(arrivals).backwards == 1
    assert not _figures(arrivals).computed


def test_lateness_is_against_the_times_without_jitter() -> None:
    arrivals = Arrivals(_RATE)
    sampled = list(range(0, 400_000, 4000))
    arrivals.add(Times([at + index % 10 * 100 for index, at in enumerate(sampled)], (), sampled), 0)
    lateness = _figures(arrivals).lateness
    assert lateness
    assert (lateness.p50_us, lateness.p90_us, lateness.max_us) == (400, 800, 900)


def test_times_made_of_the_counter_are_recognised() -> None:
    made, measured = Arrivals(_RATE), Arrivals(_RATE)
    made.add(Times([k * 1_000_000 // 256 for k in range(50)]), 0)
    measured.add(Times([k * 1_000_000 // 256 + k % 3 for k in range(50)]), 0)
    assert _figures(made).computed
    assert not _figures(measured).computed


def test_nothing_has_no_figures() -> None:
    assert Arrivals(_RATE).figures() is None
