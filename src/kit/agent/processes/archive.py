"""The supervisor's end of the audit log: empties every process's pipe, and has the lines written.

While much goes on, pipes are emptied at intervals: a wake-up for each record would cost more than the record.
Where the log is strict, they are emptied at once, since somebody waits for each line.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from kit.agent.audit.act import Act
from kit.agent.audit.render import LineDecoder, json_line
from kit.agent.audit.writer import AuditWriter
from kit.agent.channels.tallies import AUDIT_FAILING, AUDIT_LOST, Row
from kit.agent.processes.loop import Loop, Timer
from kit.core.errors import ProtocolError

_INTERVAL_S = 0.02
_AT_ONCE = 256 * 1024

# So many of this process's records are written, and the log works.
Tell = Callable[[int, bool], None]


@dataclass
class _Source:
    """A pipe; `marks` says for each batch how many of its records stand before which line."""

    pipe: int
    tell: Tell
    nonsense: Callable[[], None]
    lines: LineDecoder = field(default_factory=LineDecoder)
    taken: int = 0
    settled: int = 0  # records of it that are written
    marks: deque[tuple[int, int]] = field(default_factory=deque)
    resting: bool = False
    over: bool = False  # nothing more is taken from it


class Archive:
    """Pipes in, lines out."""

    def __init__(self, loop: Loop, writer: AuditWriter, strict: bool, row: Row) -> None:
        self._loop, self._writer, self._strict, self._cells = loop, writer, strict, row.cells
        self._sources: dict[int, _Source] = {}
        self._retry: Timer | None = None
        self._working = True

    def add(self, pipe: int, tell: Tell, nonsense: Callable[[], None]) -> None:
        """Empty this pipe from now on; `nonsense` is called if what comes through it is no record."""
        os.set_blocking(pipe, False)
        source = _Source(pipe, tell, nonsense)
        self._sources[pipe] = source
        self._loop.watch(pipe, lambda: self._ready(source))
        if self._strict and not self._working:
            # A process that begins takes the log for one that works, and would wait for what is not written.
            tell(0, False)

    def remove(self, pipe: int) -> None:
        """Its process ended; what it said before that still counts."""
        source = self._sources[pipe]
        while self._read(source):
            pass
        self._loop.unwatch(pipe)
        os.close(pipe)
        del self._sources[pipe]
        self._flush()

    def record(self, act: Act) -> None:
        """An act of the supervisor itself."""
        self._writer.take([json_line(act)])
        self._flush()

    def reopen(self) -> None:
        """The log's file may have been renamed; raises OSError."""
        self._writer.reopen()
        self._flush()

    def end(self) -> None:
        """Everything that came in is written, if that is possible."""
        for source in tuple(self._sources.values()):
            while self._read(source):
                pass
        self._flush()

    def _ready(self, source: _Source) -> None:
        if self._strict and self._writer.full:
            self._rest(source)
            return
        self._read(source)
        self._flush()
        if not self._strict and not source.over:
            self._rest(source)

    def _rest(self, source: _Source) -> None:
        """Look again in a while; the pipe has room for what comes until then."""
        if self._sources.get(source.pipe) is source and not source.resting:
            source.resting = True
            self._loop.unwatch(source.pipe)
            self._loop.after(_INTERVAL_S, lambda: self._wake(source))

    def _wake(self, source: _Source) -> None:
        source.resting = False
        # Another worker's pipe may have its number by now.
        if self._sources.get(source.pipe) is source:
            self._loop.watch(source.pipe, lambda: self._ready(source))

    def _read(self, source: _Source) -> bool:
        """Was there something?"""
        if source.over:
            return False
        try:
            data = os.read(source.pipe, _AT_ONCE)
        except BlockingIOError:
            return False
        if not data:
            self._end(source)
            return False
        lines: list[bytes] = []
        try:
            lines.extend(source.lines.feed(data))
        except ProtocolError:
            self._end(source)
            source.nonsense()
        source.taken += len(lines)
        end = self._writer.take(lines)
        if self._strict:
            source.marks.append((end, source.taken))
        return True

    def _end(self, source: _Source) -> None:
        """Its process has closed it, or says what no process of the agent's says."""
        source.over = True
        self._loop.unwatch(source.pipe)

    def _flush(self) -> None:
        now_s = time.monotonic()
        written = self._writer.flush(now_s)
        changed, self._working = self._working != self._writer.working, self._writer.working
        self._cells[AUDIT_FAILING], self._cells[AUDIT_LOST] = not self._working, self._writer.lost
        for source in self._sources.values():
            self._settle(source, written, changed)
        wait_s = self._writer.until_next_try_s(now_s)
        if wait_s is not None and not self._retry:
            self._retry = self._loop.after(wait_s, self._again)

    def _settle(self, source: _Source, written: int, changed: bool) -> None:
        """Tell the process how many of its records are written."""
        before = source.settled
        while source.marks and source.marks[0][0] <= written:
            source.settled = source.marks.popleft()[1]
        if self._strict and (changed or source.settled != before):
            source.tell(source.settled, self._working)

    def _again(self) -> None:
        self._retry = None
        self._flush()
