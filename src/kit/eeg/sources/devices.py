"""A device by its path, and the same adapter again where it was plugged in anew under another name."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence

from kit.eeg.sources.ports import Port, list_ports, port_at
from kit.eeg.sources.refusals import missing, not_a_port
from kit.eeg.sources.source import NotThere, Source

# What stands at a path, and why no EEG comes from it.
_UNREADABLE = (
    (stat.S_ISDIR, "it is a directory"),
    (stat.S_ISBLK, "it is a disk"),
    (stat.S_ISSOCK, "it is a unix socket"),
)


class Device:
    """The serial port at a path; once it was open, the adapter that was there."""

    def __init__(
        self, path: str, baud: int, there: Callable[[], Sequence[Port]] = lambda: list_ports(everything=True)
    ) -> None:
        self._path = path
        self._baud = baud
        self._there = there
        self._adapter: tuple[str, str, str | None] | None = None

    def open(self) -> Source:
        """The port, open; raises a KitError that says why it cannot be had."""
        path = self._path
        if self._adapter:
            path = self._whereabouts()
        source = _open(path, self._baud)
        self._adapter = self._adapter or self._adapter_at(path)
        return source

    def _adapter_at(self, path: str) -> tuple[str, str, str | None] | None:
        port = port_at(path, self._there())
        return port.identity if port else None

    def _whereabouts(self) -> str:
        if self._adapter_at(self._path) == self._adapter:
            return self._path
        found = next((port.device for port in self._there() if port.identity == self._adapter), None)
        if found is None:
            raise NotThere(f"the adapter of {self._path!r} is not plugged in")
        return found


def _mode(path: str) -> int:
    """What stands there; 0 if nothing does."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - to Path an empty name is the current directory
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise not_a_port(path, (error.strerror or "failed").lower()) from None
    except ValueError:  # in other words by other Pythons
        raise not_a_port(path, "embedded null byte") from None


def _open(path: str, baud: int) -> Source:
    mode = _mode(path)
    if not mode:
        raise missing(path)
    for is_such, what in _UNREADABLE:
        if is_such(mode):
            raise not_a_port(path, what)
    if not stat.S_ISCHR(mode):
        raise not_a_port(path)
    from kit.eeg.sources.serial import open_device

    return open_device(path, baud)
