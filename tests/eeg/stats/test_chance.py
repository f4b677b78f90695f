"""Bounds that hold for losses in bursts, and tests that do not see patterns in chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from math import comb

import pytest

from kit.eeg.stats import chance
from kit.eeg.stats.timeline import Bucket, Timeline

_PACKETS = 20_000


def _single(draw: random.Random) -> Iterator[tuple[int, int]]:
    """Gaps of one packet, by chance: begin and length."""
    for sequence in range(_PACKETS):
        if draw.random() < 0.01:
            yield sequence, 1


def _bursts(draw: random.Random) -> Iterator[tuple[int, int]]:
    sequence = 0
    while (sequence := sequence + 1 + int(draw.expovariate(1 / 990))) < _PACKETS - 40:
        length = 1 + int(draw.expovariate(1 / 9.5))
        yield sequence, min(length, 40)
        sequence += min(length, 40)


def _bouts(draw: random.Random) -> Iterator[tuple[int, int]]:
    """Short times in which a fifth is lost, long ones in which nothing is."""
    sequence = 0
    while (sequence := sequence + int(draw.expovariate(1 / 1900))) < _PACKETS:
        end = min(_PACKETS, sequence + int(draw.expovariate(1 / 100)))
        yield from ((at, 1) for at in range(sequence, end) if draw.random() < 0.2)
        sequence = end


def _measured(gaps: list[tuple[int, int]]) -> tuple[float, float]:
    timeline, at = Timeline(), 0
    for begin, length in gaps:
        timeline.add_received(at, begin - at)
        timeline.add_lost(begin, length)
        at = begin + length
    timeline.add_received(at, max(0, _PACKETS - at))
    effect = chance.design_effect(timeline.buckets(), sum(length**2 for _, length in gaps))
    return chance.bounds(_PACKETS, sum(length for _, length in gaps), effect)


@pytest.mark.parametrize("losing", [_single, _bursts, _bouts])
def test_about_95_of_100_captures_have_the_true_share_between_the_bounds(
    losing: Callable[[random.Random], Iterator[tuple[int, int]]],
) -> None:
    draw = random.Random(11)
    captures = [list(losing(draw)) for _ in range(120)]
    truth = sum(length for gaps in captures for _, length in gaps) / (_PACKETS * len(captures))
    hits = 0
    for gaps in captures:
        low, high = _measured(gaps)
        hits += low <= truth <= high
    assert hits >= 0.88 * len(captures)


def test_bounds_of_independent_draws_would_be_wrong_for_bursts() -> None:
    """The reason for the design effect: with none, most of the captures would be outside."""
    draw = random.Random(11)
    captures = [list(_bouts(draw)) for _ in range(60)]
    totals = [len(gaps) for gaps in captures]
    truth = sum(totals) / (_PACKETS * len(totals))
    bounds = [chance.bounds(_PACKETS, lost, 1.0) for lost in totals]
    assert sum(low <= truth <= high for low, high in bounds) < 0.7 * len(totals)


def test_nothing_lost_has_the_rule_of_three_as_its_bound() -> None:
    assert chance.bounds(3000, 0, 1.0) == (0.0, 0.001)
    assert chance.bounds(2, 0, 1.0) == (0.0, 1.0)
    assert chance.bounds(0, 0, 1.0) == (0.0, 1.0)


def test_wilsons_bounds_are_those_of_the_textbook() -> None:
    assert chance.bounds(12, 5, 1.0) == pytest.approx((0.1933, 0.6805), abs=5e-4)


@pytest.mark.parametrize(("hits", "tries", "share"), [(9, 10, 0.5), (5, 5, 0.2), (30, 100, 0.1)])
def test_the_bound_of_a_chance_is_above_the_chance(hits: int, tries: int, share: float) -> None:
    exact = sum(comb(tries, k) * share**k * (1 - share) ** (tries - k) for k in range(hits, tries + 1))
    assert exact <= chance.at_least(hits, tries, share) <= 20 * exact
    assert chance.at_least(int(tries * share), tries, share) == 1.0


def test_gaps_by_chance_are_not_seen_as_clustered() -> None:
    draw = random.Random(3)
    found = [
        chance.clustering([Bucket(500, 5, sum(draw.random() < 0.02 for _ in range(500))) for _ in range(40)])
        for _ in range(200)
    ]
    assert sum(sigmas > 1.645 for _, sigmas in found) <= 0.09 * len(found)
    assert max(sigmas for _, sigmas in found) < 3.5


def test_gaps_in_one_place_are_seen() -> None:
    index, sigmas = chance.clustering([Bucket(500, 0, 0)] * 30 + [Bucket(450, 50, 50)])
    assert index > 20
    assert sigmas > 10
