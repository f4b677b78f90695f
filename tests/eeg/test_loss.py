"""What counters mean, without times: the table of the module, at any splitting, against what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.eeg import p2
from kit.eeg.loss import Accountant
from kit.eeg.records import Duplicate, Item, Lost, Reordered, Restarted, Run, Skipped, Stretch
from tests.eeg.lines import LAYOUTS, lost, merged, numbers, packet, restarts, stretch


def _account(data: bytes, cuts: Sequence[int] = (), period: int = 256) -> list[Item]:
    """What the packets mean, fed in stretches that end at the cuts."""
    accountant = Accountant(period, Fraction(256))
    size = p2.SIZE
    ends = [*sorted({cut for cut in cuts if 0 < cut < len(data) // size}), len(data) // size]
    items: list[Item] = []
    begin = 0
    for end in ends:
        span = Stretch(LAYOUTS[period], begin * size, data[begin * size : end * size])
        items += accountant.account(span)
        begin = end
    return [*items, *accountant.settle()]


def _faults(*sent: int, period: int = 256) -> list[Item]:
    items = _account(stretch(sent, period).data, period=period)
    return [item for item in items if not isinstance(item, Run)]


def _at(place: int) -> int:
    return place * p2.SIZE


def test_packets_in_order_are_one_run() -> None:
    sent = stretch(range(1000))
    assert _account(sent.data) == [Run(0, sent)]


def test_a_step_of_more_than_one_is_a_loss() -> None:
    assert _faults(10, 11, 14, 15) == [Lost(2, 2, _at(2))]


def test_a_wrap_is_no_loss() -> None:
    assert _faults(*range(200, 800)) == []
    assert _faults(*range(20, 200), period=64) == []


@pytest.mark.parametrize("period", [256, 64])
def test_a_burst_of_any_length_below_the_period_is_counted_exactly(period: int) -> None:
    for burst in range(1, period - 1):
        for first in (20, 40, 61):
            after = first + 30 + burst
            if after % period == 0:
                continue
            sent = [*range(first, first + 30), *range(after, after + 30)]
            assert _faults(*sent, period=period) == [Lost(30, burst, _at(30))]


def test_all_but_one_of_a_period_lost_is_told_from_a_duplicate_by_the_bytes() -> None:
    assert _faults(5, 6, 262, 263) == [Lost(2, 255, _at(2))]


def test_a_whole_period_cannot_be_known_without_times() -> None:
    assert _faults(5, 6, 263, 264) == []


def test_the_same_packet_once_more_is_a_duplicate() -> None:
    items = _account(stretch([5, 6, 6, 7]).data)
    assert items == [
        Run(0, stretch([5, 6])),
        Duplicate(1, _at(2)),
        Run(1, stretch([6], offset=_at(2)), repeated=True),
        Run(2, stretch([7], offset=_at(3))),
    ]


def test_a_recent_packet_once_more_is_a_duplicate() -> None:
    assert _faults(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2, 11) == [Duplicate(1, _at(10))]


def test_a_packet_that_comes_late_is_lost_no_more() -> None:
    items = _account(stretch([5, 6, 8, 7, 9]).data)
    assert [item for item in items if not isinstance(item, Run)] == [
        Lost(2, 1, _at(2)),
        Reordered(2, _at(3)),
    ]
    assert [item.sequence for item in items if isinstance(item, Run)] == [0, 3, 2, 4]


def test_a_late_packet_that_comes_again_is_a_duplicate() -> None:
    assert _faults(5, 6, 8, 7, 7, 9) == [Lost(2, 1, _at(2)), Reordered(2, _at(3)), Duplicate(2, _at(4))]


def test_a_burst_that_ends_at_a_missing_counter_is_no_late_packet() -> None:
    first = [1, 2, 4, 5]
    assert _faults(*first, 259, 260, 261) == [Lost(2, 1, _at(2)), Lost(5, 253, _at(4))]


def test_a_late_packet_is_held_until_the_next_one_tells() -> None:
    accountant = Accountant(256, Fraction(256))
    accountant.account(stretch([1, 2, 4]))
    assert accountant.account(stretch([3], offset=_at(3))) == []
    assert accountant.holds
    assert accountant.skip(Skipped(_at(4), b"x")) == []
    items = accountant.account(stretch([5], offset=_at(4) + 1))
    assert [type(item) for item in items] == [Reordered, Run, Skipped, Run]
    assert not accountant.holds


def test_at_the_end_a_packet_that_seems_late_is() -> None:
    assert _faults(1, 2, 4, 3) == [Lost(2, 1, _at(2)), Reordered(2, _at(3))]


def test_a_jump_to_zero_over_half_the_period_is_a_restart_or_a_loss() -> None:
    items = _account(stretch([3, 4, 5]).data + packet(1000, 0) + packet(1001, 1))
    assert [item for item in items if not isinstance(item, Run)] == [Restarted(3, 0, _at(3), 250)]
    assert items[-1] == Run(3, Stretch(p2.LAYOUT, _at(3), packet(1000, 0) + packet(1001, 1)))


def test_a_short_jump_to_zero_is_a_loss_that_may_be_a_restart() -> None:
    assert _faults(200, 201, 256) == [Lost(2, 54, _at(2), may_be_restart=True)]
    assert _faults(250, 251, 256) == [Lost(2, 4, _at(2))]


def test_nothing_from_before_a_restart_is_late_after_it() -> None:
    data = stretch([1, 2, 4, 5]).data + packet(1000, 0) + packet(1001, 3)
    assert [item for item in _account(data) if not isinstance(item, Run)] == [
        Lost(2, 1, _at(2)),
        Restarted(5, 0, _at(4), 250),
        Lost(6, 2, _at(5)),
    ]


@st.composite
def _sendings(draw: st.DrawFn) -> list[tuple[str, int]]:
    """What happens to packets in turn: so many sent, lost, sent twice or swapped with the next one."""
    event = st.one_of(
        st.tuples(st.just("send"), st.integers(2, 400)),
        st.tuples(st.just("lose"), st.integers(1, 240)),
        st.tuples(st.sampled_from(["twice", "swap"]), st.just(1)),
    )
    return draw(st.lists(event, max_size=12))


@given(_sendings(), st.lists(st.integers(0, 4000), max_size=8), st.sampled_from([256, 64]))
def test_every_count_is_exact_at_any_splitting(
    events: list[tuple[str, int]], cuts: list[int], period: int
) -> None:
    sent, counts = _play([("send", 12), *events, ("send", 12)], period)
    data = stretch(sent, period).data
    items = _account(data, cuts, period)
    assert merged(items) == merged(_account(data, range(len(sent)), period))
    assert numbers(items) == sent
    doubt = sum(restart.or_lost for restart in restarts(items))
    assert lost(items) + doubt - sum(isinstance(item, Reordered) for item in items) == counts["lose"]
    assert sum(isinstance(item, Duplicate) for item in items) == counts["twice"]
    if not doubt:
        first = sent[0]
        for item in items:
            if isinstance(item, Run):
                assert item.sequence == numbers([item])[0] - first


def _play(events: list[tuple[str, int]], period: int) -> tuple[list[int], dict[str, int]]:
    """The numbers as they come, and how often what happened to them."""
    counts = {"send": 0, "lose": 0, "twice": 0, "swap": 0}
    sent: list[int] = []
    number = 37
    for kind, wanted in events:
        count = {"lose": min(wanted, period - 20), "swap": 3}.get(kind, wanted)
        if kind == "lose" and sent[-12:] != [*range(number - 12, number)]:
            continue  # a gap behind a gap could be longer than the counter tells
        counts[kind] += count
        if kind == "send":
            sent += range(number, number + count)
        elif kind == "twice":
            sent.append(sent[-1])
            continue
        elif kind == "swap":
            sent += [number + 1, number, number + 2]
        number += count
    return sent, counts


@given(st.lists(st.integers(0, 255), max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_no_counters_at_all_lose_a_packet(counters: list[int], cuts: list[int]) -> None:
    data = b"".join(packet(number, counter) for number, counter in enumerate(counters))
    items = _account(data, cuts)
    assert numbers(items) == [*range(len(counters))]
    assert merged(items) == merged(_account(data, range(60)))


def test_what_a_first_stretch_of_nothing_means() -> None:
    accountant = Accountant(256, Fraction(256))
    assert accountant.account(stretch([])) == []
    assert accountant.settle() == []
