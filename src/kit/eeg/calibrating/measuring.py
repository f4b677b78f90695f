"""What a channel shows of the calibration signal, and whether that is good enough. Pure.

The size is that of the fundamental, which noise and the steepness of edges touch least: a sine is twice its
amplitude from peak to peak, a square wave half of pi times. ModularEEG's own calibrator is a square wave of
14 Hz; the amplifier's filter (59 Hz) takes the higher harmonics of it, and leaves enough of the third one
that the two shapes can be told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import pi
from typing import Literal

from kit.core.errors import NegativeAnswer
from kit.core.stats import median
from kit.eeg.calibrating.fitting import find_frequency, fit, window_s

Waveform = Literal["sine", "square"]
Verdict = Literal["good", "flat", "clipped", "absent", "shape", "drifting", "noisy"]
_TO_PEAK = {"sine": 2.0, "square": pi / 2}
_RAILS, _RAIL = (0, 1023), 5
# A damaged packet may hold any count; of a sine that is cut off one sample in a hundred is.
_CLIPPED_SHARE = 0.002
_LEAST_COUNTS = 10
_LEAST_SHARE = 0.5
# Of the third harmonic, beside the first: a square wave has a third, four fifths of it behind the filter; a
# triangle a ninth.
_SINE_BELOW, _SQUARE_FROM, _EVEN_BELOW = 0.08, 0.18, 0.08
# Beyond it the amplifier lets too little through to tell the shape by.
_THIRD_LIMIT_HZ = 60.0
_SEARCH_HZ = (2.0, 45.0)
_NEAR = 0.05
_LEAST_WINDOWS = 4
_LONGER = "listen for five seconds or more, of a slow signal for fifteen periods"
_DRIFT, _NOISE = 0.02, 0.03


@dataclass(frozen=True)
class Request:
    """What is known of the signal; None is to be found out."""

    peak_to_peak_uv: float
    frequency_hz: float | None = None
    waveform: Waveform | None = None


@dataclass(frozen=True)
class Measured:
    """A channel (from 1 on): what was found, in words; the figures as far as there are any."""

    channel: int
    verdict: Verdict
    text: str
    peak_to_peak_counts: float | None = None
    uv_per_count: float | None = None
    spread_percent: float | None = None
    waveform: Waveform | None = None


@dataclass(frozen=True)
class Samples:
    """The counts of a channel and the seconds at which they were taken."""

    times_s: Sequence[float]
    counts: Sequence[int]


@dataclass(frozen=True)
class Calibration:
    """What came of it: the frequency, each channel, and the scale, a mean of the good ones.

    `spread_percent` is how far these are apart.
    """

    request: Request
    frequency_hz: float
    waveform: Waveform
    uv_per_count: float
    spread_percent: float
    channels: tuple[Measured, ...]


def calibrate(channels: Sequence[Samples], rate_hz: float, request: Request) -> Calibration:
    """The scale that the channels show; raises NegativeAnswer where none of them is good."""
    if not channels or len(channels[0].counts) < 2 * rate_hz:
        raise NegativeAnswer("what came is too short", hint=_LONGER)
    frequency_hz = _frequency(channels, rate_hz, request)
    found = tuple(_measure(at + 1, samples, frequency_hz, request) for at, samples in enumerate(channels))
    scales = [one.uv_per_count for one in found if one.verdict == "good" and one.uv_per_count]
    shape = next((one.waveform for one in found if one.verdict == "good" and one.waveform), None)
    if not scales or shape is None:
        raise NegativeAnswer(f"no channel can be calibrated: {_why(found)}", hint=_hint(found))
    mean = sum(scales) / len(scales)
    spread = (max(scales) - min(scales)) / mean * 100
    return Calibration(request, frequency_hz, shape, mean, spread, found)


def _frequency(channels: Sequence[Samples], rate_hz: float, request: Request) -> float:
    """Of the channel that shows it most clearly."""
    low_hz, high_hz = _SEARCH_HZ
    if request.frequency_hz:
        low_hz, high_hz = request.frequency_hz * (1 - _NEAR), request.frequency_hz * (1 + _NEAR)
    best_hz, best = request.frequency_hz or low_hz, -1.0
    for samples in channels:
        if len(set(samples.counts)) < 2:
            continue
        hz = find_frequency(samples.times_s, samples.counts, rate_hz, low_hz, min(high_hz, rate_hz / 2.2))
        share = fit(samples.times_s, samples.counts, hz, 1).share
        if share > best:
            best_hz, best = hz, share
    return best_hz


def _measure(channel: int, samples: Samples, frequency_hz: float, request: Request) -> Measured:
    counts = samples.counts
    moves = max(counts) - min(counts)
    if moves < _LEAST_COUNTS:
        return Measured(channel, "flat", f"it moves by {moves} counts in all")
    clipped = sum(min(abs(count - rail) for rail in _RAILS) <= _RAIL for count in counts) / len(counts)
    if clipped > _CLIPPED_SHARE:
        return Measured(channel, "clipped", f"{clipped * 100:.1f} % of it is within {_RAIL} counts of a rail")
    wave = fit(samples.times_s, counts, frequency_hz, 3)
    first, second, third = wave.amplitudes
    if wave.share < _LEAST_SHARE:
        return Measured(channel, "absent", f"{frequency_hz:.2f} Hz is {wave.share * 100:.0f} % of its power")
    shape = request.waveform or _shape(second / first, third / first, frequency_hz)
    if shape is None:
        return Measured(channel, "shape", "neither a sine nor an even square wave that can be told")
    return _judge(channel, samples, frequency_hz, (first * _TO_PEAK[shape], shape, request.peak_to_peak_uv))


def _shape(second: float, third: float, frequency_hz: float) -> Waveform | None:
    """By the harmonics; None where they are of neither, or where the third is beyond the filter."""
    if 3 * frequency_hz > _THIRD_LIMIT_HZ or second > _EVEN_BELOW:
        return None
    return "sine" if third < _SINE_BELOW else "square" if third >= _SQUARE_FROM else None


def _judge(
    channel: int, samples: Samples, frequency_hz: float, size: tuple[float, Waveform, float]
) -> Measured:
    """Is it as large all the time?"""
    peak_to_peak, shape, peak_to_peak_uv = size
    parts = [fit(*part, frequency_hz, 1).amplitudes[0] for part in _windows(samples, window_s(frequency_hz))]
    mean = sum(parts) / len(parts)
    half = len(parts) // 2
    drift = abs(median(parts[:half]) - median(parts[-half:])) / mean
    spread = (sum((part - mean) ** 2 for part in parts) / len(parts)) ** 0.5 / mean
    verdict: Verdict = "drifting" if drift > _DRIFT else "noisy" if spread > _NOISE else "good"
    text = {
        "drifting": f"its size changes by {drift * 100:.1f} % meanwhile",
        "noisy": f"its size spreads by {spread * 100:.1f} %",
    }.get(verdict, "")
    return Measured(channel, verdict, text, peak_to_peak, peak_to_peak_uv / peak_to_peak, spread * 100, shape)


def _windows(samples: Samples, length_s: float) -> Iterable[tuple[Sequence[float], Sequence[int]]]:
    """The pieces; raises NegativeAnswer where they are too few to tell whether it stays as it is."""
    times_s, begin, pieces = samples.times_s, 0, []
    for at, time_s in enumerate(times_s):
        if time_s - times_s[begin] >= length_s:
            pieces.append((times_s[begin:at], samples.counts[begin:at]))
            begin = at
    if len(pieces) < _LEAST_WINDOWS:
        raise NegativeAnswer(f"{times_s[-1] - times_s[0]:.1f} s are too short", hint=_LONGER)
    return pieces


def _why(found: Sequence[Measured]) -> str:
    """The channels by what is wrong with them, with the figures of the first one."""
    groups: dict[Verdict, list[Measured]] = {}
    for one in found:
        groups.setdefault(one.verdict, []).append(one)
    return "; ".join(
        f"channel{'s' * (len(same) > 1)} {', '.join(str(one.channel) for one in same)} "
        f"{'are' if len(same) > 1 else 'is'} {_WORDS[verdict]} ({same[0].text})"
        for verdict, same in groups.items()
    )


_WORDS: dict[Verdict, str] = {
    "good": "good",
    "flat": "still",
    "clipped": "clipped",
    "absent": "without the signal",
    "shape": "of another shape",
    "drifting": "drifting",
    "noisy": "noisy",
}


def _hint(found: Sequence[Measured]) -> str | None:
    verdicts = {one.verdict for one in found}
    for verdict, hint in (
        ("clipped", "lower the gain, or use a smaller signal"),
        ("shape", "say --waveform if you know it"),
        ("drifting", "let it settle, and try again"),
        ("noisy", "shorten the wires, keep away from mains, or listen longer (--duration)"),
    ):
        if verdict in verdicts:
            return hint
    return "is the calibrator connected, and its frequency from 2 to 45 Hz?"
