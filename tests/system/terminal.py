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
# No program says this.
_END = "\x1e(end)\x1e"


class Terminal:
    """The person's side."""

    def __init__(self, master: int, slave: int, process: subprocess.Popen[bytes]) -> None:
        self._master, self._slave = master, slave
        self.process = process
        self.seen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def wait_for(self, text: str) -> None:
        """Read until this text has appeared since the last wait."""
        end, fresh = time.monotonic() + 20, ""
        while text not in fresh:
            assert time.monotonic() < end, f"{text!r} did not come: {fresh!r}"
            fresh += self._read_within(0.1)
        self.seen += fresh

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size."""
        termios.tcsetwinsize(self._master, (lines, columns))

    def end(self) -> int:
        """Read until it ends; the exit status."""
        end = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end: {self.seen!r}"
            self.seen += self._read_within(0.02)
        self.seen += self._last_words(end)
        return self.process.returncode

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def read_some(self) -> str:
        """What comes within a moment."""
        return self._read_within(0.1)

    def hang_up(self) -> None:
        """Close the window."""
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, self._master)
        os.close(nothing)

    def _last_words(self, end: float) -> str:
        """What it wrote before it ended.

        The kernel brings that to this side a moment later, in order: it is all here once a mark is that was
        written behind it.
        """
        text, left = "", _END.encode()
        while left or _END not in text:
            assert time.monotonic() < end, f"its last words do not come: {text!r}"
            with contextlib.suppress(BlockingIOError):  # no room: it goes on once something was read
                left = left[os.write(self._slave, left) :] if left else left
            text += self._read_within(0.02)
        return text.replace(_END, "")

    def _read_within(self, seconds: float) -> str:
        ready, _, _ = select.select([self._master], [], [], seconds)
        return self._read() if ready else ""

    def _read(self) -> str:
        with contextlib.suppress(OSError):  # EIO: the last holder of the other side is gone
            return self._decoder.decode(os.read(self._master, 4096))
        return ""


@contextlib.contextmanager
def at_terminal(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Run the command with a terminal of its own; it does not outlive the block."""
    master, slave = os.openpty()
    os.set_blocking(slave, False)  # ours; the program opens its own
    arguments = [sys.executable, "-c", _TAKE_TERMINAL, os.ttyname(slave), *command]
    process = subprocess.Popen(arguments, env=environment, start_new_session=True)
    try:
        yield Terminal(master, slave, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(slave)
        os.close(master)
