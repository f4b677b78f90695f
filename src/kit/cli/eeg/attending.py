"""A capture that nobody sees: the wish to stop it, a device that is awaited, and one that says nothing."""

from __future__ import annotations

from kit.cli.eeg.endings import StopSignal
from kit.core.output import Output
from kit.eeg.batch import Batch
from kit.eeg.notes import Watch
from kit.eeg.reading import Stream


class Attendance:
    """A sink that tells standard error, and stops the stream when a signal came."""

    def __init__(self, stream: Stream, baud: int, stop: StopSignal, output: Output) -> None:
        self._stream = stream
        self._stop = stop
        self._output = output
        self._watch = Watch(stream.name, baud)
        self._waiting_for: str | None = None

    def take(self, _batch: Batch) -> None:
        stream = self._stream
        if self._stop.number:
            stream.stop()
        waiting_for = stream.waiting_for
        if waiting_for != self._waiting_for:
            self._say(f"waiting: {waiting_for}" if waiting_for else f"{stream.name!r} is there")
            self._waiting_for = waiting_for
        if stream.live and not waiting_for and not stream.tally.packets:
            remark = self._watch.look(stream.now_us, stream.received)
            if remark:
                self._say(remark)

    def close(self, _reason: str) -> None:
        pass

    def _say(self, text: str) -> None:
        self._output.note(f"kit: {text}")
