"""A process's way into the audit log: one record an act, in a pipe that the supervisor empties.

The records are in the pipe before their acts are answered; if the pipe is full, the process waits. A strict
recorder also keeps count, so that an answer can wait until its record is written.
"""

from __future__ import annotations

import os

from kit.agent.audit.act import Act
from kit.agent.audit.codec import encode


class Recorder:
    """Writes records to a pipe; to none if there is no audit log."""

    def __init__(self, pipe: int | None, *, strict: bool = False) -> None:
        self._pipe, self._strict = pipe, strict
        self._records: list[bytes] = []
        self.recorded = 0  # how many records there are, those in the pipe and those kept
        self.written = 0
        self._writes = True

    @property
    def working(self) -> bool:
        """May a key be used now?"""
        return self._writes or not self._strict

    def unsettled(self, record: int) -> bool:
        """Is the record of this number not written yet, and an answer has to wait for it?"""
        return self._strict and record > self.written

    def settle(self, written: int, working: bool) -> None:
        """The supervisor's word."""
        self.written, self._writes = written, working

    def record(self, act: Act) -> None:
        """Keep one record until `flush`."""
        if self._pipe is not None:
            self._records.append(encode(act))
            self.recorded += 1

    def flush(self) -> None:
        """All of them into the pipe."""
        if self._pipe is None or not self._records:
            return
        data = b"".join(self._records)
        self._records.clear()
        while data:
            # A signal may end a write in its middle.
            data = data[os.write(self._pipe, data) :]
