"""From what the user named to a source of bytes.

Nothing: the one port that an EEG board may be on. `-`: standard input. `sim:…`: a simulated device.
`…://…`: a URL. A path: by what stands there, a port or bytes in a file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from kit.core.errors import UsageError
from kit.eeg.sources.files import open_file, standard_input
from kit.eeg.sources.ports import Port, choose, list_ports
from kit.eeg.sources.reconnecting import Reconnecting
from kit.eeg.sources.refusals import missing, not_a_port
from kit.eeg.sources.source import NotThere, Source
from kit.eeg.sources.urls import open_url

# What stands at a path, and why no EEG comes from it.
_UNREADABLE = (
    (stat.S_ISDIR, "it is a directory"),
    (stat.S_ISBLK, "it is a disk"),
    (stat.S_ISSOCK, "it is a unix socket"),
)


def open_source(spec: str | None, *, baud: int = 57600, reconnect: bool = False) -> Source:
    """The source that the user means; raises a KitError with a hint where there is none.

    With `reconnect` a device or server is waited for whenever it is not there. Files do not go away.
    """
    if baud < 1:
        raise UsageError(f"{baud} is no speed", hint="OpenEEG boards send at 57600 baud")
    if spec == "-":
        return standard_input()
    if spec is None:
        spec = choose(list_ports()).device
    if "://" in spec:
        return _open_url(spec, baud, reconnect)
    return _open_path(spec, baud, reconnect)


def _open_url(url: str, baud: int, reconnect: bool) -> Source:
    if url.lower().startswith("hwgrep://"):
        from kit.eeg.sources.serial import path_of

        return _open_path(path_of(url), baud, reconnect)
    return _reconnecting(url, lambda: open_url(url, baud)) if reconnect else open_url(url, baud)


def _open_path(path: str, baud: int, reconnect: bool) -> Source:
    mode = _mode(path)
    if mode and (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        return open_file(path)
    if not reconnect:
        return _open_device(path, baud)
    adapter = _identity(path)
    return _reconnecting(path, lambda: _open_device(_whereabouts(path, adapter), baud))


def _reconnecting(name: str, reopen: Callable[[], Source]) -> Source:
    source = Reconnecting(name, reopen)
    source.open()
    return source


def _open_device(path: str, baud: int) -> Source:
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


def _mode(path: str) -> int:
    """What stands there; 0 if nothing does."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - to Path an empty name is the current directory
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:
        why = (error.strerror or "failed") if isinstance(error, OSError) else str(error)
        raise not_a_port(path, why.lower()) from None


def _port_at(path: str) -> Port | None:
    real = os.path.realpath(path)
    return next((port for port in list_ports(everything=True) if port.device == real), None)


def _identity(path: str) -> tuple[str, str, str | None] | None:
    port = _port_at(path)
    return port.identity if port else None


def _whereabouts(path: str, adapter: tuple[str, str, str | None] | None) -> str:
    """Where that adapter is now: at its path, or plugged in anew under another name."""
    if adapter is None or _identity(path) == adapter:
        return path
    found = next((port.device for port in list_ports(everything=True) if port.identity == adapter), None)
    if found is None:
        raise NotThere(f"the adapter of {path!r} is not plugged in")
    return found
