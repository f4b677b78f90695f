"""The course of a capture in a bounded row of buckets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kit.eeg.stats.timeline import BUCKETS, Bucket, Timeline, coarser

_STEPS = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 200)), min_size=1, max_size=40)


def _fill(steps: list[tuple[int, int]], cut: int | None = None) -> Timeline:
    """Received and lost in turn; `cut` hands out received packets in pieces of that size."""
    timeline, sequence = Timeline(), 0
    for received, lost in steps:
        piece = cut or received
        for at in range(0, received, piece):
            timeline.add_received(sequence + at, min(piece, received - at))
        sequence += received
        if lost:
            timeline.add_lost(sequence, lost)
            sequence += lost
    return timeline


@given(_STEPS)
def test_every_packet_is_in_one_bucket_and_the_row_is_short(steps: list[tuple[int, int]]) -> None:
    timeline = _fill(steps)
    buckets = timeline.buckets()
    assert len(buckets) <= BUCKETS
    assert sum(one.received for one in buckets) == sum(received for received, _ in steps)
    assert sum(one.lost for one in buckets) == sum(lost for _, lost in steps)
    assert sum(one.gaps for one in buckets) == sum(lost > 0 for _, lost in steps)
    assert all(one.sent == timeline.width for one in buckets[:-1])


@given(_STEPS, st.integers(1, 17))
def test_the_course_is_the_same_in_any_pieces(steps: list[tuple[int, int]], cut: int) -> None:
    assert _fill(steps, cut).buckets() == _fill(steps).buckets()


def test_an_hour_away_takes_no_time_to_note() -> None:
    timeline = Timeline()
    timeline.add_received(0, 10)
    timeline.add_lost(10, 10**12)
    assert sum(one.lost for one in timeline.buckets()) == 10**12


def test_a_packet_that_came_late_is_taken_back() -> None:
    timeline = _fill([(10, 2), (10, 0)])
    timeline.take_back(10, -1)
    assert sum(one.lost for one in timeline.buckets()) == 1
    assert sum(one.gaps for one in timeline.buckets()) == 0


def test_coarser_keeps_an_odd_last_bucket() -> None:
    buckets = [Bucket(1, 2, 1), Bucket(3, 4, 1), Bucket(5, 6, 1)]
    assert coarser(buckets) == [Bucket(4, 6, 2), Bucket(5, 6, 1)]
