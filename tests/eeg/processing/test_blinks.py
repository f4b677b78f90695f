"""Blinks of known times are found, each once, and nothing else is."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.eeg.processing.blinks import Blink, BlinkDetector

_RATE = 256


def _noise(seed: int, seconds: int, spread_uv: float = 8.0) -> list[float]:
    """A background that wanders, with some alpha in it."""
    chance = random.Random(seed)
    values, at = [], 0.0
    for n in range(seconds * _RATE):
        at = 0.9 * at + chance.gauss(0, spread_uv * 0.44)
        values.append(at + 8 * math.sin(2 * math.pi * 10 * n / _RATE))
    return values


def _blinking(
    values: list[float], begins: list[float], height_uv: float, length_s: float = 0.3
) -> list[float]:
    length = round(length_s * _RATE)
    for begin_s in begins:
        for n in range(length):
            values[round(begin_s * _RATE) + n] += height_uv * (1 - math.cos(2 * math.pi * n / length)) / 2
    return values


def _found(values: list[float], detector: BlinkDetector | None = None) -> list[Blink]:
    detector = detector or BlinkDetector(_RATE)
    return [blink for n in range(0, len(values), 10) for blink in detector.feed(values[n : n + 10])]


@pytest.mark.parametrize("height_uv", [120, -120, 160])
@pytest.mark.parametrize("length_s", [0.2, 0.3, 0.4])
def test_every_blink_is_found_where_it_is_and_soon(height_uv: float, length_s: float) -> None:
    begins = [2.0, 4.5, 5.5, 9.0, 12.25, 17.0]
    found = _found(_blinking(_noise(3, 20), begins, height_uv, length_s))
    peaks = [begin + length_s / 2 for begin in begins]
    assert len(found) == len(peaks)
    for blink, peak_s in zip(found, peaks, strict=True):
        assert abs(blink.at / _RATE - peak_s) < 0.1
        assert blink.seen_at / _RATE - peak_s < 0.3
        assert blink.height_uv * height_uv > 0
        assert 0.04 <= blink.width_s <= 0.4


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_none_is_found_in_what_has_none(seed: int) -> None:
    assert _found(_noise(seed, 20)) == []


def test_a_drift_and_a_click_are_no_blinks() -> None:
    drift = [300 * math.sin(2 * math.pi * n / (20 * _RATE)) for n in range(20 * _RATE)]
    assert _found(drift) == []
    click = [0.0] * 1000
    click[500] = 500.0
    assert _found(click) == []


def test_where_all_is_large_a_blink_has_to_be_larger() -> None:
    loud = [4 * value for value in _noise(5, 30, 20)]
    detector = BlinkDetector(_RATE)
    _found(loud, detector)
    assert detector.threshold_uv > 100


def test_what_lies_on_both_sides_of_a_gap_is_no_blink() -> None:
    detector = BlinkDetector(_RATE)
    detector.feed([0.0] * 600 + [30.0 * n / 10 for n in range(40)])
    detector.skip(10)
    assert detector.feed([0.0] * 600) == []


def test_samples_are_counted_across_gaps() -> None:
    detector = BlinkDetector(_RATE)
    detector.feed([0.0] * 100)
    detector.skip(412)
    (blink,) = _found(_blinking([0.0] * 3 * _RATE, [1.0], 150), detector)
    assert abs(blink.at / _RATE - 3.15) < 0.1


@given(st.lists(st.integers(0, 50), max_size=40))
@settings(max_examples=30, deadline=None)
def test_how_samples_are_cut_changes_nothing(sizes: list[int]) -> None:
    values = _blinking(_noise(1, 10), [1.0, 2.0, 3.0], 150)[: sum(sizes)]
    cut, at = BlinkDetector(_RATE), 0
    found: list[Blink] = []
    for size in sizes:
        found += cut.feed(values[at : at + size])
        at += size
    assert found == BlinkDetector(_RATE).feed(values)
