"""What every source of bytes keeps to, and the one loop in which the live ones wait.

A live source sleeps in the kernel until bytes are there, reads what is there with one call and looks at both
clocks right after it. It never waits longer than `TICK_MS`: then it gives an empty chunk, so that whoever
consumes it can look at the clock, and a signal that came right before the wait is not overlooked.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from kit.core.errors import Unavailable
from kit.eeg.records import Chunk, Gone

TICK_MS = 250
# More than any driver holds: a tty has 4 KiB, a socket may have more.
READ_SIZE = 64 * 1024


class Source(Protocol):
    """Where bytes come from; `live` if its chunks have times."""

    @property
    def name(self) -> str:
        """What the user calls it, or what was chosen for him."""

    @property
    def live(self) -> bool:
        """Do the bytes arrive now, so that the time of a chunk is the time of its bytes?"""

    def chunks(self) -> Iterator[Chunk | Gone]:
        """What is read, until the end of the input; an empty chunk where nothing came for a while."""

    def close(self) -> None:
        """Let go of it; a second time does nothing."""


class NotThere(Unavailable):
    """The device or its server is not there, and may yet come."""


class DeviceGone(Unavailable):
    """The device was unplugged, or its other end was closed, while it was read."""


def stamped(data: bytes) -> Chunk:
    """What has been read right now."""
    return Chunk(data, time.monotonic_ns(), time.time_ns())


def gone(name: str, error: OSError | None = None) -> DeviceGone:
    """The end of a device that has none."""
    why = f" ({error.strerror.lower()})" if error and error.strerror else ""
    return DeviceGone(f"{name!r}: the device is gone{why}", hint="--reconnect waits until it is back")


def live_chunks(name: str, descriptor: int, read: Callable[[], bytes]) -> Iterator[Chunk]:
    """What `read` gives whenever the descriptor has something; raises DeviceGone at its end."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while True:
        data = b""
        if poll.poll(TICK_MS):
            try:
                data = read()
            except BlockingIOError:
                pass  # somebody else read it
            except OSError as error:
                raise gone(name, error) from None
            else:
                if not data:
                    raise gone(name)
        yield stamped(data)
