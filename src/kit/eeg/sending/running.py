"""A device that runs: what it sends goes out at its time, and what became of it is told."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Protocol

from kit.eeg.sending.outputs import Output
from kit.eeg.sending.pacing import Pace, paced
from kit.eeg.sending.passages import Passage, Unplugged


class Account(Protocol):
    """Who is told what became of the bytes, in their order."""

    def sent(self, data: bytes) -> None:
        """These went out."""

    def dropped(self, count: int) -> None:
        """Of the next ones so many had no room, perhaps none: nobody read in time."""


def run(passages: Iterable[Passage], speed: Fraction | None, output: Output, account: Account) -> None:
    """To the last passage, or until the device is unplugged for good."""
    pace = Pace(speed)
    output.plug()
    for passage in paced(passages, pace):
        if not isinstance(passage, Unplugged):
            _send(passage, output, account)
            continue
        output.drain()
        output.unplug()
        if passage.back_ns is None:
            return
        for _ in pace.wait(passage.back_ns):
            pass
        output.plug()
    output.drain()


def _send(data: bytes, output: Output, account: Account) -> None:
    """Empty data is a moment to look around."""
    while True:
        output.wait()
        with _signals_wait():
            taken = output.write(data)
            account.sent(data[:taken])
            data = data[taken:]
            if not taken or not data:
                account.dropped(len(data))
                return


@contextmanager
def _signals_wait() -> Iterator[None]:
    """What has gone out must be told before Ctrl-C ends it all: the simulator's truth is held against it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
