from __future__ import annotations

import random
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kit.eeg import fast, p2, p3
from kit.eeg.capture import Capture
from kit.eeg.dating import Dating
from kit.eeg.formats.eegreader import EegreaderWriter
from kit.eeg.records import Chunk, Item, Packet, Run, Stretch, Times
from kit.eeg.stats import channels, hum
from kit.eeg.stats.accelerated import measuring

chances = st.integers(0, 2**32).map(random.Random)
rates_hz = st.one_of(
    st.just(Fraction(256)),
    st.fractions(min_value=20, max_value=100_000, max_denominator=10_000),
)


class Counted:
    """A function that says how often it was called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.calls = 0
        self._function = function

    def __call__(self, *arguments: object) -> Any:
        self.calls += 1
        return self._function(*arguments)


def p2_data(chance: random.Random, count: int) -> bytes:
    """Packets whose channels have any value, and now and then keep it."""
    out: list[bytes] = []
    values: tuple[int, ...] = (0,) * 6
    for number in range(count):
        if chance.randrange(4):
            values = tuple(chance.choice((0, 9, 10, 99, 100, 512, 999, 1000, 1023)) for _ in range(6))
        out.append(p2.encode(Packet(0, 2, number % 256, values, chance.randrange(16), chance.randrange(16))))
    return b"".join(out)


def p2_run(chance: random.Random, count: int, sequence: int = 0, times: Times | None = None) -> Run:
    return Run(sequence, Stretch(p2.LAYOUT, 0, p2_data(chance, count)), times)


def plain_lines(runs: list[Run], dating: Dating) -> bytes:
    """Few packets are no work for numpy."""
    return b"".join(EegreaderWriter(dating).render([run]) for run in runs)


def damaged(chance: random.Random, count: int) -> bytes:
    data = bytearray(p2_data(chance, count))
    for _ in range(count // 10):
        at = chance.randrange(len(data))
        kind = chance.randrange(3)
        if kind == 0:
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at : at + chance.randrange(1, 60)]
        else:
            data[at:at] = chance.randbytes(chance.randrange(1, 30))
    return bytes(data)


def captured(data: bytes, size: int) -> list[list[Item]]:
    capture = Capture("p2")
    return [capture.feed(Chunk(data[at : at + size])) for at in range(0, len(data), size)] + [
        capture.end("end")
    ]


@pytest.mark.parametrize("digits", range(1, 18))
def test_the_digits_of_the_time_may_become_more_along_a_run(digits: int) -> None:
    run, dating = p2_run(random.Random(digits), 60), Dating(10**digits - 30 * 3906)
    if dating.start_us < 0:
        dating = Dating(0, Fraction(10**6, 1 + 10 ** (digits - 1)))
    lines = fast.p2_lines([run], dating)
    assert lines == plain_lines([run], dating)
    assert len({len(line.split(b"|")[0]) for line in lines.splitlines()}) > 1


@given(chances, st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 10**9), rates_hz)
def test_dated_lines_are_the_plain_ones_at_any_rate(
    chance: random.Random, counts: list[int], sequence: int, rate_hz: Fraction
) -> None:
    assume(sequence * 1_000_000 * rate_hz.denominator < 1 << 61)  # what is more is left to the plain way
    runs, dating = [], Dating(chance.choice((0, 1, 99_999_000, 1_622_034_547_374_070)), rate_hz)
    for count in counts:
        runs.append(p2_run(chance, count, sequence))
        sequence += count + chance.choice((0, 0, 1, 255))
    assert fast.p2_lines(runs, dating) == plain_lines(runs, dating)


@given(chances, st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 2 * 10**15))
def test_lines_with_times_are_the_plain_ones(chance: random.Random, counts: list[int], start_us: int) -> None:
    runs: list[Run] = []
    dating, sequence = Dating(start_us), 0
    for count in counts:
        late_us = [at + chance.randrange(2000) for at in dating.walls_us(sequence, count)]
        times = chance.choice((None, Times(late_us), Times((), (), late_us), Times((), late_us)))
        runs.append(p2_run(chance, count, sequence, times))
        sequence += count
    assert fast.p2_lines(runs, dating) == plain_lines(runs, dating)


@pytest.mark.parametrize(
    "walls_us",
    [[-1, 5], [10**18, 1], [2**70, 1], [number % 2 * 10**9 for number in range(100)]],
    ids=["negative", "19 digits", "beyond 64 bits", "leaping"],
)
def test_odd_times_are_left_to_the_plain_way(walls_us: list[int]) -> None:
    with pytest.raises(fast.Unsuited):
        fast.p2_lines([p2_run(random.Random(1), len(walls_us), 0, Times(walls_us))], Dating())


def test_a_start_beyond_64_bits_is_left_to_the_plain_way() -> None:
    with pytest.raises(fast.Unsuited):
        fast.p2_lines([p2_run(random.Random(1), 3)], Dating(2**63))


@settings(max_examples=20)
@given(chances, st.integers(1, 2000), st.integers(40, 20_000))
def test_damaged_bytes_become_the_same_lines(chance: random.Random, count: int, size: int) -> None:
    for items in captured(damaged(chance, count), size):
        runs = [item for item in items if isinstance(item, Run)]
        if runs:
            assert fast.p2_lines(runs, Dating()) == plain_lines(runs, Dating())


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_long_file_becomes_the_same_lines_with_numpy_and_without(
    is_damaged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    data = (damaged(chance, 4000) if is_damaged else p2_data(chance, 4096)) * 15
    batches = captured(data, 64 * 1024)
    p2_lines = Counted(fast.p2_lines)
    monkeypatch.setattr(fast, "p2_lines", p2_lines)
    writer = EegreaderWriter(Dating(1_622_034_547_374_070))
    quick = b"".join(map(writer.render, batches))
    assert p2_lines.calls
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "kit.eeg.fast")
    writer = EegreaderWriter(Dating(1_622_034_547_374_070))
    assert b"".join(map(writer.render, batches)) == quick


@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_columns_of_p2_are_the_plain_ones(chance: random.Random, count: int) -> None:
    data = p2_data(chance, count)
    quick, buttons = fast.columns(Stretch(p2.LAYOUT, 0, data))
    plain, plain_buttons = p2.columns(data)
    assert [tuple(column.tolist()) for column in quick] == [tuple(column) for column in plain]
    assert list(buttons) == list(plain_buttons)


@given(chances, st.integers(1, 300))
def test_channels_of_p2_are_measured_the_same(chance: random.Random, count: int) -> None:
    stretch = Stretch(p2.LAYOUT, 0, p2_data(chance, count))
    assert fast.measure(stretch) == channels.measure(stretch)


@given(chances, st.sampled_from([0, 2, 4, 6]), st.integers(1, 200))
def test_channels_of_p3_are_measured_the_same(chance: random.Random, width: int, count: int) -> None:
    values = [tuple(chance.randrange(1024) for _ in range(width)) for _ in range(3)]
    data = b"".join(
        p3.encode(Packet(0, 3, number % 64, chance.choice(values), None, 0)) for number in range(count)
    )
    stretch = Stretch(p3.layout(width), 0, data)
    assert fast.measure(stretch) == channels.measure(stretch)


@settings(max_examples=20)
@given(chances, st.integers(1, 4), st.sampled_from([Fraction(256), Fraction(110), Fraction(50)]))
def test_hum_is_measured_the_same(chance: random.Random, count: int, rate_hz: Fraction) -> None:
    blocks = Stretch(p2.LAYOUT, 0, p2_data(chance, count * hum.BLOCK))
    known = hum.waves(rate_hz)
    assert fast.powers(blocks, known) == hum.powers(blocks, known)


def test_many_loud_blocks_do_not_overflow() -> None:
    block = b"".join(
        p2.encode(Packet(0, 2, n % 256, (1023 * (n * 50 // 128 % 2),) * 6, 15, 0)) for n in range(hum.BLOCK)
    )
    blocks, known = Stretch(p2.LAYOUT, 0, block * 400), hum.waves(Fraction(256))
    assert fast.powers(blocks, known) == hum.powers(blocks, known)
    assert fast.powers(blocks, known)[0][0] > 2**63


def test_measuring_goes_over_to_numpy_and_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Counted(fast.measure)
    monkeypatch.setattr(fast, "measure", measure)
    quick = measuring()
    stretch = Stretch(p2.LAYOUT, 0, p2_data(random.Random(3), 4096))
    known = hum.waves(Fraction(256))
    for _ in range(9):
        assert quick.channels(stretch) == channels.measure(stretch)
        assert quick.hum(stretch, known) == hum.powers(stretch, known)
    assert measure.calls
