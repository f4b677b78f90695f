"""A process's way into the audit log: one record an act, in a pipe that the supervisor empties.

A record is in the pipe before the act is answered; if the pipe is full, the process waits. A strict recorder
also keeps count, so that an answer can wait until its record is written.
"""

from __future__ import annotations

import os

from kit.agent.audit.act import Act
from kit.agent.audit.codec import encode


class Recorder:
    """Writes records to a pipe; to none if there is no audit log."""

    def __init__(self, pipe: int | None, *, strict: bool = False) -> None:
        self._pipe, self._strict = pipe, strict
        self.sent = self.written = 0
        self._writes = True

    @property
    def working(self) -> bool:
        """May a key be used now?"""
        return self._writes or not self._strict

    @property
    def unsettled(self) -> bool:
        """Is a record not written yet for which an answer has to wait?"""
        return self._strict and self.sent > self.written

    def settle(self, written: int, working: bool) -> None:
        """The supervisor's word."""
        self.written, self._writes = written, working

    def record(self, act: Act) -> None:
        """One record, whole."""
        if self._pipe is not None:
            os.write(self._pipe, encode(act))
            self.sent += 1
