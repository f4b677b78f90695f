"""The scale from calibrators of known size, and what is no calibrator."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import exp, pi, sin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.errors import NegativeAnswer
from kit.eeg.calibrating.fitting import find_frequency, fit
from kit.eeg.calibrating.measuring import Calibration, Request, Samples, calibrate
from tests.eeg.calibrating.calibrator import RATE_HZ, counts, sine, square

REQUEST = Request(peak_to_peak_uv=250)


def _samples(column: Sequence[int]) -> Samples:
    return Samples([number / RATE_HZ for number in range(len(column))], column)


def _calibrated(*columns: Sequence[int], request: Request = REQUEST) -> Calibration:
    return calibrate([_samples(column) for column in columns], RATE_HZ, request)


@settings(max_examples=25)
@given(
    st.sampled_from([sine, square]),
    st.floats(30, 700),
    st.floats(5, 18),
    st.floats(0, 2),
    st.integers(0, 1000),
)
def test_size_shape_and_frequency_are_found_within_a_hundredth(
    wave: object, size: float, frequency_hz: float, noise: float, seed: int
) -> None:
    made = sine if wave is sine else square
    found = _calibrated(counts(made(size, frequency_hz), noise=noise, seed=seed))
    assert found.uv_per_count == pytest.approx(250 / size, rel=0.01)
    assert found.frequency_hz == pytest.approx(frequency_hz, abs=0.01)
    assert found.waveform == wave.__name__  # type: ignore[attr-defined]


def test_an_unfiltered_square_wave_is_one_too() -> None:
    column = [512 + (100 if number / RATE_HZ * 13.87 % 1 < 0.5 else -100) for number in range(2560)]
    assert _calibrated(column).uv_per_count == pytest.approx(250 / 200, rel=0.01)


def test_each_channel_is_told_and_the_scale_is_the_mean_of_the_good_ones() -> None:
    columns = [counts(square(500)), counts(square(400)), [512] * 2560, counts(square(1100))]
    found = _calibrated(*columns)
    assert [one.verdict for one in found.channels] == ["good", "good", "flat", "clipped"]
    assert found.uv_per_count == pytest.approx((0.5 + 0.625) / 2, rel=0.01)
    assert found.spread_percent == pytest.approx(22.2, abs=1)


def test_lost_packets_do_not_shift_the_wave() -> None:
    column, kept = counts(sine(300)), [n for n in range(2560) if n % 100 > 3]
    samples = Samples([n / RATE_HZ for n in kept], [column[n] for n in kept])
    assert calibrate([samples], RATE_HZ, REQUEST).uv_per_count == pytest.approx(250 / 300, rel=0.01)


def _refused(column: Sequence[int], request: Request = REQUEST) -> str:
    with pytest.raises(NegativeAnswer) as error:
        _calibrated(column, request=request)
    return str(error.value)


@pytest.mark.parametrize("middle", [12, 512, 1010])
def test_a_clipped_one_is_refused(middle: int) -> None:
    assert "channel 1 is clipped" in _refused(counts(sine(1100 if middle == 512 else 60), middle=middle))


def test_one_that_stays_off_the_rails_by_more_than_five_counts_is_not_clipped() -> None:
    _calibrated(counts(sine(1008), noise=0, middle=511.5))


def test_noise_is_no_calibrator() -> None:
    assert "channel 1 is without the signal" in _refused(counts(lambda _: 0, noise=40))


def test_an_alpha_rhythm_is_no_calibrator() -> None:
    """It comes and goes, and is narrow all the same."""
    chance, column, state, before = random.Random(3), [], 0.0, 0.0
    decay, turn = exp(-pi * 1.5 / RATE_HZ), 2 * pi * 10 / RATE_HZ
    for _ in range(2560):
        state, before = 2 * decay * (1 - turn**2 / 2) * state - decay**2 * before + chance.gauss(0, 3), state
        column.append(min(1000, max(20, round(512 + state))))
    assert "channel 1 is" in _refused(column)


def test_one_that_grows_is_refused() -> None:
    assert "channel 1 is drifting" in _refused(counts(lambda s: (200 + 3 * s) * sin(2 * pi * 14 * s)))


def test_one_with_too_much_noise_is_refused() -> None:
    assert "channel 1 is noisy" in _refused(counts(sine(40), noise=12))


def test_one_whose_shape_cannot_be_told_is_refused_and_taken_where_it_is_said() -> None:
    column = counts(sine(300, 25))
    assert "neither a sine nor an even square wave" in _refused(column)
    assert _calibrated(column, request=Request(250, waveform="sine")).uv_per_count == pytest.approx(
        0.833, rel=0.01
    )


def test_a_given_frequency_is_looked_for_beside_a_stronger_one() -> None:
    column = counts(lambda s: 100 * sin(2 * pi * 14 * s) + 90 * sin(2 * pi * 5 * s))
    request = Request(100, frequency_hz=5, waveform="sine")
    with pytest.raises(NegativeAnswer):
        _calibrated(column, request=request)
    quiet = counts(lambda s: 30 * sin(2 * pi * 14 * s) + 90 * sin(2 * pi * 5 * s))
    assert _calibrated(quiet, request=request).uv_per_count == pytest.approx(100 / 180, rel=0.01)


@pytest.mark.parametrize("seconds", [0.5, 3])
def test_what_is_too_short_is_refused(seconds: float) -> None:
    assert "too short" in _refused(counts(sine(300), seconds=seconds))


@given(st.floats(2, 40), st.floats(1, 100), st.floats(-50, 50), st.floats(0, 6.28))
@settings(max_examples=25)
def test_the_fit_is_exact_where_there_is_no_noise(hz: float, size: float, slope: float, phase: float) -> None:
    times_s = [number / RATE_HZ for number in range(1500)]
    values = [500 + slope * s + size * sin(2 * pi * hz * s + phase) for s in times_s]
    wave = fit(times_s, values, hz, 3)
    assert wave.amplitudes[0] == pytest.approx(size, rel=1e-6)
    assert wave.share == pytest.approx(1, abs=1e-6)
    level = [value - slope * s for value, s in zip(values, times_s, strict=True)]
    assert find_frequency(times_s, level, RATE_HZ, 1, 45) == pytest.approx(hz, abs=0.01)
