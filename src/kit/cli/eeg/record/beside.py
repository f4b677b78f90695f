"""What 'kit eeg record' does beside recording: it shows, streams and watches the same capture."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from kit.cli.eeg.capturing import CaptureWish
from kit.cli.eeg.endings import StopSignal
from kit.cli.eeg.record.recordings import Recordings
from kit.cli.eeg.record.wish import Beside
from kit.cli.eeg.streaming import tell_opened
from kit.cli.eeg.view.terminal import show
from kit.cli.eeg.view.wish import ViewWish
from kit.cli.eeg.watch.watching import make_watcher, read_conditions
from kit.core.errors import UsageError
from kit.core.output import Output
from kit.eeg.feeding import Feeding
from kit.eeg.notes import Watch
from kit.eeg.streaming import Opened, OutletWish, make_outlet
from kit.eeg.viewing.scene import Scene
from kit.eeg.viewing.stage import Stage
from kit.eeg.viewing.terminal import check
from kit.eeg.watching.events import Crossing, Event
from kit.eeg.watching.telling import words


def check_beside(beside: Beside, output: Output) -> None:
    """Raise UsageError for what cannot be, before anything is opened."""
    read_conditions(beside.watch)
    if beside.watch.tone and not beside.watch.player and output.as_json:
        raise UsageError("the tone goes to standard output, and so does --json", hint="add --player")
    if beside.view:
        check(os.environ, sys.stdout.isatty(), plain=False)


def feed_beside(feeding: Feeding, capture: CaptureWish, beside: Beside, output: Output) -> None:
    """Let the capture stream, and be watched; what is found becomes a mark in the recording."""
    told = _silent if beside.view else _told(output)
    if beside.stream:
        feeding.add(make_outlet(feeding.stream, OutletWish(scale=capture.scale), told))
    if beside.watch.conditions:

        def found(event: Event) -> None:
            if isinstance(event, Crossing) and event.on:
                feeding.mark(event.condition, event.began_us)
                if not beside.view and not output.as_json:
                    output.note(f"kit: {words(event)}")

        feeding.add(make_watcher(beside.watch, feeding.stream, output, show=found))


def show_beside(
    feeding: Feeding, capture: CaptureWish, recordings: Recordings, stop: StopSignal, output: Output
) -> None:
    """Start the feeding, and show it until the end. Raises what ended it."""
    wish = ViewWish()
    scene = Scene(feeding.stream.dating.rate_hz, capture.scale, wish.settings(os.environ))
    scene.recording = recordings.recorders[0].path.name
    stage = Stage(scene)
    feeding.add(stage)
    watch = Watch(feeding.stream.name, capture.baud)
    show(feeding, stage, wish, stop, watch, output, recordings.begin_or_end)


def _told(output: Output) -> Callable[[Opened], None]:
    return lambda opened: tell_opened(opened, output)


def _silent(_opened: Opened) -> None:
    """Nothing is to be written over the picture."""
