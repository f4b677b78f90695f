"""The ports that LSL opened, and keeping them on this machine.

liblsl binds the sockets of a stream on every address; no setting changes that. They are this process' own,
so they are found among its descriptors and bound to the loopback device, where packets from elsewhere do not
match them (SO_BINDTODEVICE in socket(7); any user may since Linux 5.7).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_DESCRIPTORS = Path("/proc/self/fd")
_LOOPBACK = b"lo\0"
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


@dataclass(frozen=True, order=True)
class OpenPort:
    """A port that others may speak to; `confined` if only this machine can."""

    number: int
    transport: Literal["tcp", "udp"]
    confined: bool


def sockets() -> dict[str, int]:
    """The sockets of this process: what /proc calls each, and its descriptor."""
    found: dict[str, int] = {}
    for entry in _DESCRIPTORS.iterdir():
        try:
            name = str(entry.readlink())
        except OSError:
            continue  # closed meanwhile
        if name.startswith("socket:"):
            found[name] = int(entry.name)
    return found


def opened(before: Collection[str], lan: bool) -> list[OpenPort]:
    """The ports of the sockets that were not there before; confined, unless they are to be reached."""
    new = [descriptor for name, descriptor in sockets().items() if name not in before]
    ports = {port for descriptor in new if (port := _port(descriptor, lan))}
    return sorted(ports)


def _port(descriptor: int, lan: bool) -> OpenPort | None:
    with socket.socket(fileno=os.dup(descriptor)) as made:
        if made.family not in _FAMILIES:
            return None
        host, number = made.getsockname()[:2]
        if not number:
            return None
        transport: Literal["tcp", "udp"] = "tcp" if made.type == socket.SOCK_STREAM else "udp"
        confined = not lan and (_confine(made) or host.startswith("127."))
        return OpenPort(number, transport, confined)


def _confine(made: socket.socket) -> bool:
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, _LOOPBACK)
    except OSError:
        return False
    return True
