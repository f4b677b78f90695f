"""A terminal that is drawn in, whole, and given back as it was, whatever happens.

Its device is opened anew, so that what is set for this descriptor (that a write never waits) is not set for
the shell's, and so that keys come from it where standard input is a pipe. While a picture is on its way no
other one is begun: a slow terminal sees fewer pictures, and nobody waits for it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from types import FrameType

from kit.core.errors import Unavailable, UsageError
from kit.eeg.viewing.keystrokes import Keystrokes
from kit.eeg.viewing.waking import Waking

# The other screen, without a cursor and without wrapping at its edge.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
# CAN ends a sequence that was cut.
_LEAVE = "\x18\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_PIECE = 1 << 16
_LEAVING_S = 0.5
_FLAGS = (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT, signal.SIGHUP)


class Terminal:
    """The terminal that standard output is; see `opened`."""

    def __init__(self, descriptor: int, waking: Waking) -> None:
        self._descriptor = descriptor
        self._waking = waking
        self._lock = threading.RLock()  # of what is on its way
        self._before = termios.tcgetattr(descriptor)
        self._output = memoryview(b"")
        self._keystrokes = Keystrokes()
        self._came: set[int] = set()  # signals
        self.gone = False
        self.entered = False
        self.sent_ns = 0  # the monotonic clock when all was sent

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        rows, columns = termios.tcgetwinsize(self._descriptor)
        return columns or 80, rows or 24

    @property
    def busy(self) -> bool:
        """Is a picture still on its way?"""
        return bool(self._output)

    def enter(self) -> None:
        """Take the screen and the keys."""
        mode = termios.tcgetattr(self._descriptor)
        mode[0] &= ~(termios.IXON | termios.ICRNL)
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 0, 0
        termios.tcsetattr(self._descriptor, termios.TCSANOW, mode)
        self.entered = True
        self.write(_ENTER)

    def leave(self) -> None:
        """Give them back, with what was under the picture."""
        if not self.entered:
            return
        self.entered = False
        self._output = memoryview(b"")
        with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
            self._write_now(_LEAVE.encode())
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)

    def write(self, text: str) -> None:
        """Send it as the terminal takes it; from any thread, while another one waits."""
        with self._lock:
            self._output = memoryview(bytes(self._output) + text.encode())
            self.flush()
        if self._output:
            self._waking.wake()  # who waits is to send the rest

    def flush(self) -> None:
        """Send what it takes now."""
        with self._lock:
            try:
                while self._output:
                    self._output = self._output[os.write(self._descriptor, self._output[:_PIECE]) :]
                self.sent_ns = time.monotonic_ns()
            except BlockingIOError:
                pass
            except OSError:
                self.gone = True
                self._output = memoryview(b"")

    def typed(self) -> list[str]:
        """The keys since the last look."""
        try:
            data = os.read(self._descriptor, 1024) if self.entered else b""
        except BlockingIOError:
            data = b""
        except OSError:
            self.gone, data = True, b""
        return self._keystrokes.feed(data)

    def wait(self, until_s: float) -> None:
        """Until that time of the monotonic clock, a key, or a signal; meanwhile the picture goes out."""
        poll = select.poll()
        poll.register(self._waking, select.POLLIN)
        while (left_s := until_s - time.monotonic()) > 0 and not self.gone:
            poll.register(self._descriptor, select.POLLIN | (select.POLLOUT if self._output else 0))
            events = dict(poll.poll(left_s * 1000))
            on_terminal = events.get(self._descriptor, 0)
            self.gone = self.gone or bool(on_terminal & (select.POLLHUP | select.POLLERR | select.POLLNVAL))
            if on_terminal & select.POLLOUT:
                self.flush()
            if self._waking.fileno() in events:
                self._waking.taken()
            if self._came or on_terminal & select.POLLIN:
                return

    def attend(self) -> bool:
        """Do what signals asked for; is the picture to be drawn anew?"""
        came, self._came = self._came, set()
        if signal.SIGHUP in came:
            self.gone = True
        if signal.SIGTSTP in came:
            self.leave()
            self._stop()
            came.add(signal.SIGCONT)
        if signal.SIGCONT in came:
            self.entered = False
        if not self.entered and not self.gone and self._is_mine():
            self._output = memoryview(b"")
            self.enter()
            return True
        return signal.SIGWINCH in came

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Note the signals that concern the terminal; those that were ignored stay so."""
        before = {number: signal.getsignal(number) for number in _FLAGS}
        kept = [number for number in _FLAGS if before[number] != signal.SIG_IGN]
        for number in kept:
            signal.signal(number, self._note)
        try:
            yield
        finally:
            for number in kept:
                signal.signal(number, before[number])

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came.add(number)
        self._waking.wake()

    def _stop(self) -> None:
        """As Ctrl-Z does with a program that knows nothing of it; goes on where the shell continues it."""
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._note)

    def _is_mine(self) -> bool:
        """Is this the job in the foreground? Another one is not to be drawn over."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return True  # nobody's controlling terminal

    def _write_now(self, data: bytes) -> None:
        """As far as it is taken within a moment."""
        end_s = time.monotonic() + _LEAVING_S
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while data and (left_s := end_s - time.monotonic()) > 0 and poll.poll(left_s * 1000):
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._descriptor, data) :]


@contextlib.contextmanager
def opened(output: int = 1) -> Iterator[Terminal]:
    """The terminal behind a descriptor, not entered yet, and given back at the end.

    Raises Unavailable where it cannot be opened.
    """
    try:
        descriptor = os.open(os.ttyname(output), os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(f"cannot open the terminal: {(error.strerror or 'failed').lower()}") from None
    try:
        with Waking() as waking:
            terminal = Terminal(descriptor, waking)
            with terminal.signals():
                try:
                    yield terminal
                finally:
                    terminal.leave()
    finally:
        os.close(descriptor)


def check(environment: Mapping[str, str], is_terminal: bool, plain: bool) -> None:
    """Raise UsageError where a picture cannot be drawn, with what can be done instead."""
    if not is_terminal:
        raise UsageError("standard output is no terminal", hint="'kit eeg read' prints the packets")
    if environment.get("TERM", "dumb") == "dumb":
        raise UsageError(
            "this terminal cannot place what is drawn (TERM is dumb, or not set)",
            hint="'kit eeg read' prints the packets",
        )
    if not plain and not _knows_utf8(environment):
        raise UsageError(
            "this terminal's character set is not UTF-8 (LC_ALL, LC_CTYPE, LANG)",
            hint="--ascii draws with the characters of any terminal",
        )


def _knows_utf8(environment: Mapping[str, str]) -> bool:
    """As the C library picks the locale; without any Python, too, takes the terminal for one with UTF-8."""
    names = (environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((name for name in names if name), "C.UTF-8").lower()
    return "utf-8" in locale or "utf8" in locale
