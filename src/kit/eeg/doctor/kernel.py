"""What Linux tells about a port without privileges: counters, flags, the speed, an adapter's latency timer.

The layouts are those of linux/serial.h and asm-generic/termbits.h; a driver that has no such thing answers
ENOTTY, and before Linux 5.13 EINVAL. FTDI's driver shows its timer as 1 while its low-latency flag is set.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
import sys
import termios
from pathlib import Path

from kit.eeg.doctor.facts import Counters, Kind, Unknown

# linux/major.h: the slave sides of ptys.
_PTY_MAJORS = range(136, 144)
# struct serial_icounter_struct: cts dsr rng dcd rx tx frame overrun parity brk buf_overrun, 9 reserved.
_ICOUNTER = struct.Struct("@20I")
# struct serial_struct: type line port irq flags …, 72 bytes where pointers have 64 bits.
_SERIAL_SIZE, _SERIAL_FLAGS = 128, struct.Struct("@16xi")
_ASYNC_LOW_LATENCY = 1 << 13
# struct termios2: four flag words, the line discipline, 19 characters, the two speeds as numbers.
_TERMIOS2 = struct.Struct("@4IB19s2I")
_TCGETS2 = 0x802C542A
_NOT_HAVING = (errno.ENOTTY, errno.EINVAL, errno.ENOSYS)

_NO_LINE: dict[Kind, str] = {
    "pty": "a pty has no hardware behind it",
    "file": "a file has no line behind it",
    "pipe": "a pipe has no line behind it",
    "url": "the port behind a URL is not this kernel's, or not asked by way of pyserial",
    "simulated": "a simulated device has no line",
}


def kind_of(spec: str) -> Kind:
    """What a source is, by what the user named."""
    if spec == "-":
        return "pipe"
    if spec.startswith("sim:") and not spec.startswith("sim://"):
        return "simulated"
    if "://" in spec:
        return "url"
    try:
        found = Path(spec).stat()
    except (OSError, ValueError):
        return "port"
    if stat.S_ISREG(found.st_mode):
        return "file"
    if stat.S_ISFIFO(found.st_mode):
        return "pipe"
    return "pty" if os.major(found.st_rdev) in _PTY_MAJORS else "port"


class PortAtKernel:
    """The questions that the kernel is asked about one open source; most kinds have no port to ask about."""

    def __init__(self, kind: Kind, descriptor: int | None, driver: str | None) -> None:
        self._descriptor = descriptor
        self._driver = driver
        self._no_line = _NO_LINE.get(kind)

    def counters(self) -> Counters | Unknown:
        """What the driver has counted since it was loaded."""
        answer = self._ask(termios.TIOCGICOUNT, _ICOUNTER.size, "keeps no counters")
        return answer if isinstance(answer, Unknown) else counters_in(answer)

    def low_latency(self) -> bool | Unknown:
        """Is the driver to hand bytes over at once?"""
        answer = self._ask(termios.TIOCGSERIAL, _SERIAL_SIZE, "has no low-latency flag")
        return answer if isinstance(answer, Unknown) else low_latency_in(answer)

    def baud(self) -> int | Unknown:
        """The speed that the driver says it has set, which may differ from the one that was asked for."""
        answer = self._ask(_TCGETS2, _TERMIOS2.size, "does not tell its speed")
        return answer if isinstance(answer, Unknown) else baud_in(answer)

    def waiting(self) -> int:
        """How many bytes the kernel holds for whoever reads; 0 where it does not tell."""
        if self._descriptor is None:
            return 0
        answer = bytearray(4)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._descriptor, termios.FIONREAD, answer)
        return int.from_bytes(answer, sys.byteorder)

    def _ask(self, request: int, size: int, lack: str) -> bytearray | Unknown:
        if self._no_line or self._descriptor is None:
            return Unknown(self._no_line or "the port is not open")
        answer = bytearray(size)
        try:
            fcntl.ioctl(self._descriptor, request, answer)
        except OSError as error:
            if error.errno in _NOT_HAVING:
                return Unknown(f"the driver {self._driver or 'of this port'} {lack}")
            return Unknown((error.strerror or "the system does not answer").lower())
        return answer


def counters_in(icounter: bytes | bytearray) -> Counters:
    """What a serial_icounter_struct says."""
    _, _, _, _, received, _, frame, overrun, parity, brk, buffer = _ICOUNTER.unpack(icounter)[:11]
    return Counters(received, frame, overrun, parity, brk, buffer)


def low_latency_in(serial: bytes | bytearray) -> bool:
    """The flag in a serial_struct."""
    return bool(_SERIAL_FLAGS.unpack_from(serial)[0] & _ASYNC_LOW_LATENCY)


def baud_in(termios2: bytes | bytearray) -> int:
    """The speed of what is received in a termios2."""
    return int(_TERMIOS2.unpack(termios2)[-2])


def latency_ms(kind: Kind, tty: str | None, driver: str | None, root: Path) -> int | Unknown:
    """The milliseconds for which an FTDI adapter collects bytes before it hands them over."""
    if tty is None:
        return Unknown(_NO_LINE.get(kind, "it is not known which port this is"))
    path = root / "sys/bus/usb-serial/devices" / tty / "latency_timer"
    try:
        return int(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return Unknown(f"the driver {driver or 'of this port'} has no latency timer")
    except (OSError, ValueError) as error:
        why = (error.strerror or "unreadable") if isinstance(error, OSError) else "it holds no number"
        return Unknown(f"{path}: {why.lower()}")
