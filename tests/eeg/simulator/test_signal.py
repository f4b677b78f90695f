"""What the simulated electrodes see: rhythms, hum, blinks, buttons, and the limits of ten bits."""

from __future__ import annotations

import cmath
import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest

from kit.eeg.simulator.signal import BLOCK, BLOCKS, IDLE_BUTTONS, Signal

RATE_HZ = 256
SECONDS = 16


def _signal(seed: int = 1, mains_hz: int = 50, gain: Fraction = Fraction(1)) -> Signal:
    return Signal(Random(f"{seed} signal"), Fraction(RATE_HZ), mains_hz, gain)


def _channels(signal: Signal, blocks: int = SECONDS) -> list[Sequence[int]]:
    rows = [row for number in range(blocks) for row in signal.block(number).rows]
    return list(zip(*rows, strict=True))


def _spectrum(samples: Sequence[int]) -> list[float]:
    """The power at 0, 1, 2 … Hz: of each second a DFT, their mean."""
    turns = [cmath.exp(-2j * math.pi * step / RATE_HZ) for step in range(RATE_HZ)]
    power = [0.0] * (RATE_HZ // 2)
    for first in range(0, len(samples), RATE_HZ):
        second = samples[first : first + RATE_HZ]
        for hz in range(len(power)):
            power[hz] += abs(sum(value * turns[hz * at % RATE_HZ] for at, value in enumerate(second))) ** 2
    return power


def test_the_second_channels_greatest_rhythm_is_alpha() -> None:
    power = _spectrum(_channels(_signal())[1])
    assert 8 <= max(range(4, len(power)), key=power.__getitem__) <= 13
    assert sum(power[8:14]) > 0.5 * sum(power[5:])


def test_alpha_waxes_and_wanes() -> None:
    samples = _channels(_signal())[1]
    powers = [sum(_spectrum(samples[at : at + RATE_HZ])[8:14]) for at in range(0, len(samples), RATE_HZ)]
    assert max(powers) > 10 * min(powers)


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_the_hum_is_where_it_was_wished_for(mains_hz: int) -> None:
    power = _spectrum(_channels(_signal(mains_hz=mains_hz))[0])
    share = power[mains_hz] / sum(power[5:])
    assert max(range(30, len(power)), key=power.__getitem__) == mains_hz
    assert 0.005 < share < 0.2


def test_without_mains_there_is_no_hum() -> None:
    power = _spectrum(_channels(_signal(mains_hz=0))[0])
    assert power[50] < 3 * (power[47] + power[53])


def test_the_last_four_channels_are_a_faint_mirror_of_the_second() -> None:
    channels = _channels(_signal())
    for mirror in channels[2:]:
        assert max(mirror) - min(mirror) < 20
        pairs = list(zip(channels[1], mirror, strict=True))
        middle = [sum(values) / len(pairs) for values in zip(*pairs, strict=True)]
        assert sum((a - middle[0]) * (b - middle[1]) for a, b in pairs) > 0


def test_blinks_are_on_the_first_channel_more_than_on_the_second() -> None:
    first, second, *_ = _channels(_signal(), BLOCKS)
    assert max(first) > 660
    assert max(first) > max(second) + 30
    blinks = sum(value > 600 >= before for before, value in pairwise(first))
    assert 8 <= blinks <= 60


def test_buttons_are_pressed_now_and_then_and_held_for_a_quarter_of_a_second() -> None:
    signal = _signal()
    buttons = [one for number in range(BLOCKS) for one in signal.block(number).buttons]
    pressed = [one for one in buttons if one != IDLE_BUTTONS]
    assert {one ^ IDLE_BUTTONS for one in pressed} <= {1, 2, 4, 8}
    assert len(pressed) % (RATE_HZ // 4) == 0
    assert 4 <= len(pressed) // (RATE_HZ // 4) <= 13


@pytest.mark.parametrize("gain", [Fraction(1), Fraction(8), Fraction(1000)])
def test_no_sample_leaves_the_ten_bits(gain: Fraction) -> None:
    values = {value for channel in _channels(_signal(gain=gain)) for value in channel}
    assert min(values) >= 0
    assert max(values) <= 1023
    assert (0 in values and 1023 in values) == (gain > 1)


def test_it_repeats_without_a_seam() -> None:
    signal = _signal()
    assert signal.block(BLOCKS) is signal.block(0)
    last, first = signal.block(BLOCKS - 1).rows[-1], signal.block(0).rows[0]
    assert max(abs(a - b) for a, b in zip(last, first, strict=True)) < 60


def test_blocks_do_not_depend_on_the_order_in_which_they_are_asked_for() -> None:
    ahead, behind = _signal(), _signal()
    last = ahead.block(5)
    assert [ahead.block(number) for number in range(6)] == [behind.block(number) for number in range(6)]
    assert last == behind.block(5)


def test_another_seed_is_another_signal() -> None:
    assert _signal(1).block(0) != _signal(2).block(0)


def test_the_same_seed_gives_the_same_samples_on_every_machine() -> None:
    """The figure was made with Python 3.11 and glibc on x86-64."""
    signal = _signal()
    rows = repr([signal.block(number) for number in (0, 1, 63)])
    assert hashlib.sha256(rows.encode()).hexdigest()[:16] == "aabe6cae70247b6c"


def test_no_library_can_round_the_sines_in_another_way() -> None:
    """A C library's sine is right to 1e-15; this far from the middle of two steps nothing can go wrong."""
    period = BLOCK * BLOCKS
    values = (math.sin(2 * math.pi * step / period) * 4096 for step in range(period))
    assert min(abs(abs(value) % 1 - 0.5) for value in values) > 1e-6
