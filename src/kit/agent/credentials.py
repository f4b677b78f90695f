"""Which process connected a Unix socket, by the kernel's word; SO_PEERCRED in unix(7)."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

_UCRED = struct.Struct("iII")


class Credentials(NamedTuple):
    """As they were when it connected."""

    pid: int
    uid: int
    gid: int


def credentials(connected: socket.socket) -> Credentials:
    """Raises OSError."""
    return Credentials(
        *_UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    )
