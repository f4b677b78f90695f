"""From what the user named to a source of bytes.

Nothing: the one port that an EEG board may be on. `-`: standard input. `sim:…`: a simulated device.
`…://…`: a URL. A path: by what stands there, a port or bytes in a file. What only devices and servers need
is imported when one is named: a file is often read in less time than that takes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from kit.core.errors import UsageError
from kit.eeg.sources.files import open_file, standard_input
from kit.eeg.sources.source import Source


def open_source(spec: str | None, *, baud: int = 57600, reconnect: bool = False) -> Source:
    """The source that the user means; raises a KitError with a hint where there is none.

    With `reconnect` a device or server is waited for whenever it is not there. Files do not go away.
    """
    if baud < 1:
        raise UsageError(f"{baud} is no speed", hint="OpenEEG boards send at 57600 baud")
    if spec == "-":
        return standard_input()
    if spec is None:
        from kit.eeg.sources.ports import choose, list_ports

        spec = choose(list_ports()).device
    if spec.startswith("sim:") and not spec.startswith("sim://"):
        from kit.eeg.simulator.source import open_simulated

        return open_simulated(spec, reconnect=reconnect)
    if _holds_bytes(spec):
        return open_file(spec)
    return _waited_for(spec, _opener(spec, baud)) if reconnect else _opener(spec, baud)()


def _opener(spec: str, baud: int) -> Callable[[], Source]:
    """What opens the device or server, as often as it is needed."""
    if "://" in spec:
        from kit.eeg.sources.urls import open_url

        return lambda: open_url(spec, baud)
    from kit.eeg.sources.devices import Device

    return Device(spec, baud).open


def _waited_for(name: str, reopen: Callable[[], Source]) -> Source:
    from kit.eeg.sources.reconnecting import Reconnecting

    source = Reconnecting(name, reopen)
    source.open()
    return source


def _holds_bytes(path: str) -> bool:
    """Is it a file or a FIFO? What else it is, or why nobody can tell, is said where a device is opened."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - to Path an empty name is the current directory
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode)
