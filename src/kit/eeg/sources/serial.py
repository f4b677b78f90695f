"""Serial ports: opened for this process alone, read raw; and whatever else pyserial opens by a URL.

8 bits, no parity, one stop bit, no flow control. What lies in the kernel's buffer when a port is opened is
thrown away: nobody knows when it came, some of it came at another speed, and behind it there may be a hole.
A pty has neither speed nor holes: what a simulated device has written already is kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sys
import termios
import warnings
from collections.abc import Iterator
from typing import Any

import serial
from serial.urlhandler.protocol_spy import FormatRaw

from kit.core.errors import KitError, Unavailable, UsageError
from kit.core.text import printable
from kit.eeg.records import Chunk, Gone
from kit.eeg.sources.holders import holders
from kit.eeg.sources.network import unreachable
from kit.eeg.sources.ports import what_is_there
from kit.eeg.sources.refusals import Attempt, in_use, refusal
from kit.eeg.sources.source import READ_SIZE, TICK_MS, NotThere, live_chunks

# linux/major.h: the slave sides of ptys, which /dev/pts holds.
_PTY_MAJORS = range(136, 144)
# pyserial reports what goes wrong by all of these, depending on where it meets it.
_FAILURES = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, termios.error, re.error)


class _Port(serial.Serial):  # type: ignore[misc]
    """pyserial's port, which keeps what a pty holds and does not take a line's silence for its end."""

    def _reset_input_buffer(self) -> None:
        if not _is_pty(self.fd):
            super()._reset_input_buffer()

    def _reconfigure_port(self, force_update: bool = False) -> None:
        super()._reconfigure_port(force_update)
        settings = termios.tcgetattr(self.fd)
        # With VMIN 0 a read that finds nothing looks like one after a hang-up.
        settings[6][termios.VMIN] = 1
        # A break on the line would flush what is in the buffer.
        settings[0] &= ~termios.BRKINT
        termios.tcsetattr(self.fd, termios.TCSANOW, settings)


class SerialSource:
    """An open serial port or pty."""

    live = True

    def __init__(self, name: str, port: Any) -> None:
        self.name = name
        self._port = port
        self._descriptor = int(port.fileno())

    def fileno(self) -> int:
        """The port's descriptor, for whoever asks the kernel about it."""
        return self._descriptor

    def chunks(self) -> Iterator[Chunk | Gone]:
        return live_chunks(self.name, self._descriptor, self._read)

    def close(self) -> None:
        self._port.close()

    def _read(self) -> bytes:
        # Not a function of the descriptor alone: pyserial closes it when nobody knows the port any more.
        return os.read(self._descriptor, READ_SIZE)


def open_device(path: str, baud: int) -> SerialSource:
    """The port at `path`; raises a KitError that says why it cannot be had."""
    port = _Port()
    try:
        port.baudrate, port.timeout, port.exclusive, port.port = baud, 0, True, path
        port.open()
    except _FAILURES as error:
        raise _refused(path, baud, error) from None
    if not _is_pty(port.fd):
        _claim(path, port)
    return SerialSource(path, port)


def open_by_url(url: str, baud: int) -> Any:
    """pyserial's object for a URL, open; raises a KitError that says why there is none."""
    port = _made(url, baud)
    _quieten(port)
    try:
        with warnings.catch_warnings():
            # pyserial 3.5 starts its threads in a way that Python 3.10 gave up.
            warnings.simplefilter("ignore", DeprecationWarning)
            port.open()
    except _FAILURES as error:
        close(port)
        if isinstance(port, serial.Serial):
            raise _refused(port.portstr, baud, error) from None
        raise _unanswered(url, error) from None
    return port


def path_of(url: str) -> str:
    """The path of the port that pyserial finds for a `hwgrep://` URL."""
    return str(_made(url, None).port)


def close(port: Any) -> None:
    """Close it, and what pyserial leaves open: a spy's log, a socket that the server closed first."""
    connection, spy = getattr(port, "_socket", None), getattr(port, "formatter", None)
    port.close()
    if connection:
        connection.close()
    if spy and spy.output is not sys.stderr:
        spy.output.close()


def _made(url: str, baud: int | None) -> Any:
    """What the URL names, closed."""
    try:
        port = serial.serial_for_url(url, do_not_open=True, timeout=TICK_MS / 1000)
        port.baudrate = baud or port.baudrate
        port.exclusive = isinstance(port, serial.Serial) or None
        if isinstance(getattr(port, "formatter", None), FormatRaw):
            raise ValueError("it has no raw form")  # pyserial 3.5 has one, which fails at the first byte
    except _FAILURES as error:
        if str(error).startswith("no ports found"):
            raise NotThere(f"no port matches {url!r}", hint=what_is_there()) from None
        raise _not_understood(url, error) from None
    return port


def _quieten(port: Any) -> None:
    """RFC 2217: let the thread that reads the socket die of a broken server without a traceback."""
    loop = getattr(port, "_telnet_read_loop", None)
    if loop is None:
        return

    def quiet() -> None:
        with contextlib.suppress(*_FAILURES):
            loop()

    port._telnet_read_loop = quiet


def _unanswered(url: str, error: BaseException) -> KitError:
    """A server refused, or a URL whose options pyserial only looks at now."""
    causes = list(_chain(error))
    for cause in causes:
        if isinstance(cause, OSError) and (cause.errno or isinstance(cause, TimeoutError)):
            return unreachable(url, cause)
    if any(isinstance(cause, ValueError | KeyError) for cause in causes):
        return _not_understood(url, error)
    bare = url.partition("://")[2].partition("?")[0]
    hint = f"for a server that sends bare bytes write socket://{bare}"
    return Unavailable(f"what answers at {url!r} does not speak RFC 2217", hint=hint)


def _not_understood(url: str, error: BaseException) -> UsageError:
    hint = "pyserial's documentation has a page on the URLs that it takes"
    return UsageError(f"cannot make sense of {url!r}: {printable(str(error))}", hint=hint)


def _claim(path: str, port: Any) -> None:
    """Keep others off a real port; raise if somebody reads it already, who would get a part of the bytes.

    A pty is not claimed so: the kernel would remember it beyond the death of this process.
    """
    others = [holder for holder in holders(path) if holder.pid != os.getpid()]
    if others:
        port.close()
        raise in_use(path, others)
    with contextlib.suppress(OSError):
        fcntl.ioctl(port.fd, termios.TIOCEXCL)
    with contextlib.suppress(ValueError):
        # Without it an FTDI adapter hands its bytes over every 16 ms.
        port.set_low_latency_mode(True)


def _refused(path: str, baud: int, error: BaseException) -> KitError:
    number = next((number for cause in _chain(error) if (number := _number(cause))), 0)
    bad_value = isinstance(error, ValueError | OverflowError)
    return refusal(Attempt(path, baud, number, bad_value), str(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """What went wrong, and what it is a consequence of: pyserial wraps most errors in its own."""
    while error:
        yield error
        error = error.__context__


def _number(error: BaseException) -> int:
    """The system's number of an error; 0 for one of another kind."""
    number = error.args[0] if isinstance(error, termios.error) else getattr(error, "errno", None)
    return number if isinstance(number, int) else 0


def _is_pty(descriptor: int) -> bool:
    return os.major(os.fstat(descriptor).st_rdev) in _PTY_MAJORS
