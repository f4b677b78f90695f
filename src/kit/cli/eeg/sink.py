"""Where the bytes of a result go: standard output, each piece written before the next one is made."""

from __future__ import annotations

import errno
import os
import select
import sys

from kit.core.errors import Unavailable


class CannotWrite(Unavailable):
    """What takes the result takes no more of it; `written` bytes of the last piece it has."""

    def __init__(self, message: str, written: int) -> None:
        super().__init__(message)
        self.written = written


class Sink:
    """A descriptor; nothing stays in a buffer, so that a reader sees at once what there is."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        """All of it; raises CannotWrite, or BrokenPipeError where the reader left."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                self._await()
            except BrokenPipeError:
                raise
            except OSError as error:
                raise CannotWrite(_why(error), len(data) - len(left)) from None

    def _await(self) -> None:
        """Somebody made the descriptor, which several programs may share, one that does not wait."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll()


def standard_output() -> Sink:
    """The result's place; raises Unavailable where the caller closed it."""
    if sys.stdout is None:
        raise Unavailable("standard output is closed")
    sys.stdout.flush()
    return Sink(sys.stdout.fileno())


def _why(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "no space left to write the result"
    return f"cannot write the result: {(error.strerror or 'failed').lower()}"
