"""A tone whose pitch follows a value, for people with closed eyes: 16-bit samples, little-endian, mono. Pure.

At its threshold a value sounds as the concert pitch, at twice that an octave above. Without a value there is
silence. Pitch and loudness glide, so that nothing clicks.
"""

from __future__ import annotations

import sys
from array import array
from math import exp, isfinite, pi, sin

RATE_HZ = 16_000
PITCH_HZ = 440.0
LOWEST_HZ, HIGHEST_HZ = 110.0, 1760.0
_LOUDNESS = 0.25 * 32767
_GLIDE = 1 - exp(-1 / (0.03 * RATE_HZ))
_STEPS = 4096
_SINE = tuple(sin(2 * pi * step / _STEPS) for step in range(_STEPS))


class Tone:
    """Goes on where it was."""

    def __init__(self) -> None:
        self._turn = 0.0  # in steps of the table
        self._hz = PITCH_HZ
        self._loudness = 0.0

    def render(self, ratio: float | None, count: int) -> bytes:
        """So many samples for a value that is `ratio` times its threshold, or that is none."""
        sounds = ratio is not None and isfinite(ratio)
        wanted_hz = min(max(PITCH_HZ * ratio, LOWEST_HZ), HIGHEST_HZ) if sounds and ratio else LOWEST_HZ
        wanted_hz = wanted_hz if sounds else self._hz
        wanted_loudness = _LOUDNESS if sounds else 0.0
        turn, hz, loudness, step = self._turn, self._hz, self._loudness, _STEPS / RATE_HZ
        samples = array("h")
        for _ in range(count):
            hz += (wanted_hz - hz) * _GLIDE
            loudness += (wanted_loudness - loudness) * _GLIDE
            turn = (turn + hz * step) % _STEPS
            samples.append(int(_SINE[int(turn)] * loudness))
        self._turn, self._hz, self._loudness = turn, hz, loudness
        if sys.byteorder == "big":
            samples.byteswap()
        return samples.tobytes()


class Clock:
    """How many samples of sound belong to so many packets."""

    def __init__(self, packets_hz: float) -> None:
        self._packets_hz = packets_hz
        self._packets = 0
        self._samples = 0

    def samples(self, packets: int) -> int:
        """Those since the call before."""
        self._packets += packets
        until = round(self._packets * RATE_HZ / self._packets_hz)
        count, self._samples = until - self._samples, until
        return count
