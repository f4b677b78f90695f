"""Commands that events start: without a shell, one at a time, and never in the way of the capture.

A live capture hands a command to a thread, and goes on: while one runs, further events start none, and are
counted. A recording waits for nobody but the command, so each event has its run.
"""

from __future__ import annotations

import os
import queue
import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping

from kit.core.errors import UsageError

_PATIENCE_S = 2.0
_PREFIX = "KIT_EEG_"
Tell = Callable[[str], None]


def split(option: str, line: str) -> list[str]:
    """The words of a command; raises UsageError."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{option} {line!r} is no command: {str(error).lower()}") from None
    if not words or "\0" in line:
        raise UsageError(f"{option} {line!r} is no command")
    return words


class Command:
    """One `--run`. What it prints goes to `stdout`, kit's own if that is None."""

    def __init__(self, line: str, tell: Tell, *, patient: bool, stdout: int | None = None) -> None:
        self.skipped = 0
        self._words = split("--run", line)
        self._line = line
        self._tell = tell
        self._patient = patient
        self._stdout = stdout
        self._told = False
        self._idle = threading.Lock()
        self._wanted: queue.SimpleQueue[Mapping[str, str] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, variables: Mapping[str, str]) -> None:
        """Run it, if it does not run."""
        if self._patient:
            self._run(variables)
        elif self._idle.acquire(blocking=False):
            self._wanted.put(variables)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="commands", daemon=True)
                self._thread.start()
        else:
            self.skipped += 1

    def close(self) -> None:
        """Give one that runs some time; if it needs more, it goes on by itself."""
        if self._thread:
            self._wanted.put(None)
            self._thread.join(_PATIENCE_S)
        if self.skipped:
            self._tell(f"{self.skipped:,} events came while {self._line!r} ran, and did not start it")

    def _serve(self) -> None:
        while (variables := self._wanted.get()) is not None:
            self._run(variables)
            self._idle.release()

    def _run(self, variables: Mapping[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
        try:
            status = subprocess.run(
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=self._stdout,
                env={**inherited, **variables},
                start_new_session=True,
                check=False,
            ).returncode
        except OSError as error:
            self._fail(f"cannot run {self._words[0]!r}: {(error.strerror or 'failed').lower()}")
            return
        if status:
            self._fail(f"{self._line!r} ended with status {status}, which is told once")

    def _fail(self, text: str) -> None:
        if not self._told:
            self._told = True
            self._tell(text)
