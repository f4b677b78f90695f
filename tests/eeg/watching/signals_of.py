"""Signals with known events in them, as blocks of any size."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from kit.eeg.signals import Block, Gap, Signal

RATE = 256
PERIOD_US = 1_000_000 / RATE


def noise(seconds: float, spread: float = 10, seed: int = 1) -> list[float]:
    """Counts about nothing."""
    chance = random.Random(seed)
    return [chance.gauss(0, spread) for _ in range(round(seconds * RATE))]


def with_bursts(
    values: list[float], bursts: Sequence[tuple[float, float]], hz: float, height: float
) -> list[float]:
    """A sine from one second to another."""
    for begin_s, end_s in bursts:
        for at in range(round(begin_s * RATE), round(end_s * RATE)):
            values[at] += height * math.sin(2 * math.pi * hz * at / RATE)
    return values


def blocks(
    values: Sequence[float], size: int = 10, first: int = 0, buttons: Sequence[int] = ()
) -> list[Signal]:
    """The values as the first channel of six."""
    made: list[Signal] = []
    counts = [min(max(512 + round(value), 0), 1023) for value in values]
    quiet = [512 + at % 3 for at in range(len(counts))]
    for at in range(0, len(counts), size):
        column = counts[at : at + size]
        times = [int((first + at + k) * PERIOD_US) for k in range(len(column))]
        pressed = buttons[at : at + size] if buttons else [15] * len(column)
        made.append(Block(first + at, times, (column, *[quiet[at : at + size]] * 5), pressed))
    return made


def gap(first: int, count: int, why: str = "lost") -> Gap:
    """Packets that never came."""
    return Gap(first, count, why, int(first * PERIOD_US))  # type: ignore[arg-type] # one of the three
