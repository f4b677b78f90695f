"""Bytes at their times: late once is not late for ever, and what is due together goes together."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from kit.core.stats import median
from kit.eeg.sending.pacing import Pace, paced
from kit.eeg.sending.passages import Passage, Sending, Unplugged

MS = 1_000_000


def _passages(*ready_ms: int) -> list[Passage]:
    return [Sending(ms * MS, bytes([number])) for number, ms in enumerate(ready_ms)]


def test_what_is_due_at_once_goes_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = 7 * MS

    def sleep(seconds: float) -> None:
        nonlocal now_ns
        now_ns += round(seconds * 1e9)

    monkeypatch.setattr(time, "monotonic_ns", lambda: now_ns)
    monkeypatch.setattr(time, "sleep", sleep)
    assert list(paced(_passages(0, 5, 5, 5, 9), Pace(Fraction(1)))) == [b"\0", b"\1\2\3", b"\4"]


def test_a_reader_that_was_slow_gets_all_that_is_due_and_then_what_comes_in_its_time() -> None:
    pieces = paced(_passages(*range(0, 60, 10)), Pace(Fraction(1)))
    began_s = time.monotonic()
    assert next(pieces) == b"\0"
    time.sleep(0.025)
    due = next(pieces)
    assert due.startswith(b"\1\2")
    assert due + b"".join(pieces) == b"\1\2\3\4\5"
    assert time.monotonic() - began_s >= 0.049


def test_twenty_times_as_quick_takes_a_twentieth_of_the_time() -> None:
    began_s = time.monotonic()
    list(paced(_passages(0, 2000), Pace(Fraction(20))))
    assert 0.1 <= time.monotonic() - began_s < 1.9


def test_as_quick_as_it_goes_nothing_is_waited_for() -> None:
    began_s = time.monotonic()
    assert list(paced(_passages(0, 10_000, 20_000), Pace(None))) == [b"\0\1\2"]
    assert time.monotonic() - began_s < 5


def test_what_came_before_the_device_went_goes_out_before() -> None:
    gone = Unplugged(5 * MS, None)
    assert list(paced([*_passages(0, 5), gone], Pace(None))) == [b"\0\1", gone]


def test_packets_are_never_early_and_not_later_and_later() -> None:
    pace, late_ms = Pace(Fraction(1)), []
    for ready_ns in range(0, 400 * MS, 4 * MS):
        assert list(pace.wait(ready_ns)) == []
        late_ms.append(-1000 * pace.remaining_s(ready_ns))
    assert min(late_ms) >= 0
    assert median(late_ms[-20:]) < 50
