"""Bytes from a TCP server by `socket://HOST:PORT`.

pyserial's own client for such URLs throws away what the server sends first, and names no reason that a
program could tell from another.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from kit.core.errors import UsageError
from kit.eeg.records import Chunk, Gone
from kit.eeg.sources.source import READ_SIZE, NotThere, live_chunks

_CONNECT_S = 5.0
# A server that was unplugged says nothing: it is asked after 10 s of silence, and taken for gone at 25 s.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))


class SocketSource:
    """A connection to a server, which is gone when the server closes it."""

    live = True

    def __init__(self, name: str, connection: socket.socket) -> None:
        self.name = name
        self._connection = connection

    def chunks(self) -> Iterator[Chunk | Gone]:
        connection = self._connection
        return live_chunks(self.name, connection.fileno(), lambda: connection.recv(READ_SIZE))

    def close(self) -> None:
        self._connection.close()


def address(url: str) -> tuple[str, int]:
    """The host and port of a URL; raises UsageError where it has none."""
    scheme = url.partition("://")[0]
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise UsageError(
            f"{url!r} does not name a host and a port",
            hint=f"write {scheme}://localhost:5000, or {scheme}://[::1]:5000",
        )
    return host, port


def open_socket(url: str) -> SocketSource:
    """Connect; raises NotThere where nobody answers."""
    host, port = address(url)
    parts = urlsplit(url)
    if parts.query or parts.path.strip("/"):
        raise UsageError(f"{url!r} has more than a host and a port", hint=f"write socket://{parts.netloc}")
    try:
        connection = socket.create_connection((host, port), timeout=_CONNECT_S)
    except (OSError, UnicodeError) as error:
        raise unreachable(url, error) from None
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    return SocketSource(url, connection)


def unreachable(url: str, error: Exception) -> NotThere:
    """Nobody answers there, and why."""
    hint = "is the server running, and is this its address?"
    if isinstance(error, socket.gaierror | UnicodeError):
        return NotThere(f"there is no host of the name in {url!r}", hint=hint)
    if isinstance(error, TimeoutError):
        return NotThere(f"nobody answers at {url!r} within {_CONNECT_S:.0f} s", hint=hint)
    number = getattr(error, "errno", None)
    why = os.strerror(number).lower() if number else "no answer"
    return NotThere(f"nobody answers at {url!r}: {why}", hint=hint)
