"""A calibrator that is not there: waves of known size as counts, and as a device would send them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import pi, sin

from kit.eeg import p2
from kit.eeg.records import Packet

RATE_HZ = 256
Wave = Callable[[float], float]


def sine(peak_to_peak: float, frequency_hz: float = 14.0) -> Wave:
    """So many counts from peak to peak."""
    return lambda at_s: peak_to_peak / 2 * sin(2 * pi * frequency_hz * at_s)


def square(peak_to_peak: float, frequency_hz: float = 14.0) -> Wave:
    """A square wave behind the amplifier's filter: its third harmonic weaker, the higher ones gone."""
    first, third = 2 * peak_to_peak / pi, 0.75 * 2 * peak_to_peak / pi / 3
    turn = 2 * pi * frequency_hz
    return lambda at_s: first * sin(turn * at_s) + third * sin(3 * turn * at_s)


def counts(
    wave: Wave, seconds: float = 10, noise: float = 0.7, middle: float = 512, seed: int = 1
) -> list[int]:
    """As the converter gives them."""
    chance = random.Random(seed)
    return [
        min(1023, max(0, round(middle + wave(number / RATE_HZ) + chance.gauss(0, noise))))
        for number in range(int(seconds * RATE_HZ))
    ]


def sent(columns: Sequence[Sequence[int]]) -> bytes:
    """P2 packets of these channels; what is missing of six is at rest."""
    rest = [512] * len(columns[0])
    rows = zip(*[*columns, *[rest] * (6 - len(columns))], strict=True)
    return b"".join(
        p2.encode(Packet(0, p2.VERSION, number % p2.PERIOD, row, 15, 0)) for number, row in enumerate(rows)
    )
