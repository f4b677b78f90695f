"""Power of bands, and what makes a window of samples worth nothing."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.eeg.processing.artefacts import artefacts, is_electrode_off
from kit.eeg.processing.bands import BANDS, Band, band_power, relative
from kit.eeg.processing.spectrum import psd
from kit.eeg.processing.windows import Window
from kit.eeg.scale import Scale

_N, _RATE = 512, 256
_STEP = _RATE / _N


def _sine(hz: float, amplitude: float, count: int = _N) -> list[float]:
    return [amplitude * math.sin(2 * math.pi * hz * n / _RATE) for n in range(count)]


@pytest.mark.parametrize(
    ("name", "hz"), [("delta", 2), ("theta", 6), ("alpha", 10), ("beta", 20), ("gamma", 37)]
)
def test_a_sine_is_the_power_of_its_band_and_of_no_other(name: str, hz: float) -> None:
    powers = psd(_sine(hz, 20), _RATE)
    assert band_power(powers, _STEP, BANDS[name]) == pytest.approx(200)
    assert relative(powers, _STEP, BANDS[name]) == pytest.approx(1)
    for other in BANDS.values():
        if not other.low_hz <= hz < other.high_hz:
            assert band_power(powers, _STEP, other) < 1e-9


def test_bands_that_touch_share_nothing() -> None:
    powers = [1.0] * (_N // 2 + 1)
    low, high = Band("low", 4, 8), Band("high", 8, 13)
    both = band_power(powers, _STEP, Band("both", 4, 13))
    assert band_power(powers, _STEP, low) + band_power(powers, _STEP, high) == both == 9


def test_of_no_power_there_is_no_share() -> None:
    assert relative(psd([3.0] * _N, _RATE), _STEP, BANDS["alpha"]) is None


def _counts(seed: int = 1) -> list[int]:
    chance = random.Random(seed)
    return [512 + round(chance.gauss(0, 20)) for _ in range(_N)]


def test_a_window_of_eeg_is_clean() -> None:
    assert artefacts(_counts(), Scale()) == ()
    assert not is_electrode_off(psd(_counts(), _RATE), _STEP)


@pytest.mark.parametrize("value", [0, 2, 1021, 1023])
def test_a_sample_at_the_rails_is_clipped(value: int) -> None:
    assert "clipped" in artefacts([*_counts(), value], Scale())


def test_steps_and_large_moves_are_told_apart() -> None:
    ramp = [100 + n for n in range(_N)]
    assert artefacts(ramp, Scale()) == ("large",)
    assert artefacts([*_counts()[1:], 512 + 250], Scale()) == ("step",)
    assert artefacts([*_counts()[1:], 512 + 250], Scale(uv_per_count=0.25)) == ()


def test_more_than_one_packet_of_a_hundred_may_not_be_missing() -> None:
    assert artefacts(_counts(), Scale(), lost=5) == ()
    assert artefacts(_counts(), Scale(), lost=6) == ("lost",)
    assert artefacts([], Scale()) == ("lost",)


@pytest.mark.parametrize("mains", [50, 60])
def test_hum_that_drowns_the_bands_is_an_electrode_in_the_air(mains: int) -> None:
    quiet = [random.Random(2).gauss(0, 1) for _ in range(_N)]
    hum = [a + b for a, b in zip(quiet, _sine(mains, 80), strict=True)]
    assert is_electrode_off(psd(hum, _RATE), _STEP)
    slight = [a + b for a, b in zip(_counts(), _sine(mains, 5), strict=True)]
    assert not is_electrode_off(psd(slight, _RATE), _STEP)


def test_a_window_is_full_when_so_many_have_come() -> None:
    window = Window(4)
    window.add([1, 2, 3])
    assert not window.is_full
    window.add([4, 5])
    assert window.is_full
    assert window.counts == [2, 3, 4, 5]


def test_a_short_gap_is_filled_and_counted_until_it_has_left() -> None:
    window = Window(4)
    window.add([1, 2])
    window.skip(2)
    assert (window.counts, window.lost) == ([1, 2, 2, 2], 2)
    window.add([3])
    assert (window.counts, window.lost) == ([2, 2, 2, 3], 2)
    window.add([4, 5])
    assert (window.counts, window.lost) == ([2, 3, 4, 5], 1)
    window.add([6])
    assert (window.counts, window.lost) == ([3, 4, 5, 6], 0)


@pytest.mark.parametrize("missing", [0, 4, 100])
def test_a_gap_of_unknown_or_great_length_empties_a_window(missing: int) -> None:
    window = Window(4)
    window.add([1, 2, 3, 4])
    window.skip(missing)
    assert not window.is_full
    window.add([5, 6, 7, 8])
    assert (window.counts, window.lost) == ([5, 6, 7, 8], 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 7)), max_size=40))
def test_a_window_is_the_end_of_what_came(steps: list[tuple[bool, int]]) -> None:
    """Held against a list of everything, where a made-up sample is negative."""
    window, everything = Window(8), [5]
    window.add(everything)
    for is_gap, count in steps:
        if is_gap:
            window.skip(count)
            everything += [-abs(everything[-1])] * count
        else:
            window.add([count] * count)
            everything += [count] * count
    if window.is_full:
        assert window.counts == [abs(value) for value in everything[-8:]]
        assert window.lost == sum(value < 0 for value in everything[-8:])
