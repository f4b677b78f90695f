"""A channel between two of the agent's processes: whole messages, some with descriptors.

Sequenced packets keep the messages' bounds. What a process reads may hold a key, so one buffer takes every
message and is wiped after each.
"""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
from collections.abc import Callable, Sequence

from kit.agent.encoding import Buffer

# A report on 256 keys that cannot be loaded, in place of 256 others, has the most.
MESSAGE_LIMIT = 256 * 1024
_DESCRIPTORS = 8
_ROOM = 1024 * 1024
_SEND_S = 5.0


class ChannelClosed(Exception):
    """The process at the other end is gone."""


class Channel:
    """One end; reading never blocks, writing waits for the other side for some seconds at most."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.socket = end
        self._buffer = memoryview(bytearray(MESSAGE_LIMIT))

    def fileno(self) -> int:
        return self.socket.fileno()

    def receive(self, take: Callable[[memoryview, list[int]], None]) -> bool:
        """Give the next message to `take`, which must copy what it keeps; False where there is none yet.

        The descriptors that came along belong to `take`. Raises ChannelClosed.
        """
        room = socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)
        try:
            size, extra, flags, _ = self.socket.recvmsg_into([self._buffer], room, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return False
        except ConnectionError:
            raise ChannelClosed from None
        descriptors = descriptors_in(extra)
        if not size:
            raise ChannelClosed
        try:
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                _close_all(descriptors)
                raise ChannelClosed
            take(self._buffer[:size], descriptors)
        finally:
            self._buffer[:size] = bytes(size)
        return True

    def send(self, parts: Sequence[Buffer], descriptors: Sequence[int] = ()) -> None:
        """Send one message; raises ChannelClosed if the other side is gone or takes none for too long."""
        rights = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        )
        while True:
            try:
                self.socket.sendmsg(parts, rights, socket.MSG_NOSIGNAL)
                return
            except BlockingIOError:
                poll = select.poll()
                poll.register(self.socket, select.POLLOUT)
                if not poll.poll(_SEND_S * 1000):
                    raise ChannelClosed from None
            except OSError:
                raise ChannelClosed from None

    def close(self) -> None:
        self.socket.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a new channel, with room for many messages."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
    return ends


def adopt(descriptor: int) -> Channel:
    """The channel whose end came as a descriptor."""
    return Channel(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, descriptor))


def descriptors_in(extra: Sequence[tuple[int, int, bytes]]) -> list[int]:
    """Those that came along as ancillary data."""
    found = array.array("i")
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
