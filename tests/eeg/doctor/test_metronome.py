"""The metronome notices when this process does not run."""

from __future__ import annotations

import random
import threading
import time

from kit.eeg.doctor.metronome import Metronome


def test_it_notices_when_it_is_kept_from_running() -> None:
    source = random.Random(1)
    numbers = [source.random() for _ in range(1_000_000)]
    with Metronome() as metronome:
        begin_ns = time.monotonic_ns()
        numbers.sort()  # one call, during which no other thread of Python runs
        end_ns = time.monotonic_ns()
    kept_us = (end_ns - begin_ns) // 1000
    assert kept_us > 40_000
    assert metronome.worst_us > kept_us / 2
    assert kept_us >= metronome.late_us(begin_ns, end_ns) > kept_us / 2
    assert metronome.late_us(begin_ns - 2 * 10**9, begin_ns - 10**9) == 0


def test_it_was_not_late_when_it_was_not_there() -> None:
    with Metronome() as metronome:
        pass
    assert metronome.late_us(0, 1) == 0


def test_it_ends_with_its_block() -> None:
    with Metronome():
        assert "metronome" in {thread.name for thread in threading.enumerate()}
    assert "metronome" not in {thread.name for thread in threading.enumerate()}
