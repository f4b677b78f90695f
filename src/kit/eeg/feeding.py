"""One capture for many: each batch of a stream goes to every sink, in the thread that reads.

A sink takes what it is given at once. One that draws, or writes to a disk or a network, has a thread or a
loop of its own; when that is slow it leaves out pictures, never samples, and says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Protocol

from kit.core.errors import KitError
from kit.eeg.batch import Batch as Batch  # noqa: PLC0414 - who writes a sink finds it here
from kit.eeg.batch import Mark as Mark  # noqa: PLC0414
from kit.eeg.reading import Stream
from kit.eeg.records import Ended, Item
from kit.eeg.signals import Block, Signal, Signals


class Sink(Protocol):
    """What a capture feeds."""

    def take(self, batch: Batch) -> None:
        """One batch, of many a second; a KitError that it raises ends the capture."""

    def close(self, reason: str) -> None:
        """The capture ended (`reason` as in `Ended`): what is held is completed. Called once."""


class Feeding:
    """Reads a stream to its end, and feeds what it gives to sinks."""

    def __init__(self, stream: Stream, sinks: Sequence[Sink]) -> None:
        self.stream = stream
        self._sinks = list(sinks)
        self._signals = Signals(stream.dating)
        self._lock = threading.Lock()
        self._marks: list[Mark] = []
        self._leaving: list[Sink] = []
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._stopped: str | None = None

    def mark(self, text: str, time_us: int | None = None) -> None:
        """Put a mark, now if no time is given; from any thread."""
        with self._lock:
            self._marks.append(Mark(time.time_ns() // 1000 if time_us is None else time_us, text))

    def add(self, sink: Sink) -> None:
        """One more sink, from the next batch on; from any thread."""
        with self._lock:
            self._sinks.append(sink)

    def remove(self, sink: Sink) -> None:
        """Have a sink closed before the end, by the thread that feeds it; from any thread."""
        with self._lock:
            self._leaving.append(sink)

    def stop(self, reason: str = "interrupt") -> None:
        """End as soon as the source gives a sign of life; from any thread."""
        self._stopped = reason
        self.stream.stop(reason)

    def run(self) -> None:
        """To the end, in this thread. Every sink is closed; then the first error is raised."""
        reason, error = "error", None
        try:
            for items in self.stream.batches():
                self._feed(items)
            if self._marks:  # that the last batch brought
                self._feed([])
            reason = self._stopped or "end"
        except BaseException as failed:  # noqa: BLE001 - raised again, behind the sinks' closing
            error = failed
        for sink in self._now():
            try:
                sink.close(reason)
            except KitError as failed:
                error = error or failed
        if error:
            raise error

    def start(self) -> None:
        """To the end, in a thread of its own, so that this one can draw."""
        self._thread = threading.Thread(target=self._run, name="reading", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Did `start` begin what has not ended?"""
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout_s: float | None = None) -> None:
        """Await the end of what `start` began, and raise its error."""
        if self._thread:
            self._thread.join(timeout_s)
        if self._error and not self.running:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        try:
            self.run()
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody awaits the end
            self._error = error

    def _now(self) -> list[Sink]:
        with self._lock:
            return list(self._sinks)

    def _feed(self, items: Sequence[Item]) -> None:
        with self._lock:
            marks, self._marks = self._marks, []
        signals = self._signals.take(items)
        if items and isinstance(items[-1], Ended):
            marks += _recorded(self.stream.marks, signals)
        batch = Batch(items, signals, marks, time.monotonic_ns())
        for sink in self._now():
            sink.take(batch)
        self._dismiss()

    def _dismiss(self) -> None:
        with self._lock:
            leaving, self._leaving = [sink for sink in self._leaving if sink in self._sinks], []
            self._sinks = [sink for sink in self._sinks if sink not in leaving]
        for sink in leaving:
            sink.close("interrupt")


def _recorded(marks: Sequence[Mark], signals: Sequence[Signal]) -> list[Mark]:
    """Those of a file, as far as its packets go. Such a file is read as a whole, and comes in one batch."""
    blocks = [signal for signal in signals if isinstance(signal, Block) and len(signal) and not signal.late]
    if not blocks:
        return []
    begin_us, end_us = blocks[0].times_us[0], blocks[-1].times_us[-1]
    return [mark for mark in marks if begin_us <= mark.time_us <= end_us]
