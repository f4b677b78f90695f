"""The simulator's truth against what is found: every event, at its time, and none that is not there.

Blinks, presses, bursts of alpha and losses of 75 seconds, for several seeds, through the bytes of
the line and all that decodes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import pytest

from kit.eeg.capture import Capture
from kit.eeg.records import Chunk
from kit.eeg.signals import ButtonChange, Gap, Signals
from kit.eeg.simulator.wish import Wish
from kit.eeg.watching.conditions import Rules, read
from kit.eeg.watching.engine import Engine, Wanted
from kit.eeg.watching.events import Blinked, Crossing, Event
from tests.eeg.simulator.sending import Sent, send

_E = TypeVar("_E")
_RATE, _COUNT = 256, 75 * 256
_SLOW, _FAST = "alpha1 > 40 for 0.25s", "fast_alpha1 > 40 for 0.25s"


@dataclass(frozen=True)
class Watched:
    """What was sent, and what was found."""

    sent: Sent
    events: Sequence[Event]

    def of(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.events if isinstance(event, kind)]

    def true(self, event: str) -> list[tuple[int, int]]:
        """The first packet of each, and the first behind it."""
        found = (record for record in self.sent.happened if record["event"] == event)
        return [(one["sequence"], one["sequence"] + one["count"]) for one in found]


@cache
def _watched(seed: int, *faults: str) -> Watched:
    sent = send(*faults, wish=Wish(seed=seed, bursts=True), count=_COUNT)
    rules = Rules(refractory_s=0.5)
    wanted = Wanted([read(text, rules=rules) for text in (_SLOW, _FAST)], blinks={1: None})
    engine, signals, capture = Engine(wanted, _RATE), Signals(), Capture("p2")
    items = [*capture.feed(Chunk(sent.data)), *capture.end("end")]
    return Watched(sent, engine.take(signals.take(items)))


SEEDS = pytest.mark.parametrize("seed", [1, 2])


@SEEDS
def test_every_blink_is_found_soon_and_no_other(seed: int) -> None:
    watched = _watched(seed)
    true = [(begin + end) // 2 for begin, end in watched.true("blink") if end < _COUNT - _RATE]
    found = [blink for blink in watched.of(Blinked) if blink.sequence < _COUNT - _RATE]
    assert len(found) == len(true) > 10
    for blink, peak in zip(found, true, strict=True):
        assert abs(blink.sequence - peak) / _RATE < 0.1
        assert (blink.seen_us / 1e6) - peak / _RATE < 0.2


@SEEDS
@pytest.mark.parametrize(("number", "rise_s", "fall_s"), [(0, 2.0, 2.0), (1, 0.9, 0.9)])
def test_every_burst_is_found_and_no_other(seed: int, number: int, rise_s: float, fall_s: float) -> None:
    watched = _watched(seed)
    true = [(begin, end) for begin, end in watched.true("burst") if end < _COUNT - 2 * _RATE]
    found = [one for one in watched.of(Crossing) if one.number == number]
    begins = [one.sequence for one in found if one.on][: len(true)]
    ends = [one.sequence for one in found if not one.on][: len(true)]
    assert len(true) > 6
    assert len([one for one in found if one.on]) - len(true) in (0, 1)
    for (begin, end), on, off in zip(true, begins, ends, strict=True):
        assert 0 < (on - begin) / _RATE < rise_s
        assert 0 < (off - end) / _RATE < fall_s


@SEEDS
def test_every_press_is_found_at_its_packet(seed: int) -> None:
    watched = _watched(seed)
    expected = []
    for begin, end in watched.true("press"):
        expected += [(True, begin), (False, end)]
    found = [(change.pressed, change.sequence) for change in watched.of(ButtonChange)]
    assert found == [one for one in expected if one[1] < _COUNT]
    assert len(found) > 6


@SEEDS
def test_every_loss_is_found_at_its_packet_and_hides_no_other(seed: int) -> None:
    lossy, clean = _watched(seed, "lost:rate=0.0005:burst=3"), _watched(seed)
    true = [(fault["sequence"], fault["count"]) for fault in lossy.sent.faults]
    assert [(gap.sequence, gap.count) for gap in lossy.of(Gap)] == true
    assert len(true) > 5
    # A blink whose packets are missing is none; of the others none is missed.
    spared = [
        blink.sequence
        for blink in clean.of(Blinked)
        if all(abs(blink.sequence - sequence) > _RATE for sequence, _ in true)
    ]
    found = [blink.sequence for blink in lossy.of(Blinked)]
    assert all(any(abs(one - other) < _RATE // 10 for other in found) for one in spared)
    assert len(found) <= len(clean.of(Blinked))
