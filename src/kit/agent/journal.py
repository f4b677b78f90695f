"""The agent's log: one line an event, with names and numbers, never with content."""

from __future__ import annotations

import os
import select
import time

# What a pipe takes at once without blocking (PIPE_BUF); a longer line is cut.
_LINE_LIMIT = 4096


class Journal:
    """Writes `time event name=value …` to a descriptor; if nobody reads there, lines are lost."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._room = select.poll()
        self._room.register(descriptor, select.POLLOUT)
        self.lost = 0

    def event(self, event: str, **fields: object) -> None:
        """One line; texts are quoted, so that a key's name cannot forge another line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        words = [f"{name}={_word(value)}" for name, value in fields.items()]
        line = " ".join([stamp, "kit-agent:", event, *words]).encode()
        ready = self._room.poll(0)
        try:
            if not ready or not ready[0][1] & select.POLLOUT:
                self.lost += 1
                return
            os.write(self._descriptor, line[: _LINE_LIMIT - 1] + b"\n")
        except OSError:
            self.lost += 1


def _word(value: object) -> str:
    return ascii(value) if isinstance(value, str) else str(value)
