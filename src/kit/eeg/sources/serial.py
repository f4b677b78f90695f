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
import termios
import warnings
from collections.abc import Iterator
from typing import Any

import serial

from kit.core.errors import KitError
from kit.eeg.records import Chunk, Gone
from kit.eeg.sources.holders import holders
from kit.eeg.sources.refusals import Attempt, in_use, refusal
from kit.eeg.sources.source import TICK_MS, live_chunks, reader

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

    def fileno(self) -> int:
        """The port's descriptor, for whoever asks the kernel about it."""
        return int(self._port.fileno())

    def chunks(self) -> Iterator[Chunk | Gone]:
        return live_chunks(self.name, self.fileno(), reader(self.fileno()))

    def close(self) -> None:
        self._port.close()


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
    """pyserial's object for a URL; raises a KitError that says why there is none."""
    try:
        with warnings.catch_warnings():
            # pyserial 3.5 starts its threads in a way that Python 3.10 gave up.
            warnings.simplefilter("ignore", DeprecationWarning)
            port = serial.serial_for_url(url, do_not_open=True, baudrate=baud, timeout=TICK_MS / 1000)
            if isinstance(port, serial.Serial):
                port.exclusive = True
            port.open()
    except _FAILURES as error:
        raise _refused(url, baud, error) from None
    return port


def path_of(url: str) -> str:
    """The path of the port that pyserial finds for a `hwgrep://` URL."""
    try:
        return str(serial.serial_for_url(url, do_not_open=True).port)
    except _FAILURES as error:
        raise _refused(url, 0, error) from None


def _claim(path: str, port: Any) -> None:
    """Keep others off a real port; raise if somebody reads it already, who would get a part of the bytes.

    A pty is not claimed so: the kernel would remember it beyond the death of this process.
    """
    others = holders(path)
    if others:
        port.close()
        raise in_use(path, others)
    with contextlib.suppress(OSError):
        fcntl.ioctl(port.fd, termios.TIOCEXCL)
    with contextlib.suppress(ValueError):
        # Without it an FTDI adapter hands its bytes over every 16 ms.
        port.set_low_latency_mode(True)


def _refused(name: str, baud: int, error: BaseException) -> KitError:
    return refusal(Attempt(name, baud, _number(error), isinstance(error, ValueError)), str(error))


def _number(error: BaseException | None) -> int:
    """The system's error number, from wherever in the chain pyserial left it."""
    while error:
        number = error.args[0] if isinstance(error, termios.error) else getattr(error, "errno", None)
        if isinstance(number, int):
            return number
        error = error.__context__
    return 0


def _is_pty(descriptor: int) -> bool:
    return os.major(os.fstat(descriptor).st_rdev) in _PTY_MAJORS
