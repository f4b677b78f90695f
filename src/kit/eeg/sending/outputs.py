"""Where a device is plugged in: standard output here, `terminal` and `server` in their modules.

A real line waits for nobody: what is not read in time is lost. Only standard output, whose reader wants all
of it, and a device that runs as quick as it goes and so has no time that it could miss, wait for the reader.
"""

from __future__ import annotations

import os
import select
from typing import Protocol

from kit.core.waiting import await_ready

# A pipe that is writable takes this much without blocking (pipe(7), PIPE_BUF).
_PIPE_WRITE = 4096


class Output(Protocol):
    """A place for bytes."""

    def plug(self) -> None:
        """The device is there, from now on."""

    def unplug(self) -> None:
        """The device is gone; a second time does nothing."""

    def wait(self) -> None:
        """Until there is room, if this place waits for its reader at all."""

    def write(self, data: bytes) -> int:
        """How many of the bytes went out, 0 where none fits; never blocks after `wait`.

        No bytes are a moment to look around.
        """

    def drain(self) -> None:
        """The device sends no more for now: let a reader have what is on its way."""


class StandardOutput:
    """A pipe, a file, a terminal; it never loses anything, and it never comes back."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def plug(self) -> None: ...

    def unplug(self) -> None: ...

    def wait(self) -> None:
        await_writable(self._descriptor)

    def write(self, data: bytes) -> int:
        """Some of it; raises BrokenPipeError when the reader has gone."""
        return os.write(self._descriptor, data[:_PIPE_WRITE]) if data else 0

    def drain(self) -> None: ...


def await_writable(descriptor: int) -> None:
    """Until there is room, or the other end is gone; awake now and then, so that no signal is overlooked."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    await_ready(poll)
