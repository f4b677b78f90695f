"""Hum on sines of known amplitude, and which packets are looked at."""

from __future__ import annotations

import random
from fractions import Fraction
from math import pi, sin

import pytest

from kit.eeg.records import Run
from kit.eeg.stats.hum import BLOCK, Blocks, amplitude, powers, waves
from tests.eeg.stats.streams import one_channel, run_of

_RATE = Fraction(256)


def _found(series: list[float]) -> list[float]:
    """The amplitudes at 50 and 60 Hz in the first channel."""
    blocks = one_channel([round(value) for value in series])
    return [amplitude(power, len(blocks) // BLOCK) for power in powers(blocks, waves(_RATE))[0]]


def _sine(hz: float, height: float, seconds: int = 4, phase: float = 0.3) -> list[float]:
    return [512 + height * sin(2 * pi * hz * k / 256 + phase) for k in range(seconds * BLOCK)]


@pytest.mark.parametrize("phase", [0, 0.7, pi / 2])
def test_a_sine_at_50_hz_is_found_with_its_amplitude(phase: float) -> None:
    at_50, at_60 = _found(_sine(50, 100, phase=phase))
    assert at_50 == pytest.approx(100, rel=0.01)
    assert at_60 < 0.5


def test_a_sine_at_60_hz_is_not_taken_for_50() -> None:
    at_50, at_60 = _found(_sine(60, 7))
    assert at_60 == pytest.approx(7, rel=0.05)
    assert at_50 < 0.1


@pytest.mark.parametrize("hz", [49.75, 50.25])
def test_mains_that_are_off_by_a_quarter_hertz_lose_little(hz: float) -> None:
    assert _found(_sine(hz, 100))[0] ** 2 == pytest.approx(100**2, rel=0.12)


def test_a_resting_channel_and_an_alpha_rhythm_have_no_hum() -> None:
    assert max(_found([1023.0] * BLOCK)) < 0.1
    assert max(_found(_sine(10, 300))) < 0.2  # the rounding to counts has a fifth harmonic


def test_white_noise_shows_as_three_256ths_of_its_power() -> None:
    chance = random.Random(5)
    at_50, _ = _found([512 + chance.gauss(0, 40) for _ in range(400 * BLOCK)])
    assert at_50**2 / 2 / 40**2 == pytest.approx(3 / 256, rel=0.15)


def test_a_rate_too_low_for_a_frequency_does_not_show_it() -> None:
    assert [wave.hz for wave in waves(Fraction(110))] == [50]
    assert waves(Fraction(64)) == ()


def _picked(runs: list[Run]) -> int:
    blocks = Blocks()
    return sum(len(found) for found in map(blocks.add, runs) if found)


def test_a_block_is_filled_from_many_short_runs() -> None:
    assert _picked([run_of(8, sequence) for sequence in range(0, 255, 8)]) == BLOCK


def test_a_loss_in_a_block_throws_the_block_away() -> None:
    assert _picked([run_of(200), run_of(255, 201)]) == 0
    assert _picked([run_of(200), run_of(256, 201)]) == BLOCK


def test_a_repeated_packet_is_not_part_of_a_block() -> None:
    again = Run(100, run_of(1, 100).stretch, None, repeated=True)
    assert _picked([run_of(200), again, run_of(56, 200)]) == BLOCK


def test_after_the_first_blocks_every_fourth_is_looked_at() -> None:
    assert _picked([run_of(BLOCK * 164)]) == BLOCK * (64 + 25)
    assert _picked([run_of(BLOCK * 2, k * BLOCK * 2) for k in range(82)]) == BLOCK * (64 + 25)
