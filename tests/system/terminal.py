"""A person at a terminal: a program gets a pty as its controlling terminal, and is typed at."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence

# In a new session the first terminal that is opened becomes the controlling one.
_TAKE_TERMINAL = """
import os, sys
terminal = os.open(sys.argv[1], os.O_RDWR)
for descriptor in (0, 1, 2):
    os.dup2(terminal, descriptor)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Terminal:
    """The person's side."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self._master = master
        self.process = process
        self.seen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def wait_for(self, text: str) -> None:
        """Read until this text has appeared since the last wait."""
        end, fresh = time.monotonic() + 20, ""
        while text not in fresh:
            assert time.monotonic() < end, f"{text!r} did not come: {fresh!r}"
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if ready:
                fresh += self._read()
        self.seen += fresh

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size."""
        termios.tcsetwinsize(self._master, (lines, columns))

    def end(self) -> int:
        """Read until it ends; the exit status."""
        end = time.monotonic() + 20
        while self.process.poll() is None or select.select([self._master], [], [], 0)[0]:
            assert time.monotonic() < end, f"it does not end: {self.seen!r}"
            if select.select([self._master], [], [], 0.02)[0]:
                self.seen += self._read()
        return self.process.returncode

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def read_some(self) -> str:
        """What comes within a moment."""
        ready, _, _ = select.select([self._master], [], [], 0.1)
        return self._read() if ready else ""

    def hang_up(self) -> None:
        """Close the window."""
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, self._master)
        os.close(nothing)

    def _read(self) -> str:
        with contextlib.suppress(OSError):  # EIO: the last holder of the other side is gone
            return self._decoder.decode(os.read(self._master, 4096))
        return ""


@contextlib.contextmanager
def at_terminal(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Run the command with a terminal of its own; it does not outlive the block."""
    master, slave = os.openpty()
    arguments = [sys.executable, "-c", _TAKE_TERMINAL, os.ttyname(slave), *command]
    process = subprocess.Popen(arguments, env=environment, start_new_session=True)
    try:
        yield Terminal(master, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(slave)
        os.close(master)
