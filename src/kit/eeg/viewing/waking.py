"""Wakes a thread that waits in poll(2), or in a toolkit's loop, from any other thread."""

from __future__ import annotations

import contextlib
import socket
from types import TracebackType
from typing import Self


class Waking:
    """`wake` makes its descriptor readable until `taken`; when it is closed nobody is woken any more."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        for end in (self._ours, self._theirs):
            end.setblocking(False)

    def fileno(self) -> int:
        """What is to be waited for."""
        return self._ours.fileno()

    def wake(self) -> None:
        """From any thread; a signal handler may, too."""
        with contextlib.suppress(OSError):  # it is full of this already, or closed
            self._theirs.send(b"\0")

    def taken(self) -> None:
        """All of what it was woken for is going to be looked at."""
        with contextlib.suppress(BlockingIOError):
            self._ours.recv(1 << 12)

    def close(self) -> None:
        """From now on nobody is woken."""
        self._theirs.close()
        self._ours.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
