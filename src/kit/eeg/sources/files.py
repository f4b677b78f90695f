"""Bytes without times: a file, a FIFO, standard input.

A file is read in big pieces to its end; what a pipe holds is passed on at once, and an empty chunk comes
where it holds nothing for a while. A pipe's times would be those of the program before it, so it has none.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator

from kit.core.errors import KitError, NotPermitted, Unavailable, UsageError
from kit.eeg.records import Chunk, Gone
from kit.eeg.sources.source import TICK_MS

# Large enough that Python's share of the work is small, small enough that what is made of it stays in the
# processor's cache, and in the process: larger ones are given back to the system and asked for each time.
_PIECE = 64 * 1024
_STANDARD_INPUT = 0


class FileSource:
    """A descriptor that is read to its end."""

    live = False

    def __init__(self, name: str, descriptor: int, *, owned: bool = True) -> None:
        self.name = name
        self._descriptor = descriptor
        self._owned = owned

    @property
    def recorded(self) -> bool:
        """Is it all there already? A pipe may be as live as what writes to it."""
        return stat.S_ISREG(os.fstat(self._descriptor).st_mode)

    def chunks(self) -> Iterator[Chunk | Gone]:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        while True:
            # A FIFO that nobody writes to yet is silent here, and would look ended to a read.
            if not poll.poll(TICK_MS):
                yield Chunk(b"")
                continue
            try:
                data = os.read(self._descriptor, _PIECE)
            except BlockingIOError:
                continue  # somebody else read it
            except OSError as error:
                raise _unreadable(self.name, error) from None
            if not data:
                return
            yield Chunk(data)

    def close(self) -> None:
        if self._owned:
            self._owned = False
            os.close(self._descriptor)


def open_file(path: str) -> FileSource:
    """A regular file or a FIFO."""
    try:
        # Opening a FIFO would wait for its writer, where nobody could look at a clock.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(path, error) from None
    if _is_empty(descriptor):
        os.close(descriptor)
        raise Unavailable(f"{path!r} is empty")
    return FileSource(path, descriptor)


def standard_input() -> FileSource:
    """What is piped in; raises UsageError where there is nothing but a terminal."""
    hint = "pipe bytes into it, or name a file or a device ('kit eeg ports' lists them)"
    try:
        os.fstat(_STANDARD_INPUT)
    except OSError:
        raise UsageError("standard input is closed", hint=hint) from None
    if os.isatty(_STANDARD_INPUT):
        raise UsageError("standard input is a terminal", hint=hint)
    return FileSource("standard input", _STANDARD_INPUT, owned=False)


def _is_empty(descriptor: int) -> bool:
    """Is it a file that ends where it begins? The size alone does not say: those of /proc have none."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size:
        return False
    try:
        return not os.pread(descriptor, 1, 0)
    except OSError:
        return False  # the first read says it better


def _unreadable(name: str, error: OSError) -> KitError:
    if isinstance(error, PermissionError):
        return NotPermitted(f"no permission to read {name!r}")
    return Unavailable(f"cannot read {name!r}: {(error.strerror or 'failed').lower()}")
