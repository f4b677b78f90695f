"""`sim:`, a simulated device as a source: chunks when a serial adapter would hand them over."""

from __future__ import annotations

import time
from collections.abc import Iterator

from kit.eeg.records import Chunk, Gone
from kit.eeg.sending.pacing import Pace, paced
from kit.eeg.sending.passages import Unplugged
from kit.eeg.simulator.simulation import simulate
from kit.eeg.simulator.spelling import read_source
from kit.eeg.simulator.wish import Wish
from kit.eeg.sources.source import DeviceGone, stamped


class SimulatedSource:
    """Chunks of a simulated device. As quick as it goes (`speed=max`) it is like a file, and has no times."""

    def __init__(self, name: str, wish: Wish, reconnect: bool) -> None:
        self.name = name
        self.live = wish.speed is not None
        self._wish = wish
        self._reconnect = reconnect
        self._simulation = simulate(wish)
        self._closed = False

    def chunks(self) -> Iterator[Chunk | Gone]:
        """Until its count or duration is reached; raises DeviceGone when it is unplugged."""
        pace = Pace(self._wish.speed)
        for passage in paced(self._simulation.line.passages(self._wish.block), pace):
            if self._closed:
                return
            if isinstance(passage, Unplugged):
                yield from self._away(passage, pace)
            else:
                self._simulation.ledger.sent(passage)
                yield stamped(passage) if self.live else Chunk(passage)

    def close(self) -> None:
        """No more chunks."""
        self._closed = True

    def _away(self, passage: Unplugged, pace: Pace) -> Iterator[Chunk | Gone]:
        reason = f"{self.name!r}: the simulated device was unplugged"
        if not self._reconnect or passage.back_ns is None:
            raise DeviceGone(reason, hint="--reconnect waits until it is back" if passage.back_ns else None)
        yield Gone(reason, time.monotonic_ns(), time.time_ns())
        for nothing in pace.wait(passage.back_ns):
            yield stamped(nothing)


def open_simulated(spec: str, *, reconnect: bool = False) -> SimulatedSource:
    """The source that `sim:…` names; raises UsageError."""
    return SimulatedSource(spec, read_source(spec), reconnect)
