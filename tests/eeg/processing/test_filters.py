"""The filters are scipy's, in design and in arithmetic; scipy is the reference for spectra, too."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from kit.core.errors import UsageError
from kit.eeg.processing.filters import Cascade, band_pass, high_pass, low_pass, notch
from kit.eeg.processing.spectrum import frequencies, psd

_CHANCE = random.Random(5)
_NOISE = [300 + _CHANCE.gauss(0, 20) for _ in range(4096)]
_TOLERANCE = 1e-12


def _sections(cascade: Cascade) -> np.ndarray:
    return np.array([[s.b0, s.b1, s.b2, 1, s.a1, s.a2] for s in cascade.sections])


def _reference(sections: np.ndarray, samples: list[float]) -> np.ndarray:
    begin = signal.sosfilt_zi(sections) * samples[0]
    return np.asarray(signal.sosfilt(sections, samples, zi=begin)[0])


def _response(sections: np.ndarray, rate_hz: float) -> np.ndarray:
    at = np.linspace(0.3, rate_hz / 2 * 0.99, 400)
    return np.asarray(signal.freqz_sos(sections, worN=at, fs=rate_hz)[1])


@pytest.mark.parametrize(
    "cascade",
    [
        high_pass(1, 256, 2),
        low_pass(40, 256, 5),
        band_pass(8, 13, 256, 4),
        notch(50, 256),
        Cascade([*notch(60, 256).sections, *high_pass(0.5, 256, 4).sections]),
    ],
    ids=["high", "low", "band", "notch", "several"],
)
def test_filtered_samples_are_those_of_sosfilt(cascade: Cascade) -> None:
    expected = _reference(_sections(cascade), _NOISE)
    found = np.array(cascade.feed(_NOISE))
    assert np.max(np.abs(found - expected)) <= _TOLERANCE * max(_NOISE)


@pytest.mark.parametrize("order", range(1, 9))
@pytest.mark.parametrize("hz", [1.0, 13.0, 59.0])
def test_designs_are_those_of_butter(order: int, hz: float) -> None:
    for made, kind in ((high_pass(hz, 256, order), "highpass"), (low_pass(hz, 256, order), "lowpass")):
        expected = _response(signal.butter(order, hz, kind, fs=256, output="sos"), 256)
        assert np.max(np.abs(_response(_sections(made), 256) - expected)) <= 1e-9
    pair = high_pass(hz, 256, 2).sections[0]
    b, a = signal.butter(2, hz, "highpass", fs=256)
    assert [pair.b0, pair.b1, pair.b2, 1, pair.a1, pair.a2] == pytest.approx([*b, *a], abs=_TOLERANCE)


@pytest.mark.parametrize("hz", [50.0, 60.0])
@pytest.mark.parametrize("quality", [5.0, 30.0, 35.5])
def test_the_notch_is_iirnotch(hz: float, quality: float) -> None:
    (section,) = notch(hz, 256, quality).sections
    b, a = signal.iirnotch(hz, quality, fs=256)
    found = [section.b0, section.b1, section.b2, 1, section.a1, section.a2]
    assert found == pytest.approx([*b, *a], abs=_TOLERANCE)


@given(st.lists(st.integers(0, 64), max_size=30), st.integers(0, 1000))
def test_how_samples_are_cut_changes_nothing(sizes: list[int], begin: int) -> None:
    whole, cut = band_pass(1, 40, 256, 3), band_pass(1, 40, 256, 3)
    samples = _NOISE[begin : begin + sum(sizes)]
    found: list[float] = []
    at = 0
    for size in sizes:
        found += cut.feed(samples[at : at + size])
        at += size
    assert found == whole.feed(samples)


def test_the_gain_is_that_of_scipy() -> None:
    cascade = band_pass(8, 13, 256, 4)
    expected = np.abs(_response(_sections(cascade), 256))
    at = np.linspace(0.3, 256 / 2 * 0.99, 400)
    assert [cascade.gain(hz, 256) for hz in at] == pytest.approx(list(expected), abs=1e-12)


def test_an_offset_does_not_ring() -> None:
    assert max(map(abs, high_pass(0.5, 256, 4).feed([480.0] * 1000))) < 1e-6
    assert low_pass(40, 256, 4).feed([480.0] * 1000) == pytest.approx([480.0] * 1000)


def test_behind_a_reset_a_filter_is_as_new() -> None:
    used = band_pass(1, 40, 256)
    used.feed(_NOISE[:1000])
    used.reset()
    assert used.feed(_NOISE[1000:]) == band_pass(1, 40, 256).feed(_NOISE[1000:])


@pytest.mark.parametrize("hz", [0.0, -1.0, 128.0, 500.0, float("nan")])
def test_a_filter_beyond_half_of_the_rate_is_refused(hz: float) -> None:
    for make in (high_pass, low_pass, notch):
        with pytest.raises(UsageError, match="no filter at"):
            make(hz, 256)


def test_what_no_filter_can_be_is_refused() -> None:
    with pytest.raises(UsageError, match="no filter of order 0"):
        high_pass(1, 256, 0)
    with pytest.raises(UsageError, match="no band from 13 Hz to 8 Hz"):
        band_pass(13, 8, 256)
    with pytest.raises(UsageError, match="quality 0"):
        notch(50, 256, 0)


@pytest.mark.parametrize("count", [2, 3, 4, 15, 16, 17, 250, 255, 500, 509, 512, 1000, 1024])
def test_a_spectrum_is_that_of_scipy(count: int) -> None:
    samples = np.array(_NOISE[:count])
    for at, expected in (
        signal.periodogram(samples, 256, "hann", detrend="constant"),
        signal.welch(samples, 256, "hann", count, detrend="constant"),
    ):
        assert frequencies(count, 256) == pytest.approx(list(at))
        assert psd(samples.tolist(), 256) == pytest.approx(list(expected), rel=1e-9, abs=1e-9)


def test_a_spectrum_of_one_sample_is_none() -> None:
    with pytest.raises(ValueError, match="two samples"):
        psd([1.0], 256)
