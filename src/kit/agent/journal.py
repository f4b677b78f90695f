"""The agent's log: one line an event, with names and numbers, never with content."""

from __future__ import annotations

import os
import select
import time

from kit.core.errors import Unavailable

# What a pipe takes at once without blocking (PIPE_BUF); a longer line is cut.
_LINE_LIMIT = 4096
# Of each event: a hostile client must not fill the disk (a line for each of its attempts is 10 MB/s), nor
# hide other events by one.
_LINES_A_SECOND = 50
# A worker that was taken over keeps to no limit of its own.
_FOREIGN_LINES_A_SECOND = 500


class Journal:
    """Writes `time kit-agent: event name=value …`; where nobody reads, or too fast, lines are left out."""

    def __init__(self, descriptor: int = 2, path: str = "") -> None:
        self._descriptor, self._path = descriptor, path
        self._room = select.poll()
        self._room.register(descriptor, select.POLLOUT)
        self._second = self._left_out = self._foreign = 0
        self._lines: dict[str, int] = {}

    @classmethod
    def open(cls, path: str) -> Journal:
        """To the end of this file, or to standard error; raises Unavailable."""
        if not path:
            return cls()
        try:
            return cls(_open(path), path)
        except OSError as error:
            why = (error.strerror or "failed").lower()
            raise Unavailable(f"cannot open the log {path!r}: {why}") from None

    def reopen(self) -> None:
        """Go to what the path names now, as after a rotation; raises OSError, and then nothing changes."""
        if self._path:
            opened = _open(self._path)
            os.dup2(opened, self._descriptor, inheritable=False)
            os.close(opened)

    def line(self, line: bytes) -> None:
        """A line that another process of the agent wrote; what a terminal might obey is left out of it."""
        self._begin_second(time.time())
        self._foreign += 1
        if self._foreign > _FOREIGN_LINES_A_SECOND:
            self._left_out += 1
            return
        self._put(bytes(octet if 0x20 <= octet < 0x7F else 0x3F for octet in line))

    def event(self, event: str, **fields: object) -> None:
        """One line; texts are quoted, so that a key's name cannot forge another line."""
        now_s = time.time()
        self._begin_second(now_s)
        self._lines[event] = self._lines.get(event, 0) + 1
        if self._lines[event] > _LINES_A_SECOND:
            self._left_out += 1
            return
        self._write(now_s, event, fields)

    def _begin_second(self, now_s: float) -> None:
        """Say what was left out in an earlier one."""
        if int(now_s) == self._second:
            return
        self._second, self._lines, self._foreign = int(now_s), {}, 0
        missed, self._left_out = self._left_out, 0
        if missed:
            self._write(now_s, "left-out", {"lines": missed})

    def _write(self, now_s: float, event: str, fields: dict[str, object]) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s))
        words = [f"{name}={_word(value)}" for name, value in fields.items()]
        line = " ".join([stamp, "kit-agent:", event, *words]).encode()
        self._put(line)

    def _put(self, line: bytes) -> None:
        ready = self._room.poll(0)
        try:
            if ready and ready[0][1] & select.POLLOUT:
                os.write(self._descriptor, line[: _LINE_LIMIT - 1] + b"\n")
                return
        except OSError:
            pass  # a full disk, a reader that left: the agent goes on
        self._left_out += 1


def _open(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY
    return os.open(path, flags, 0o600)


def _word(value: object) -> str:
    return ascii(value) if isinstance(value, str) else str(value)
