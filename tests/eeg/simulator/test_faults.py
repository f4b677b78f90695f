"""What a SPEC says, what is wrong with it, and when its fault strikes."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import UsageError
from kit.eeg.simulator.faults import KINDS, Fault, Schedule, parse


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("lost", Fault("lost", rate=0.01)),
        ("lost:rate=0.25:burst=3", Fault("lost", rate=0.25, burst=3)),
        ("lost:every=10,burst=3", Fault("lost", every=10, burst=3)),
        ("lost-bytes:length=64", Fault("lost-bytes", rate=0.01, length=64)),
        ("flip:every=5:byte=3:bit=7", Fault("flip", every=5, byte=3, bit=7)),
        ("stall:ms=16", Fault("stall", ms=Fraction(16))),
        ("stall:at=1.5:ms=200", Fault("stall", at=Fraction(3, 2), ms=Fraction(200))),
        ("restart:at=0", Fault("restart", at=Fraction(0))),
        ("unplug:at=2:back=1:kept=1", Fault("unplug", at=Fraction(2), back=Fraction(1), kept=1)),
    ],
)
def test_a_spec_says_what_when_and_how(text: str, fault: Fault) -> None:
    assert parse(text) == fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no fault '' in ''"),
        ("loss", "no fault 'loss' in 'loss'"),
        ("lost:ms=3", "no 'ms=3' in the fault 'lost:ms=3'"),
        ("lost:0.1", "no '0.1' in the fault 'lost:0.1'"),
        ("lost:rate=2", "rate=2 in the fault 'lost:rate=2' is not a number from 1e-09 to 1"),
        ("lost:rate=nan", "rate=nan in the fault 'lost:rate=nan' is not a number from 1e-09 to 1"),
        (
            "lost:every=1.5",
            "every=1.5 in the fault 'lost:every=1.5' is not a whole number from 1 to 1000000000000",
        ),
        (
            "lost:rate=0.1:every=3",
            "'rate' and 'every' in the fault 'lost:rate=0.1:every=3', where one can be",
        ),
        ("lost:rate=0.1:rate=0.1", "'rate' stands twice in the fault 'lost:rate=0.1:rate=0.1'"),
        ("flip:bit=8", "bit=8 in the fault 'flip:bit=8' is not a whole number from 0 to 7"),
        ("restart", "the fault 'restart' does not say when"),
        ("unplug:back=2", "the fault 'unplug:back=2' does not say when"),
        ("unplug:at=1:kept=1", "'kept' without 'back' in the fault 'unplug:at=1:kept=1'"),
        ("stall:ms=1/0", "ms=1/0 in the fault 'stall:ms=1/0' is not a number from 0.001 to 3600000"),
    ],
)
def test_what_is_wrong_with_a_spec_is_quoted(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(text)
    assert str(error.value) == said


def test_the_hint_lists_the_kinds_or_the_names() -> None:
    with pytest.raises(UsageError) as kinds:
        parse("loss")
    assert kinds.value.hint == "there are flip, garbage, lost, lost-bytes, restart, stall, unplug"
    with pytest.raises(UsageError) as names:
        parse("stall:length=1")
    assert names.value.hint == "stall takes rate, every, at, ms, as name=value"


@given(st.text(max_size=30), st.sampled_from(sorted(KINDS)))
def test_no_text_brings_anything_but_a_fault_or_a_usage_error(text: str, kind: str) -> None:
    for spec in (text, f"{kind}:{text}", f"{kind}:rate={text}", f"{kind}:at={text}:ms={text}"):
        try:
            fault = parse(spec)
        except UsageError as error:
            assert repr(spec) in str(error)
        else:
            assert fault.kind in KINDS


def _struck(fault: Fault, packets: int, step: int = 256) -> list[int]:
    """The packets that the fault strikes, asked for in pieces of a size."""
    schedule = Schedule(fault, Fraction(256), Random("when"), Random("what"))
    found, at = [], 0
    while at < packets:
        limit = min(at + step, packets)
        first = schedule.next_struck(at, at, limit)
        if first < limit:
            schedule.strike(first)
            found.append(first)
            limit = first + 1
        at = limit
    return found


def test_every_strikes_each_nth_packet() -> None:
    assert _struck(parse("lost:every=10"), 45) == [9, 19, 29, 39]


def test_a_burst_strikes_packets_in_a_row() -> None:
    assert _struck(parse("lost:every=10:burst=3"), 32) == [9, 10, 11, 19, 20, 21, 29, 30, 31]


def test_a_time_strikes_once() -> None:
    assert _struck(parse("lost:at=0.5"), 10_000) == [128]


def test_a_time_between_two_packets_strikes_the_later_one() -> None:
    assert _struck(parse("lost:at=0.501:burst=2"), 10_000) == [129, 130]


def test_a_rate_strikes_about_as_often_as_it_says() -> None:
    assert 1800 < len(_struck(parse("lost:rate=0.02"), 100_000)) < 2200


@pytest.mark.parametrize(
    "spec", ["lost:rate=0.03", "lost:rate=0.02:burst=5", "lost:every=7:burst=2", "lost:at=1"]
)
@pytest.mark.parametrize("step", [1, 17, 255, 4096])
def test_when_it_strikes_does_not_depend_on_how_it_is_asked(spec: str, step: int) -> None:
    assert _struck(parse(spec), 3000, step) == _struck(parse(spec), 3000)


def test_the_least_rate_costs_no_time() -> None:
    assert _struck(parse("lost:rate=1e-9"), 10_000) == []
