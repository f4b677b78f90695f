"""Totals of a capture, item by item."""

from __future__ import annotations

from fractions import Fraction

from kit.eeg.records import (
    Duplicate,
    Ended,
    Interrupted,
    Item,
    Lost,
    Recognised,
    Reordered,
    Restarted,
    Run,
    Skipped,
    Times,
)
from kit.eeg.tally import Tally
from tests.eeg.lines import stretch


def _tally(*items: Item) -> Tally:
    tally = Tally()
    for item in items:
        tally.add(item)
    return tally


def _lost(*items: Item) -> tuple[int, int, int]:
    tally = _tally(*items)
    return tally.lost_low, tally.lost, tally.lost_high


def test_nothing_is_no_loss() -> None:
    tally = _tally()
    assert (tally.loss_percent, tally.duration_us, tally.first_wall_us) == (0, 0, None)


def test_the_share_that_was_lost_is_of_what_was_sent() -> None:
    tally = _tally(Run(0, stretch(range(6))), Lost(6, 2, 102), Run(8, stretch(range(8, 10))))
    assert (tally.packets, tally.lost, tally.expected, tally.loss_percent) == (8, 2, 10, 20)


def test_what_may_have_been_a_restart_counts_in_the_bounds() -> None:
    assert _lost(Lost(0, 3, 0)) == (3, 3, 3)
    assert _lost(Lost(0, 30, 0, may_be_restart=True)) == (0, 30, 30)
    assert _lost(Restarted(0, 0, 0, 200)) == (0, 0, 200)
    assert _lost(Lost(0, 512, 0, "time", 256, 768)) == (256, 512, 768)


def test_a_late_packet_is_lost_no_more() -> None:
    tally = _tally(Lost(1, 1, 0), Reordered(1, 0), Run(1, stretch([1])))
    assert (tally.lost, tally.lost_low, tally.lost_high, tally.reordered) == (0, 0, 0, 1)


def test_a_packet_that_came_twice_is_received_once() -> None:
    tally = _tally(Run(0, stretch([0])), Duplicate(0, 17), Run(0, stretch([0]), repeated=True))
    assert (tally.packets, tally.duplicates, tally.bytes) == (1, 1, 34)


def test_the_end_has_every_total() -> None:
    tally = _tally(
        Recognised("p2", 6, 0),
        Skipped(0, b"abc"),
        Run(0, stretch([0]), Times([7_000], [2_000])),
        Restarted(1, 0, 20),
        Interrupted(20, None, "gone"),
        Run(1, stretch([0, 1]), Times([9_000, 12_000], [4_000, 6_500])),
    )
    assert tally.ended("count") == Ended("count", 3, 0, 3, 0, 0, 1, 54, 4_500)
    assert (tally.first_wall_us, tally.last_wall_us) == (7_000, 12_000)


def test_without_times_the_numbers_tell_the_duration() -> None:
    tally = Tally(Fraction(128))
    tally.add(Run(128, stretch(range(128))))
    assert tally.duration_us == 2_000_000
