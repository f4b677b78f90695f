"""What the electrodes of the simulated board see, in counts of its converter. Pure, and integers only.

Two channels are real: rhythms that wax and wane, hum, noise, and blinks, on the first more than on the
second. The others are a faint mirror of the second one, as on Olimex' EEG-SMT. Each sine makes a whole number
of turns in `PERIOD` samples, so that the signal repeats without a seam; it is made block by block and kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

BLOCK = 256
BLOCKS = 64
PERIOD = BLOCK * BLOCKS
CHANNELS = 6
TOP = 1023
IDLE_BUTTONS = 15
_ZERO = 512
# No sine lies so near to the middle of two of these steps that a C library could decide (test_signal).
_ONE = 4096
_OCTAVES = 7
_ALPHA_HZ, _THETA_HZ = 10, 6
_BLINK_S = Fraction(3, 10)
_PRESS_S = Fraction(1, 4)
_BURST_S, _BURST = Fraction(5, 2), 32


@dataclass(frozen=True)
class _Sine:
    """`amplitude` counts; a `swell` of more than 0 turns takes it down to nothing and up again that often."""

    turns: int
    phase: int
    amplitude: int
    swell: int = 0
    swell_phase: int = 0


@dataclass(frozen=True)
class _Event:
    """A blink, `height` counts high, or a press of the buttons in the mask `height`."""

    first: int
    length: int
    height: int


@dataclass(frozen=True)
class Happening:
    """What a signal has in it on purpose: `kind` (blink, press or burst) from the sample `slot` on.

    `height` is a blink's, in counts on the first channel; `button` is that of a press, from 1 on.
    """

    kind: str
    slot: int
    length: int
    height: int | None = None
    button: int | None = None


@dataclass(frozen=True)
class Block:
    """`BLOCK` samples: six channels each, and the switches."""

    rows: tuple[tuple[int, ...], ...]
    buttons: tuple[int, ...]


class Signal:
    """The samples of a board at `rate_hz`; the same generator gives the same samples, everywhere.

    With `bursts`, alpha comes and goes at known times, instead of waxing and waning.
    """

    def __init__(
        self, chance: Random, rate_hz: Fraction, mains_hz: int, gain: Fraction, *, bursts: bool = False
    ) -> None:
        self._draw = chance.random
        self._rate_hz = rate_hz
        self._gain = gain
        self._voices = [self._sines(mains_hz, alpha, theta) for alpha, theta in ((24, 16), (44, 12))]
        self._blinks = list(self._spread(2, 6, _BLINK_S, self._draw_height))
        self._presses = list(self._spread(5, 12, _PRESS_S, self._draw_button))
        self._bursts = list(self._spread(4, 7, _BURST_S, lambda: _BURST)) if bursts else None
        self._pink = [[0] * _OCTAVES for _ in self._voices]
        self._made: list[Block] = []

    def block(self, number: int) -> Block:
        """The samples `number * BLOCK` to before `(number + 1) * BLOCK`."""
        number %= BLOCKS
        while len(self._made) <= number:
            self._made.append(self._make(len(self._made) * BLOCK))
        return self._made[number]

    def happenings(self, slot: int, count: int) -> list[Happening]:
        """What begins within `count` samples from `slot` on."""
        kinds = (("blink", self._blinks), ("press", self._presses), ("burst", self._bursts or ()))
        found = []
        for kind, events in kinds:
            for event in events:
                ahead = (event.first - slot) % PERIOD
                if ahead < count:
                    height = event.height if kind == "blink" else None
                    button = event.height.bit_length() if kind == "press" else None
                    found.append(Happening(kind, slot + ahead, event.length, height, button))
        return sorted(found, key=lambda one: one.slot)

    def _make(self, first: int) -> Block:
        real = [
            [a + b for a, b in zip(self._sung(voice, first), self._noise(pink), strict=True)]
            for voice, pink in zip(self._voices, self._pink, strict=True)
        ]
        lift = self._lift(first)
        one = self._counts([value + blink for value, blink in zip(real[0], lift, strict=True)])
        two = self._counts([value + blink * 5 // 8 for value, blink in zip(real[1], lift, strict=True)])
        mirrors = [[_ZERO + (value - _ZERO + 16) // 32 + self._dither() for value in two] for _ in range(4)]
        return Block(tuple(zip(one, two, *mirrors, strict=True)), tuple(self._switches(first)))

    def _counts(self, values: list[int]) -> list[int]:
        """What the converter makes of it: ten bits, and no more."""
        scale, parts = self._gain.numerator, self._gain.denominator * _ONE
        return [min(max(_ZERO + value * scale // parts, 0), TOP) for value in values]

    def _sines(self, mains_hz: int, alpha: int, theta: int) -> tuple[_Sine, ...]:
        wobble = Fraction(self._below(9) - 4, 10)
        return (
            _Sine(self._turns(_ALPHA_HZ + wobble), self._below(PERIOD), alpha, 9, self._below(PERIOD)),
            _Sine(self._turns(_THETA_HZ + wobble), self._below(PERIOD), theta, 5, self._below(PERIOD)),
            _Sine(self._turns(Fraction(mains_hz)), self._below(PERIOD), 6 if mains_hz else 0),
        )

    def _turns(self, hz: Fraction) -> int:
        return round(hz * PERIOD / self._rate_hz)

    def _below(self, limit: int) -> int:
        """A chance number from `random()` alone: the one method whose sequence Python promises to keep."""
        return int(self._draw() * limit)

    def _dither(self) -> int:
        return self._below(3) - 1

    def _draw_height(self) -> int:
        return 160 + self._below(80)

    def _draw_button(self) -> int:
        return 1 << self._below(4)

    def _sung(self, voice: tuple[_Sine, ...], first: int) -> list[int]:
        alpha, *others = voice
        sung = self._in_bursts(alpha, first) if self._bursts is not None else _samples(alpha, first)
        return [sum(values) for values in zip(sung, *(_samples(sine, first) for sine in others), strict=True)]

    def _in_bursts(self, alpha: _Sine, first: int) -> list[int]:
        height = [0] * BLOCK
        for burst in self._bursts or ():
            for at in range(max(burst.first, first), min(burst.first + burst.length, first + BLOCK)):
                height[at - first] = burst.height
        steady = _samples(_Sine(alpha.turns, alpha.phase, 1), first)
        return [value * size for value, size in zip(steady, height, strict=True)]

    def _noise(self, octaves: list[int]) -> Iterator[int]:
        """Nearly 1/f: of values that change every 1, 2, 4 … samples, the sum (Voss)."""
        span = 18 * _ONE
        total = sum(octaves)
        for sample in range(BLOCK):
            octave = min((sample & -sample).bit_length() - 1, _OCTAVES - 1) if sample else _OCTAVES - 1
            total -= octaves[octave]
            octaves[octave] = self._below(span) - span // 2
            total += octaves[octave]
            yield total // 2

    def _spread(
        self, low_s: int, high_s: int, length_s: Fraction, draw: Callable[[], int]
    ) -> Iterator[_Event]:
        """Something now and then, all over the period."""
        length = max(int(self._rate_hz * length_s), 1)
        at = 0
        while True:
            room = max(int(self._rate_hz * (high_s - low_s)), 1)
            at += max(int(self._rate_hz * low_s) + self._below(room), 1)
            if at + length > PERIOD:
                return
            yield _Event(at, length, draw())
            at += length

    def _lift(self, first: int) -> list[int]:
        """How far blinks raise each sample of a block."""
        lift, sine = [0] * BLOCK, _sines()
        for blink in self._blinks:
            for at in range(max(blink.first, first), min(blink.first + blink.length, first + BLOCK)):
                turn = (at - blink.first) * PERIOD // blink.length
                lift[at - first] = blink.height * (_ONE - sine[(turn + PERIOD // 4) % PERIOD]) // 2
        return lift

    def _switches(self, first: int) -> list[int]:
        switches = [IDLE_BUTTONS] * BLOCK
        for press in self._presses:
            for at in range(max(press.first, first), min(press.first + press.length, first + BLOCK)):
                switches[at - first] = IDLE_BUTTONS ^ press.height
        return switches


@cache
def _sines() -> tuple[int, ...]:
    """One turn of a sine in `PERIOD` steps, `_ONE` high."""
    return tuple(round(math.sin(2 * math.pi * step / PERIOD) * _ONE) for step in range(PERIOD))


def _samples(sine: _Sine, first: int) -> list[int]:
    table, amplitude = _sines(), sine.amplitude
    turns, swell = sine.turns, sine.swell
    at = [table[(turns * n + sine.phase) % PERIOD] * amplitude for n in range(first, first + BLOCK)]
    if not swell:
        return at
    size = [_ONE + table[(swell * n + sine.swell_phase) % PERIOD] for n in range(first, first + BLOCK)]
    return [value * part // (2 * _ONE) for value, part in zip(at, size, strict=True)]
