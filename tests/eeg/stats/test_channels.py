"""The exact figures of a channel, held against plain loops and the statistics module."""

from __future__ import annotations

import statistics
from functools import reduce
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from kit.eeg.records import Stretch
from kit.eeg.stats.channels import ChannelMeasure, measure, merged, planes, values
from tests.eeg.stats.streams import one_channel, p2_stretch, p3_stretch

# Few values make runs of one value, the whole range meets every bit.
_VALUE = st.integers(0, 1023)
_SERIES = st.lists(st.sampled_from([0, 1, 511, 512, 1023]) | _VALUE, min_size=1, max_size=60)


def _longest(series: list[int]) -> int:
    return max(len(list(group)) for _, group in groupby(series))


def _of(stretch: Stretch, channel: int = 0) -> ChannelMeasure:
    return measure(stretch)[channel]


@given(_SERIES)
def test_the_figures_are_those_of_a_plain_loop(series: list[int]) -> None:
    found = _of(one_channel(series))
    assert (found.count, found.total, found.low, found.high) == (
        len(series),
        sum(series),
        min(series),
        max(series),
    )
    assert found.squares == sum(value * value for value in series)
    assert found.clipped == series.count(0) + series.count(1023)
    assert found.longest == _longest(series)


@given(_SERIES)
def test_mean_and_deviation_follow_from_the_integers(series: list[int]) -> None:
    found = _of(one_channel(series))
    assert found.total / found.count == statistics.fmean(series)
    variance = (found.squares * found.count - found.total**2) / found.count**2
    assert abs(variance - statistics.pvariance(series)) < 1e-6


@given(st.lists(_SERIES, min_size=1, max_size=6))
def test_pieces_add_up_to_the_whole(pieces: list[list[int]]) -> None:
    whole = _of(one_channel([value for piece in pieces for value in piece]))
    assert reduce(merged, [_of(one_channel(piece)) for piece in pieces]) == whole


@given(st.lists(st.tuples(*[_VALUE] * 6), min_size=1, max_size=20))
def test_each_channel_is_read_in_its_place(rows: list[tuple[int, ...]]) -> None:
    for stretch in (p2_stretch(rows), p3_stretch(rows)):
        series = [values(*planes(stretch, channel)) for channel in range(6)]
        assert series == list(zip(*rows, strict=True))


@given(st.lists(st.tuples(*[_VALUE] * 2), min_size=1, max_size=20))
def test_p3_with_two_channels_has_two_measures(rows: list[tuple[int, ...]]) -> None:
    found = measure(p3_stretch(rows))
    assert [one.total for one in found] == [sum(column) for column in zip(*rows, strict=True)]


def test_a_stretch_without_channels_has_no_measure() -> None:
    layout = p3_stretch([(1, 2)]).layout
    assert (
        measure(Stretch(type(layout)("p3", 3, 2, 64, 0, layout.counters, layout.packets), 0, b"\0\x80")) == ()
    )
