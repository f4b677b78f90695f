"""What watching costs, how late it is, and how often it is wrong: signals with known events, and noise."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

from kit.core.stats import median, percentile
from kit.eeg.capture import Capture
from kit.eeg.records import Chunk
from kit.eeg.signals import Block, ButtonChange, Signal, Signals
from kit.eeg.simulator.wish import Wish
from kit.eeg.watching.conditions import Rules, read
from kit.eeg.watching.engine import Engine, Wanted
from kit.eeg.watching.events import Blinked, Crossing, Event
from tests.bench.goal import Goal, Shown
from tests.eeg.simulator.sending import Sent, send

_RATE = 256
_SEEDS = range(1, 9)
_SECONDS = 60
_BATCH = 10  # packets in a read of a live line
_HOUR_S = 3600
_SIX = ("alpha{}", "fast_alpha{}", "rel_theta{} / rel_alpha{}", "ch{}")


def watch() -> Iterator[Goal | Shown]:
    """A table of figures, each with its goal where there is one."""
    yield from _costs()
    yield from _latencies()
    yield from _false_alarms()


def _costs() -> Iterator[Goal | Shown]:
    """The share of a core that six channels at 256 Hz take, decoding included."""
    sent = send(wish=Wish(seed=1), count=_SECONDS * _RATE)
    decoding = _share(sent, Wanted())
    yield Shown("watch, CPU of decoding alone", f"{decoding:.2f} % of a core")
    for text in _SIX:
        condition = read(f"max({', '.join(text.format(n, n) for n in range(1, 7))}) > 1000000")
        share = _share(sent, Wanted([condition]))
        yield Goal(
            f"watch, CPU of {text.format('N', 'N')} on six channels", "of a core", share, 6, False, "%"
        )
    share = _share(sent, Wanted(blinks=dict.fromkeys(range(1, 7))))
    yield Goal("watch, CPU of blinks on six channels", "of a core", share, 6, False, "%")


def _share(sent: Sent, wanted: Wanted) -> float:
    begin = time.process_time()
    _events(sent, wanted)
    return 100 * (time.process_time() - begin) / _SECONDS


def _events(sent: Sent, wanted: Wanted) -> list[Event]:
    engine, signals, capture = Engine(wanted, _RATE), Signals(), Capture("p2")
    size, events = 17 * _BATCH, []
    for at in range(0, len(sent.data), size):
        events += engine.take(signals.take(capture.feed(Chunk(sent.data[at : at + size]))))
    return events


def _latencies() -> Iterator[Goal | Shown]:
    """By the time of the samples: how far the signal had gone on when an event was told."""
    conditions = ("alpha1 > 40", "fast_alpha1 > 40")
    late: dict[str, list[float]] = {name: [] for name in (*conditions, "blink", "button")}
    for seed in _SEEDS:
        sent = send(wish=Wish(seed=seed, bursts=True), count=_SECONDS * _RATE)
        wanted = Wanted([read(text) for text in conditions], blinks={1: None})
        events = _events(sent, wanted)
        for number, text in enumerate(conditions):
            begins = [
                one.sequence
                for one in events
                if isinstance(one, Crossing) and one.number == number and one.on
            ]
            late[text] += _behind(_true(sent, "burst"), begins)
        seen = [round(one.seen_us * _RATE / 1e6) for one in events if isinstance(one, Blinked)]
        late["blink"] += _behind([at + _RATE * 3 // 20 for at in _true(sent, "blink")], seen)
        pressed = [one.sequence for one in events if isinstance(one, ButtonChange) and one.pressed]
        late["button"] += _behind(_true(sent, "press"), pressed)
    for (name, found), goal in zip(late.items(), (1.2, 0.5, 0.15, 0.001), strict=True):
        figures = f"{len(found)} events, p99 {percentile(found, 99):.3f} s, median"
        yield Goal(f"watch, latency of {name}", figures, median(found), goal, False, "s")


def _true(sent: Sent, event: str) -> list[int]:
    end = (_SECONDS - 2) * _RATE  # what comes later need not be told of
    return [one["sequence"] for one in sent.happened if one["event"] == event and one["sequence"] < end]


def _behind(true: Sequence[int], found: Sequence[int]) -> list[float]:
    """Seconds from each true event to what was found next."""
    return [(min(at for at in found if at >= begin) - begin) / _RATE for begin in true]


def _false_alarms() -> Iterator[Goal | Shown]:
    """An hour of noise in which there is nothing: each event is wrong."""
    texts = (
        "alpha1 > 40 for 0.5s",
        "fast_alpha1 > 40 for 0.5s",
        "ch1 > 60",
        "theta1 / alpha1 > p99 for 0.5s",
    )
    rules = Rules(baseline_s=60)
    conditions = [read(text, rules=rules) for text in texts]
    engine = Engine(Wanted(conditions, blinks={1: None}), _RATE)
    events = [event for signal in _noise() for event in engine.take([signal])]
    for number, text in enumerate(texts):
        alarms = sum(isinstance(one, Crossing) and one.on and one.number == number for one in events)
        if "p99" in text:
            yield Shown(f"watch, {text} in noise", f"{alarms} an hour, as a percentile is meant to be")
        else:
            yield Goal(f"watch, false alarms of {text}", "in noise", alarms, 1, False, "an hour")
    blinks = sum(isinstance(one, Blinked) for one in events)
    yield Goal("watch, false alarms of blinks", "in noise", blinks, 1, False, "an hour")


def _noise() -> Iterator[Signal]:
    """What wanders (a decay of a tenth of a second) and what does not, 10 µV together, and hum."""
    chance = random.Random(7)
    wandering, quiet = 0.0, [512] * _RATE
    for second in range(_HOUR_S):
        column = []
        for at in range(_RATE):
            wandering = 0.96 * wandering + chance.gauss(0, 4.5)
            column.append(512 + round(wandering + chance.gauss(0, 8) + (5, 0, -5, 0)[at * 4 * 50 // 256 % 4]))
        first = second * _RATE
        times = [(first + at) * 1_000_000 // _RATE for at in range(_RATE)]
        yield Block(first, times, (column, *[quiet] * 5), [15] * _RATE)


BENCHES: dict[str, Callable[[], Iterator[Goal | Shown]]] = {"watch": watch}
