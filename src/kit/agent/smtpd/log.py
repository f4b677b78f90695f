"""The bridge's log, where smtpd's other processes write: standard error with -d, else the system's log."""

from __future__ import annotations

import contextlib
import os
import syslog

from kit.core.text import printable

_LINE_LIMIT = 1000


class Log:
    """Lines of one process; opened before it gives up its files."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._to_stderr = to_stderr
        if not to_stderr:
            syslog.openlog("smtpd", syslog.LOG_PID | syslog.LOG_NDELAY, syslog.LOG_MAIL)

    def info(self, text: str) -> None:
        self._write(syslog.LOG_INFO, f"info: kit: {text}")

    def warn(self, text: str) -> None:
        self._write(syslog.LOG_WARNING, f"warn: kit: {text}")

    def _write(self, priority: int, text: str) -> None:
        line = printable(text, _LINE_LIMIT)
        if not self._to_stderr:
            syslog.syslog(priority, line)
            return
        with contextlib.suppress(OSError):  # nobody reads it, and smtpd goes on
            os.write(2, f"{line}\n".encode())
