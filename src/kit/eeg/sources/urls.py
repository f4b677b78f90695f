"""Sources by URL: `socket://` is kit's own, the others are pyserial's.

`hwgrep://` stands for a port and becomes its path. `spy://` and `alt://` are ports with a read of their own,
for which the kernel still wakes us. `rfc2217://` and `loop://` have no descriptor: their read waits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from queue import Empty
from typing import Any

from kit.core.errors import UsageError
from kit.eeg.records import Chunk, Gone
from kit.eeg.sources.devices import Device
from kit.eeg.sources.network import address, open_socket
from kit.eeg.sources.source import Source, gone, live_chunks, stamped

_NETWORK = "rfc2217"
_SCHEMES = ("socket", _NETWORK, "spy", "hwgrep", "alt", "loop", "sim")


def open_url(url: str, baud: int) -> Source:
    """What the URL names; raises UsageError for one that names nothing."""
    scheme = url.partition("://")[0].lower()
    if scheme == "socket":
        return open_socket(url)
    if scheme not in _SCHEMES:
        raise UsageError(f"unknown kind of source in {url!r}", hint=f"kit knows {', '.join(_SCHEMES)}")
    from kit.eeg.sources.serial import open_by_url, path_of

    if scheme == "hwgrep":
        return Device(path_of(url), baud).open()
    if scheme == _NETWORK:
        address(url)
    port = open_by_url(url, baud)
    return _Waiting(url, port) if not _has_descriptor(port) else _Polled(url, port)


class _Polled:
    """A port with a descriptor, read by a method of its own."""

    live = True

    def __init__(self, name: str, port: Any) -> None:
        self.name = name
        self._port = port

    def chunks(self) -> Iterator[Chunk | Gone]:
        return live_chunks(self.name, self._port.fileno(), self._read)

    def _read(self) -> bytes:
        data = bytes(self._port.read(self._port.in_waiting or 1))
        if not data:
            raise BlockingIOError  # the end of a port is an error to pyserial, so this is none
        return data

    def close(self) -> None:
        from kit.eeg.sources.serial import close

        close(self._port)


class _Waiting:
    """A port without a descriptor: its read waits for the first byte, up to the time it was made with."""

    live = True

    def __init__(self, name: str, port: Any) -> None:
        self.name = name
        self._port = port

    def chunks(self) -> Iterator[Chunk | Gone]:
        port = self._port
        while True:
            try:
                data = bytes(port.read(1))
            except OSError as error:
                yield stamped(_waiting(port))
                raise gone(self.name, error) from None
            yield stamped(data + _waiting(port) if data else b"")

    def close(self) -> None:
        from kit.eeg.sources.serial import close

        close(self._port)


def _waiting(port: Any) -> bytes:
    """What has come already.

    pyserial's thread for RFC 2217 puts it into a queue. Its read refuses to go on when that thread has ended,
    and drops what it has taken out by then.
    """
    data, queue = bytearray(), getattr(port, "_read_buffer", None)
    if queue is None:
        return bytes(port.read(port.in_waiting))
    with contextlib.suppress(Empty):
        while True:
            data += queue.get_nowait() or b""
    return bytes(data)


def _has_descriptor(port: Any) -> bool:
    try:
        port.fileno()
    except (OSError, AttributeError):
        return False
    return True
