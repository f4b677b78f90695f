"""From what the user named to a source of bytes.

Nothing: the one port that an EEG board may be on. `-`: standard input. `sim:…`: a simulated device.
`…://…`: a URL. A path: by what stands there, a port or bytes in a file.
"""

from __future__ import annotations

import stat
from collections.abc import Callable

from kit.core.errors import UsageError
from kit.eeg.sources.devices import Device, mode_of
from kit.eeg.sources.files import open_file, standard_input
from kit.eeg.sources.ports import choose, list_ports
from kit.eeg.sources.reconnecting import Reconnecting
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
        spec = choose(list_ports()).device
    if spec.startswith("sim:") and not spec.startswith("sim://"):
        from kit.eeg.simulator.source import open_simulated

        return open_simulated(spec, reconnect=reconnect)
    if "://" in spec:
        return _open_url(spec, baud, reconnect)
    return _open_path(spec, baud, reconnect)


def _open_url(url: str, baud: int, reconnect: bool) -> Source:
    from kit.eeg.sources.urls import open_url

    def reopen() -> Source:
        return open_url(url, baud)

    return _reconnecting(url, reopen) if reconnect else reopen()


def _open_path(path: str, baud: int, reconnect: bool) -> Source:
    mode = mode_of(path)
    if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
        return open_file(path)
    device = Device(path, baud)
    return _reconnecting(path, device.open) if reconnect else device.open()


def _reconnecting(name: str, reopen: Callable[[], Source]) -> Source:
    source = Reconnecting(name, reopen)
    source.open()
    return source
