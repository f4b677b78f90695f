"""A pseudo terminal as a device's port.

Its other side is kept open, so that readers may come and go. The system holds some 16 KiB for them, four
seconds of packets.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path

from kit.core.errors import Unavailable
from kit.eeg.sending.outputs import await_writable

_LOOK_S = 0.01
_PATIENCE_S = 0.5


class Terminal:
    """Says the path of its pty, and each new one; `link` is a name that does not change."""

    def __init__(self, link: str | None, patient: bool, announce: Callable[[str], None]) -> None:
        self._link = None if link is None else Path(link)
        self._patient = patient
        self._announce = announce
        self._ours: int | None = None
        self._theirs = -1
        self._path = ""

    def plug(self) -> None:
        """Raises Unavailable where there is no pty, or the link's name is taken."""
        try:
            self._ours, self._theirs = os.openpty()
        except OSError as error:
            raise Unavailable(f"no pseudo terminal: {(error.strerror or 'failed').lower()}") from None
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self._path = os.ttyname(self._theirs)
        if self._link:
            make_link(self._link, self._path)
        self._announce(self._path)

    def unplug(self) -> None:
        if self._ours is None:
            return
        if self._link and self._link.is_symlink() and str(self._link.readlink()) == self._path:
            self._link.unlink()
        os.close(self._theirs)
        os.close(self._ours)
        self._ours = None

    def wait(self) -> None:
        if self._patient and self._ours is not None:
            await_writable(self._ours)

    def write(self, data: bytes) -> int:
        if self._ours is None:
            return 0
        with contextlib.suppress(BlockingIOError):
            os.read(self._ours, 4096)  # what a reader says to the device: no OpenEEG board listens
        try:
            return os.write(self._ours, data) if data else 0
        except BlockingIOError:
            return 0

    def drain(self) -> None:
        """When the pty goes, what was not read goes with it: wait, as long as somebody reads."""
        before, since_s = -1, time.monotonic()
        while self._ours is not None:
            unread = self._unread()
            if unread == before == 0 or time.monotonic() - since_s > _PATIENCE_S:
                return
            if unread != before:
                before, since_s = unread, time.monotonic()
            time.sleep(_LOOK_S)

    def _unread(self) -> int:
        count: int = struct.unpack("i", fcntl.ioctl(self._theirs, termios.FIONREAD, bytes(4)))[0]
        return count


def make_link(link: Path, target: str) -> None:
    """A symbolic link, in the place of a stale one if need be; raises Unavailable."""
    try:
        if link.is_symlink() and (not link.exists() or str(link.readlink()) == target):
            link.unlink()
        link.symlink_to(target)
    except FileExistsError:
        raise Unavailable(
            f"{str(link)!r} is there, and it is no link to a terminal that is gone",
            hint="remove it, or choose another --link",
        ) from None
    except OSError as error:
        raise Unavailable(
            f"cannot make the link {str(link)!r}: {(error.strerror or 'failed').lower()}"
        ) from None
