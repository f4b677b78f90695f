"""How a command ends that runs until somebody stops it: in good order, with what it has."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_ASKING = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Whether a signal came, and which."""

    def __init__(self) -> None:
        self.number: int | None = None

    @property
    def exit_status(self) -> int:
        """The shell's 128 and the signal's number; 0 if none came."""
        return 128 + self.number if self.number else 0


@contextmanager
def stopped_by_signals() -> Iterator[StopSignal]:
    """The first Ctrl-C or SIGTERM asks for an end in good order, the next one ends at once.

    A line that is being written is completed. A reader that takes nothing can keep that from happening: then
    the second signal helps. A signal that whoever started kit has ignored stays ignored.
    """
    stop = StopSignal()

    def ask(number: int, _frame: object) -> None:
        if stop.number:
            sys.exit(128 + number)
        stop.number = number

    before = {number: signal.getsignal(number) for number in _ASKING}
    changed = [number for number in _ASKING if before[number] != signal.SIG_IGN]
    for number in changed:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number in changed:
            signal.signal(number, before[number])
