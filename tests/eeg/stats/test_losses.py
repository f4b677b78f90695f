"""Gaps, and packets that come late and mend them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kit.eeg.stats.losses import Gap, Losses

_SIZE, _PERIOD = 17, 256


def _of(*gaps: Gap) -> Losses:
    losses = Losses()
    for gap in gaps:
        losses.add(gap, _SIZE, _PERIOD)
    return losses


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 300)), max_size=40))
def test_the_figures_are_those_of_a_plain_loop(steps: list[tuple[int, int]]) -> None:
    gaps, at = [], 0
    for received, lost in steps:
        gaps.append(Gap(at + received, lost))
        at += received + lost
    found = _of(*gaps).patterns()
    counts = [gap.count for gap in gaps]
    assert (found.gaps, found.lost, found.squares) == (len(counts), sum(counts), sum(n * n for n in counts))
    assert found.lengths.rows() == [(n, n, counts.count(n)) for n in sorted(set(counts))]
    begins = [gap.sequence for gap in gaps]
    distances = sorted(later - earlier for earlier, later in pairwise(begins))
    assert [low for low, _, times in found.spacings.rows() for _ in range(times)] == distances


def test_a_late_packet_mends_a_gap_of_one() -> None:
    losses = _of(Gap(10, 1), Gap(20, 3))
    assert losses.found(10) == -1
    assert losses.patterns().lengths.rows() == [(3, 3, 1)]


def test_a_late_packet_cuts_a_gap_in_two_or_shortens_it() -> None:
    losses = _of(Gap(20, 5))
    assert losses.found(22) == 1
    assert losses.patterns().lengths.rows() == [(2, 2, 2)]
    assert losses.found(20) == 0
    assert losses.patterns().lengths.rows() == [(1, 1, 1), (2, 2, 1)]


def test_a_packet_of_no_gap_changes_nothing() -> None:
    losses = _of(Gap(20, 5))
    assert losses.found(19) == losses.found(25) == 0
    assert losses.patterns().lost == 5


def test_gaps_that_are_cut_to_pieces_do_not_pile_up() -> None:
    losses = Losses()
    for k in range(0, 20_000, 10):
        losses.add(Gap(k, 9), _SIZE, _PERIOD)
        losses.found(k + 2)
        losses.found(k + 5)
    assert losses.patterns().lost == 2000 * 7
    assert len(losses._waiting) < 40


def test_what_is_in_the_place_of_a_gap_is_counted() -> None:
    found = _of(Gap(0, 1, None, 0), Gap(9, 2, None, 34), Gap(20, 2, None, 30), Gap(30, 1)).patterns()
    assert (found.damaged, found.whole) == (1, 1)
    assert found.vanished.rows() == [(0, 0, 1), (30, 30, 1), (34, 34, 1)]


def test_no_distance_reaches_over_a_restart() -> None:
    losses = _of(Gap(10, 1))
    losses.break_off()
    losses.add(Gap(20, 1), _SIZE, _PERIOD)
    assert losses.patterns().spacings.count == 0


def test_two_gaps_around_one_packet_that_make_up_a_period_are_a_pair() -> None:
    assert _of(Gap(10, 100), Gap(111, 156)).patterns().flipped == 1
    assert _of(Gap(10, 100), Gap(112, 156)).patterns().flipped == 0
    assert _of(Gap(10, 100), Gap(111, 155)).patterns().flipped == 0
    assert _of(Gap(10, 100), Gap(111, 156), Gap(268, 100)).patterns().flipped == 1
