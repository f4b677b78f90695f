"""The audit log's lines between the workers' pipes and the sink, which may fail for a while. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from kit.agent.audit.render import lost_line

# How long a sink that failed is left alone, and one that is only full for the moment.
_BROKEN_S, _FULL_S = 0.5, 0.005
# Of the lines that wait: 100,000 common ones have 20 MB, and a worker that was taken over can make each 4 KB.
_WAITING_BYTES = 64 * 1024 * 1024
_AT_ONCE = 1024


class Sink(Protocol):
    """One place for lines, which are written in order and whole."""

    def write(self, lines: Sequence[bytes]) -> int:
        """How many of the lines are out, at least one.

        The OSError that stopped it is raised by the call that gets not one out; it is a BlockingIOError if
        that may pass in a moment.
        """

    def reopen(self) -> None:
        """Go to what the place's name means now; raises OSError, and then all stays as it was."""

    def close(self) -> None: ...


class AuditWriter:
    """Hands lines to the sink in order, and keeps those which it does not take.

    Each line is counted once: taken is written and waiting and lost. A strict writer loses none, so its
    owner stops reading pipes while it is `full`; another one drops the oldest and says so in the log.
    """

    def __init__(self, sink: Sink, strict: bool, limit_lines: int = 100_000) -> None:
        self._sink, self._strict, self._limit = sink, strict, limit_lines
        self._lines: deque[bytes] = deque()
        self._bytes = self._taken = self._written = self._untold = 0
        self._last_lost = b""
        self._failed_s: float | None = None
        self._next_try_s = 0.0
        self.lost = 0
        self.trouble = ""

    @property
    def working(self) -> bool:
        """Does the sink take lines, as far as is known? `trouble` says why not."""
        return not self.trouble

    @property
    def waiting(self) -> int:
        """How many lines the sink has not taken."""
        return len(self._lines)

    @property
    def full(self) -> bool:
        """Do as many lines wait as may?"""
        return len(self._lines) >= self._limit or self._bytes >= _WAITING_BYTES

    def take(self, lines: Iterable[bytes]) -> int:
        """Keep the lines until `flush`; how many were taken in all, these included."""
        lines = list(lines)
        self._lines += lines
        self._taken += len(lines)
        self._bytes += sum(map(len, lines))
        if not self._strict:
            self._drop()
        return self._taken

    def flush(self, now_s: float) -> int:
        """Write what waits, if it is time to try; how many were written in all. By the monotonic clock."""
        if now_s < self._next_try_s:
            return self._written
        try:
            while self._lines or self._untold:
                self._write_some()
                self._failed_s, self.trouble = None, ""
        except OSError as error:
            self._note(error, now_s)
        return self._written

    def until_next_try_s(self, now_s: float) -> float | None:
        """How long until `flush` has something to do; None for as long as nothing more is taken."""
        return max(0.0, self._next_try_s - now_s) if self._lines or self._untold else None

    def reopen(self) -> None:
        """Let the sink begin a new file, and try it with the next flush; raises OSError like the sink."""
        self._next_try_s = 0.0
        self._sink.reopen()

    def _write_some(self) -> None:
        if self._untold:
            self._sink.write([lost_line(self._last_lost, self._untold)])
            self._untold = 0
        some = list(islice(self._lines, _AT_ONCE))
        done = self._sink.write(some)
        for _ in range(done):
            self._bytes -= len(self._lines.popleft())
        self._written += done

    def _drop(self) -> None:
        while len(self._lines) > self._limit or self._bytes > _WAITING_BYTES:
            self._last_lost = self._lines.popleft()
            self._bytes -= len(self._last_lost)
            self.lost += 1
            self._untold += 1

    def _note(self, error: OSError, now_s: float) -> None:
        """When to try again; a sink that is full counts as one that fails only if it stays so."""
        full = isinstance(error, BlockingIOError)
        if self._failed_s is None:
            self._failed_s = now_s
        if not full or now_s - self._failed_s >= _BROKEN_S:
            self.trouble = (error.strerror or "failed").lower()
        self._next_try_s = now_s + (_FULL_S if full else _BROKEN_S)
