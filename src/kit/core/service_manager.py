"""What a service manager hands to a service, and what the service tells it: systemd's protocol, no library.

    LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES   listening sockets, from descriptor 3 on (sd_listen_fds(3))
    NOTIFY_SOCKET                            where datagrams of KEY=value lines go (sd_notify(3))
    WATCHDOG_PID, WATCHDOG_USEC              how long the service may be silent (sd_watchdog_enabled(3))

Other managers speak it, too. The variables are the manager's word, and are refused where they make no sense:
a service that then listened elsewhere would be one that nobody finds.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections import deque
from collections.abc import Mapping
from itertools import chain, repeat

from kit.core.errors import Unavailable, UsageError

_FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START
_NAMELESS = "unknown"  # as sd_listen_fds_with_names(3) calls it
_NUMBER = re.compile(r"[0-9]{1,20}")  # an unsigned integer of 64 bits; int() would take "+1" and "1_0"
_ENDLESS_US = 2**64 - 1
# systemd drops a datagram above 4096 bytes (NOTIFY_BUFFER_MAX); a character takes at most four.
_STATUS_CHARACTERS = 1000
_OWED = 8  # more than the states that a service goes through while its manager's queue is full


def listening_sockets(environ: Mapping[str, str], pid: int) -> list[tuple[str, socket.socket]]:
    """The sockets that the manager made for process `pid`, each with its name; closed on exec from now on.

    None of them where the variables are another process's. Raises UsageError for variables that say nothing,
    and Unavailable for a descriptor that is no listening Unix stream socket; all descriptors stay open then.
    """
    if "LISTEN_PID" not in environ or not _meant(environ, "LISTEN_PID", pid):
        return []
    count = _number(environ, "LISTEN_FDS")
    # A count that is too large ends at the first descriptor which is not there.
    descriptors = range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + count)
    taken: list[socket.socket] = []
    try:
        for descriptor in descriptors:
            taken.append(_listening(descriptor))
    except BaseException:
        for given in taken:
            given.detach()
        raise
    names = chain(environ.get("LISTEN_FDNAMES", "").split(":"), repeat(""))
    return [(name or _NAMELESS, given) for given, name in zip(taken, names, strict=False)]


def watchdog_interval_s(environ: Mapping[str, str], pid: int) -> float | None:
    """How often `Notifier.watchdog` is due: half the time after which the manager ends process `pid`.

    None where it does not watch. The half is sd_watchdog_enabled(3)'s advice.
    """
    if "WATCHDOG_USEC" not in environ or not _meant(environ, "WATCHDOG_PID", pid):
        return None
    limit_us = _number(environ, "WATCHDOG_USEC")
    if not 0 < limit_us < _ENDLESS_US:
        raise _senseless(environ, "WATCHDOG_USEC", "a number of microseconds above 0")
    return limit_us / 2_000_000


class Notifier:
    """Tells the manager on `address` ($NOTIFY_SOCKET) how the service is; without an address, nobody.

    It never raises and never waits: a manager that is gone or busy is no reason for a service to stand still.
    What meets a full queue is said before the next message; a watchdog's tick comes again and is not kept.
    It holds one descriptor, so that it can speak when no other is left; a forked child closes it.
    """

    def __init__(self, address: str) -> None:
        self._address = _address(address)
        self._owed: deque[bytes] = deque(maxlen=_OWED)
        self._socket = _datagrams() if self._address else None

    def ready(self, status: str = "") -> None:
        """The service answers; also the end of `reloading`."""
        self._say("READY=1", *([_status(status)] if status else []))

    def status(self, text: str) -> None:
        """One line for people, as `systemctl status` shows it."""
        self._say(_status(text))

    def reloading(self) -> None:
        """The service reads its configuration again; `ready` follows."""
        # The time tells the manager that an earlier READY=1 is not the answer (Type=notify-reload).
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service is about to end."""
        self._say("STOPPING=1")

    def watchdog(self) -> None:
        """The service is alive."""
        self._catch_up()
        self._send(b"WATCHDOG=1")

    def close(self) -> None:
        """Say nothing more."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def _say(self, *lines: str) -> None:
        self._owed.append("\n".join(lines).encode("utf-8", "replace"))
        self._catch_up()

    def _catch_up(self) -> None:
        while self._owed and self._send(self._owed[0]):
            self._owed.popleft()

    def _send(self, message: bytes) -> bool:
        """Is there nothing more to do about this message?"""
        if not self._socket:
            return True
        try:
            # Not connected: a manager that was restarted has a new socket under the same name.
            self._socket.sendto(message, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL, self._address)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


def _meant(environ: Mapping[str, str], variable: str, pid: int) -> bool:
    """Are the variables for this process? They are inherited by children that they do not mean."""
    return variable not in environ or _number(environ, variable) == pid


def _number(environ: Mapping[str, str], variable: str) -> int:
    if not _NUMBER.fullmatch(environ.get(variable, "")):
        raise _senseless(environ, variable, "a number")
    return int(environ[variable])


def _senseless(environ: Mapping[str, str], variable: str, expected: str) -> UsageError:
    found = repr(environ[variable][:64]) if variable in environ else "not set"
    return UsageError(
        f"the environment variable {variable} is {found}, and should be {expected}",
        hint="a service manager sets it; unset it where none is at work",
    )


def _listening(descriptor: int) -> socket.socket:
    try:
        given = socket.socket(fileno=descriptor)
    except OSError as error:
        raise _unfit(descriptor, (error.strerror or "no socket").lower()) from None
    flaw = _flaw(given)
    if flaw:
        given.detach()
        raise _unfit(descriptor, flaw)
    given.set_inheritable(False)
    return given


def _flaw(given: socket.socket) -> str:
    if given.family != socket.AF_UNIX:
        return "not a Unix socket"
    if given.type != socket.SOCK_STREAM:
        return "not a stream socket"
    if not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "not listening"
    return ""


def _unfit(descriptor: int, why: str) -> Unavailable:
    return Unavailable(
        f"descriptor {descriptor} from the service manager is no listening Unix stream socket: {why}",
        hint="the socket unit has ListenStream= with a path, and Accept=no",
    )


def _address(text: str) -> bytes:
    """The address as the kernel takes it; empty for what is neither a path nor an abstract name."""
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError:
        return b""
    if encoded.startswith(b"@"):
        return b"\0" + encoded[1:]
    return encoded if encoded.startswith(b"/") else b""


def _datagrams() -> socket.socket | None:
    try:
        return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:
        return None


def _status(text: str) -> str:
    """The line of the status, and that line only: a line break in it would begin another assignment."""
    line = " ".join(text.replace("\0", " ").split())
    return f"STATUS={line[:_STATUS_CHARACTERS]}"
