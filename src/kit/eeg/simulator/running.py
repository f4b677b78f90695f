"""A simulated device that runs: what it sends goes out at its time, and what became of it into the ledger."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from kit.eeg.simulator.line import Unplugged
from kit.eeg.simulator.outputs import Output
from kit.eeg.simulator.pacing import Pace, paced
from kit.eeg.simulator.simulation import Simulation
from kit.eeg.simulator.truth import Ledger
from kit.eeg.simulator.wish import Wish


def run(simulation: Simulation, wish: Wish, output: Output) -> None:
    """Until the count or the duration is reached, or the device is unplugged for good."""
    pace = Pace(wish.speed)
    output.plug()
    for passage in paced(simulation.line.passages(wish.block), pace):
        if not isinstance(passage, Unplugged):
            _send(passage, output, simulation.ledger)
            continue
        output.drain()
        output.unplug()
        if passage.back_ns is None:
            return
        for _ in pace.wait(passage.back_ns):
            pass
        output.plug()
    output.drain()


def _send(data: bytes, output: Output, ledger: Ledger) -> None:
    """Empty data is a moment to look around."""
    while True:
        output.wait()
        with _signals_wait():
            taken = output.write(data)
            ledger.sent(data[:taken])
            data = data[taken:]
            if not taken or not data:
                ledger.dropped(len(data))
                return


@contextmanager
def _signals_wait() -> Iterator[None]:
    """What has gone out must be in the ledger before Ctrl-C ends it all: the truth is held against it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
