"""Who is at the other end of a connected socket, by the kernel's word."""

from __future__ import annotations

import array
import os
import select
import socket

from kit.agent.credentials import credentials
from kit.agent.peers import Peer

# asm-generic/socket.h; Linux 4.13 and 6.5.
_SO_PEERGROUPS, _SO_PEERPIDFD = 59, 77
_NAME_LIMIT = 64


def identify(client: socket.socket) -> Peer:
    """The process that connected, as it was then. Its name is "" if it is gone, or its pid another's now."""
    pid, uid, gid = credentials(client)
    return Peer(uid, gid, _groups(client), pid, _name(client, pid))


def _groups(client: socket.socket) -> frozenset[int]:
    """Its supplementary groups; of a process with more than 256, none, as Python reads no more than that."""
    try:
        return frozenset(array.array("I", client.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 1024)))
    except OSError:
        return frozenset()


def _name(client: socket.socket, pid: int) -> str:
    """Read between two looks at the process: a pid that was given to another process names nobody."""
    watch = _pidfd(client)
    try:
        with open(f"/proc/{pid}/comm", "rb") as comm:  # noqa: PTH123 - pathlib is large
            name = comm.read(_NAME_LIMIT).rstrip(b"\n").decode(errors="replace")
    except OSError:
        return ""
    finally:
        ended = watch is not None and _ended(watch)
    return "" if ended else name


def _pidfd(client: socket.socket) -> int | None:
    try:
        return client.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError:
        return None  # an older kernel, or the process is gone


def _ended(watch: int) -> bool:
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    try:
        return bool(poll.poll(0))
    finally:
        os.close(watch)
