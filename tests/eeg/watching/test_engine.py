"""Events with known times are found, none is invented, and what is dirty has no value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.errors import UsageError
from kit.eeg.processing.bands import BANDS, band_power
from kit.eeg.processing.spectrum import psd
from kit.eeg.signals import ButtonChange, Gap, Signal
from kit.eeg.watching.conditions import Rules, read
from kit.eeg.watching.engine import Engine, Wanted
from kit.eeg.watching.events import (
    ArtefactChange,
    BaselineTaken,
    Blinked,
    Crossing,
    Event,
    Returned,
    Value,
)
from kit.eeg.watching.grammar import read_value
from kit.eeg.watching.measuring import Settings
from kit.eeg.watching.quantities import Vocabulary
from tests.eeg.watching.signals_of import PERIOD_US, RATE, blocks, gap, noise, with_bursts

_E = TypeVar("_E")
_WORDS = Vocabulary()
_AT_ONCE = Rules(refractory_s=0)


def _events(signals: Sequence[Signal], wanted: Wanted) -> list[Event]:
    return Engine(wanted, RATE).take(signals)


def _of(kind: type[_E], events: Sequence[Event]) -> list[_E]:
    return [event for event in events if isinstance(event, kind)]


def _crossings(signals: Sequence[Signal], text: str, rules: Rules = _AT_ONCE) -> list[tuple[bool, float]]:
    found = _of(Crossing, _events(signals, Wanted([read(text, rules=rules)])))
    return [(crossing.on, crossing.time_us / 1e6) for crossing in found]


def _values(signals: Sequence[Signal], *texts: str) -> list[Value]:
    wanted = Wanted(values=[(text, read_value(text, _WORDS)) for text in texts])
    return _of(Value, _events(signals, wanted))


BURSTS = [(5.0, 8.0), (12.0, 14.5), (20.0, 24.0)]


@pytest.mark.parametrize(
    ("text", "rise_s", "fall_s"),
    [("alpha1 > 100 for 0.5s", 2.0, 2.0), ("fast_alpha1 > 100 for 0.25s", 1.0, 1.0)],
)
def test_every_burst_is_found_and_none_is_invented(text: str, rise_s: float, fall_s: float) -> None:
    signals = blocks(with_bursts(noise(30, 10), BURSTS, 10, 45))
    found = _crossings(signals, text)
    assert [on for on, _ in found] == [True, False] * len(BURSTS)
    for (_, begin_s), (_, end_s), (true_begin_s, true_end_s) in zip(
        found[::2], found[1::2], BURSTS, strict=True
    ):
        assert 0 < begin_s - true_begin_s < rise_s
        assert 0 < end_s - true_end_s < fall_s


def test_the_power_of_a_band_is_that_of_the_newest_two_seconds() -> None:
    values = with_bursts(noise(4, 10), BURSTS[:0], 10, 0)
    *_, last = _values(blocks(values), "alpha1")
    counts = [round(value) / 2 for value in values[-512:]]
    assert last.sequence == len(values) - 1
    assert last.value == pytest.approx(band_power(psd(counts, RATE), RATE / 512, BANDS["alpha"]), rel=0.02)


def test_names_mean_what_they_say() -> None:
    signals = blocks(with_bursts(noise(4, 1), [(0, 4)], 10, 40))
    by_name = {
        value.expression: value.value
        for value in _values(
            signals, "alpha1", "amp_alpha1", "rel_alpha1", "fast_alpha1", "theta1/alpha1", "clean1", "lost"
        )
    }
    assert by_name["alpha1"] == pytest.approx(200, rel=0.05)
    assert by_name["amp_alpha1"] == pytest.approx(200**0.5, rel=0.05)
    assert by_name["rel_alpha1"] == pytest.approx(1, abs=0.05)
    assert by_name["fast_alpha1"] == pytest.approx(200, rel=0.05)
    assert by_name["theta1/alpha1"] == pytest.approx(0, abs=0.01)
    assert (by_name["clean1"], by_name["lost"]) == (1, 0)


def test_it_has_to_hold_for_its_time() -> None:
    values = [0.0] * 1000
    values[100:120] = [100] * 20
    values[300:400] = [100] * 100
    assert _crossings(blocks(values), "ch1 > 20 for 0.1s") == [
        (True, pytest.approx(326 * PERIOD_US / 1e6, abs=0.004)),
        (False, pytest.approx(400 * PERIOD_US / 1e6, abs=0.004)),
    ]


def test_it_does_not_begin_again_while_it_rests() -> None:
    values = [0.0] * 2000
    for at in (100, 200, 400, 1000):
        values[at : at + 10] = [100] * 10
    begins = [
        round(at_s * RATE) for on, at_s in _crossings(blocks(values), "ch1 > 20", Rules(refractory_s=1)) if on
    ]
    assert begins == [100, 400, 1000]


def test_hysteresis_keeps_a_wavering_value_one_event() -> None:
    values = [80.0 if at % 2 else 78.0 for at in range(512)]
    assert len(_crossings(blocks(values), "ch1 > 39.5")) == 1
    assert len(_crossings(blocks(values), "ch1 > 39.5", Rules(0.0, 0))) > 100


@pytest.mark.parametrize("spoilt", ["clipped", "large", "step", "electrode"])
def test_a_dirty_window_has_no_value_and_never_an_old_one(spoilt: str) -> None:
    values = with_bursts(noise(20, 5), [(0, 20)], 10, 60)
    begin = 8 * RATE
    if spoilt == "clipped":
        values[begin] = 600
    elif spoilt == "step":
        values[begin] += 230
    elif spoilt == "large":
        for at in range(begin, begin + 128):
            values[at] += min(8 * min(at - begin, begin + 128 - at) + 120, 360)
    else:
        values = with_bursts(values, [(8, 9)], 50, 300)
        values = [max(min(value, 190), -190) for value in values]
    signals = blocks(values)
    wanted = Wanted(
        [read("alpha1 > 50", rules=_AT_ONCE)], [("alpha1", read_value("alpha1", _WORDS))], {}, [1]
    )
    events = _events(signals, wanted)
    dirty = [value for value in _of(Value, events) if begin <= value.sequence < begin + 512]
    assert len(dirty) == 16
    assert {value.value for value in dirty} == {None}
    known = [value for value in _of(Value, events) if value.sequence >= begin + 1000]
    assert None not in {value.value for value in known}
    off = _of(Crossing, events)[1]
    assert (off.on, off.value) == (False, None)
    assert 0 <= off.sequence - begin <= 32
    began, ended = _of(ArtefactChange, events)[0], _of(ArtefactChange, events)[-1]
    assert began.why
    assert ended.why == ()


def test_few_lost_packets_are_bridged_and_many_are_not() -> None:
    values = with_bursts(noise(10, 5), [(0, 10)], 10, 60)
    for count, is_bridged in ((5, True), (6, False), (600, False)):
        cut = 5 * RATE
        signals = [*blocks(values[:cut]), gap(cut, count), *blocks(values[cut:], first=cut + count)]
        found = _values(signals, "alpha1")
        behind = [value for value in found if value.sequence >= cut + count][:15]
        assert all((value.value is None) is not is_bridged for value in behind)
        lost = [value.value for value in _values(signals, "lost")]
        assert max(value or 0 for value in lost) == count
        assert lost[-1] == 0


def test_a_gap_of_unknown_length_ends_what_was_on() -> None:
    values = with_bursts(noise(10, 5), [(0, 10)], 10, 60)
    cut = 5 * RATE
    signals = [*blocks(values[:cut]), gap(cut, 0, "away"), *blocks(values[cut:], first=cut)]
    events = _events(
        signals, Wanted([read("alpha1 > 50", rules=_AT_ONCE), read("ch1 > -500 for 1s", rules=_AT_ONCE)])
    )
    assert [type(event) for event in events if event.sequence >= cut][:4] == [
        Gap,
        Crossing,
        Crossing,
        Returned,
    ]
    for off in _of(Crossing, events)[2:4]:
        assert (off.on, off.value, off.sequence) == (False, None, cut)
    assert [one.on for one in _of(Crossing, events)] == [True, True, False, False, True, True]


def test_a_condition_that_was_about_to_hold_begins_anew_behind_a_gap() -> None:
    values = [100.0] * 1000
    signals = [*blocks(values[:200]), gap(200, 100), *blocks(values, first=300)]
    assert _crossings(signals, "ch1 > 20 for 1s")[0][1] == pytest.approx(556 * PERIOD_US / 1e6, abs=0.004)


def test_a_clipped_sample_has_no_value() -> None:
    values = [100.0] * 300 + [600.0] + [100.0] * 300
    assert [on for on, _ in _crossings(blocks(values), "ch1 > 20")] == [True, False, True]


def test_a_threshold_can_be_a_percentile_of_the_beginning() -> None:
    values = with_bursts(noise(60, 10), [(40, 44)], 10, 60)
    wanted = Wanted([read("alpha1 > p90 for 0.5s", rules=Rules(baseline_s=20))])
    events = _events(blocks(values), wanted)
    (taken,) = _of(BaselineTaken, events)
    assert 21 < taken.time_us / 1e6 < 22.5
    measured = sorted(value.value or 0 for value in _values(blocks(values[: round(21.875 * RATE)]), "alpha1"))
    assert taken.threshold == pytest.approx(measured[-16], rel=0.3)
    loud = [one for one in _of(Crossing, events) if one.on and 40 < one.time_us / 1e6 < 42]
    assert [one.threshold for one in loud] == [taken.threshold]


def test_buttons_can_be_conditions() -> None:
    states = [15] * 300 + [14] * 100 + [15] * 300
    signals = blocks([0.0] * 700, buttons=states)
    events = _events(signals, Wanted([read("button1 for 0.1s", rules=_AT_ONCE)]))
    assert [(one.on, one.sequence) for one in _of(Crossing, events)] == [(True, 326), (False, 400)]
    assert [(one.pressed, one.sequence) for one in _of(ButtonChange, events)] == [(True, 300), (False, 400)]


def test_the_values_of_a_crossing_are_told() -> None:
    wanted = Wanted([read("ch1 / 2 > ch2 + 9 and clean1", rules=_AT_ONCE)])
    crossing = _of(Crossing, _events(blocks([60.0] * 800), wanted))[0]
    assert crossing.value == 15
    assert crossing.threshold == pytest.approx(9.5, abs=1)
    assert crossing.values.keys() == {"ch1", "ch2", "clean1"}


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=3), st.integers(0, 8))
def test_how_signals_come_in_blocks_changes_nothing(sizes: list[int], lost: int) -> None:
    values = with_bursts(noise(8, 10), [(3, 5)], 10, 60)
    for at in range(77):
        values[1400 + at] += 320 * (1 - abs(at - 38) / 38)
    wanted = Wanted(
        [read("alpha1 > 50 for 0.3s"), read("ch1 > 30"), read("blink and button2 == 0")],
        [("fast_theta1", read_value("fast_theta1", _WORDS))],
        {1: None},
        [1],
    )

    def events(size: int) -> list[Event]:
        engine = Engine(wanted, RATE)
        found = engine.take(
            [*blocks(values[:900], size), gap(900, lost)] if lost else blocks(values[:900], size)
        )
        return found + [
            event for block in blocks(values[900:], size, 900 + lost) for event in engine.take([block])
        ]

    expected = events(2000)
    assert _of(Blinked, expected)
    for size in sizes:
        assert sorted(map(repr, events(size))) == sorted(map(repr, expected))


def test_a_channel_that_is_not_there_is_an_error() -> None:
    (block, *_) = blocks([0.0] * 10)
    narrow = type(block)(0, block.times_us, block.channels[:2], block.buttons)  # type: ignore[union-attr,call-arg]
    with pytest.raises(UsageError, match="no channel 3 to watch: the device has 2"):
        Engine(Wanted([read("ch3 > 1")]), RATE).take([narrow])


def test_windows_that_cannot_be_are_refused() -> None:
    for window_s in (0.1, 61, float("nan")):
        with pytest.raises(UsageError, match="a window of"):
            Engine(Wanted([read("alpha1 > 1")]), RATE, settings=Settings(window_s))
