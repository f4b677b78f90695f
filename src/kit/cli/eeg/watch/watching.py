"""kit eeg watch: joins a capture, a watcher and what is to be done."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kit.cli.eeg.attending import Attendance
from kit.cli.eeg.capturing import CaptureWish, open_capture, tell
from kit.cli.eeg.endings import stopped_by_signals
from kit.core.errors import UsageError
from kit.core.output import Output
from kit.eeg.feeding import Feeding
from kit.eeg.reading import Stream
from kit.eeg.watching.commands import Command
from kit.eeg.watching.conditions import Condition, Rules, read
from kit.eeg.watching.engine import Engine, Wanted
from kit.eeg.watching.events import BaselineTaken, Crossing, Event
from kit.eeg.watching.expressions import Comparison, walk
from kit.eeg.watching.measuring import Settings
from kit.eeg.watching.quantities import Vocabulary
from kit.eeg.watching.sounding import Outlet, Player
from kit.eeg.watching.telling import record, words
from kit.eeg.watching.watcher import Action, Running, Showing, Watcher
from kit.eeg.watching.watcher import Outlet as Sound

# A condition is looked at eight times a second; batches that come more often would cost more.
_TOGETHER_S = 0.02
_STANDARD_ERROR = 2


@dataclass(frozen=True)
class WatchWish:
    """What is to be watched for, and what is to be done then."""

    conditions: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    bell: bool = False
    tone: bool = False
    player: str | None = None
    baseline_s: float | None = None
    hysteresis_percent: float = 10
    refractory_s: float = 2
    window_s: float = 2
    bands: tuple[tuple[str, float, float], ...] = ()
    channel: int = 1


def watch_eeg(capture: CaptureWish, wish: WatchWish, output: Output, *, shown: bool, everything: bool) -> int:
    """Watch to the end, or until a signal comes; the exit status."""
    silent = bool(wish.commands or wish.bell or wish.tone) and not shown and not output.as_json
    if wish.tone and not wish.player and (shown or output.as_json):
        raise UsageError("the tone goes to standard output, and so would what is told", hint="add --player")
    read_conditions(wish)  # what is wrong with them is told before a device is opened
    with open_capture(capture, _TOGETHER_S) as stream, stopped_by_signals() as stop:
        show = None if silent else _shower(stream, output)
        watcher = make_watcher(wish, stream, output, show=show, everything=everything)
        Feeding(stream, [watcher, Attendance(stream, capture.baud, stop, output)]).run()
        for text in watcher.unfinished:
            output.note(f"kit: {text!r}: the baseline was not complete: there was too little clean signal")
        tell(stream, output)
        return stop.exit_status


def make_watcher(
    wish: WatchWish,
    stream: Stream,
    output: Output,
    *,
    show: Callable[[Event], None] | None = None,
    everything: bool = False,
) -> Watcher:
    """A sink that watches; `show` is called with each event. Raises UsageError."""
    conditions = read_conditions(wish)
    wanted = Wanted(conditions)
    if everything or not conditions:
        wanted = Wanted(conditions, blinks={wish.channel: None}, artefacts=(wish.channel,))
    rate_hz = float(stream.dating.rate_hz)
    settings = Settings(wish.window_s)
    actions = _actions(wish, conditions, stream, output)
    if show:
        only = not everything and bool(conditions)
        actions.append(Showing(_filtered(show) if only else show))
    sound = _sound(wish, conditions, stream, output) if wish.tone else None
    return Watcher(lambda: Engine(wanted, rate_hz, stream.scale, settings), actions, rate_hz, sound)


def read_conditions(wish: WatchWish) -> list[Condition]:
    """Those of the command line; raises UsageError."""
    vocabulary = Vocabulary(channel=wish.channel)
    for band in wish.bands:
        vocabulary = vocabulary.with_band(*band)
    rules = Rules(wish.hysteresis_percent / 100, wish.refractory_s, wish.baseline_s)
    conditions = [read(text, vocabulary, rules) for text in wish.conditions]
    if wish.baseline_s is not None and not any(one.percentiles for one in conditions):
        raise UsageError("a baseline, and no percentile like p80 that it would be for")
    if (wish.commands or wish.bell or wish.tone) and not conditions:
        raise UsageError("something to do, and no condition that it is for", hint="add --when")
    if wish.player and not wish.tone:
        raise UsageError(f"a player {wish.player!r} without a tone", hint="add --tone")
    return conditions


def _actions(
    wish: WatchWish, conditions: Sequence[Condition], stream: Stream, output: Output
) -> list[Action]:
    actions: list[Action] = []
    if wish.commands:
        if len(wish.commands) not in (1, len(conditions)):
            raise UsageError(
                f"{len(wish.commands)} commands for {len(conditions)} conditions",
                hint="one --run is for all of them, or there is one for each",
            )
        # What a command prints must not get among the samples of a tone.
        stdout = _STANDARD_ERROR if wish.tone and not wish.player else None
        actions.append(
            Running(
                [
                    Command(line, _note(output), patient=stream.recorded, stdout=stdout)
                    for line in wish.commands
                ]
            )
        )
    if wish.bell:
        actions.append(Showing(_ring))
    if wish.baseline_s is not None:
        actions.append(Showing(_baseline_told(output)))
    return actions


def _sound(wish: WatchWish, conditions: Sequence[Condition], stream: Stream, output: Output) -> Sound:
    if not any(isinstance(node, Comparison) for node in walk(conditions[0].expression)):
        raise UsageError(f"{conditions[0].text!r} compares nothing that a tone could follow")
    if wish.player:
        return Player(wish.player, _note(output), patient=stream.recorded)
    if sys.stdout.isatty():
        raise UsageError(
            "--tone would send sound to a terminal",
            hint="--player 'aplay -q -t raw -f S16_LE -r 16000' plays it",
        )
    return Outlet(sys.stdout.fileno(), _note(output), patient=stream.recorded)


def _shower(stream: Stream, output: Output) -> Callable[[Event], None]:
    """Prints an event, as a record or as words behind its time."""

    def show(event: Event) -> None:
        if output.as_json:
            late_us = time.time_ns() // 1000 - event.time_us
            output.record({**record(event), "latency_ms": late_us / 1000 if stream.live else None})
        else:
            output.line(f"{_time(event.time_us, stream)}  {words(event)}")

    return show


def _time(time_us: int, stream: Stream) -> str:
    """The hour of the day, or of a recording the seconds since its begin."""
    begun_us = stream.tally.first_us
    if not stream.recorded and begun_us:
        return datetime.fromtimestamp(time_us / 1e6).strftime("%H:%M:%S.%f")[:-3]
    return f"{(time_us - (begun_us or 0)) / 1e6:9.3f} s"


def _filtered(show: Callable[[Event], None]) -> Callable[[Event], None]:
    """Only what conditions are about."""

    def shown(event: Event) -> None:
        if isinstance(event, Crossing | BaselineTaken):
            show(event)

    return shown


def _baseline_told(output: Output) -> Callable[[Event], None]:
    def told(event: Event) -> None:
        if isinstance(event, BaselineTaken):
            output.note(f"kit: the baseline is complete: {words(event)}")

    return told


def _ring(event: Event) -> None:
    if isinstance(event, Crossing) and event.on:
        with contextlib.suppress(OSError):  # nobody is there to hear it
            os.write(_STANDARD_ERROR, b"\a")


def _note(output: Output) -> Callable[[str], None]:
    return lambda text: output.note(f"kit: {text}")
