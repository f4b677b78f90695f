"""The agent as its bridge sees it: a channel to the supervisor, or none for now.

A new agent finds the bridge of the one before by a socket that only root and the agent's own user may use;
the connection is the channel then, and what the bridge listens with goes along it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import Counter
from collections.abc import Callable, Sequence

from kit.agent.channels import messages
from kit.agent.channels.channel import Channel, ChannelClosed
from kit.agent.credentials import credentials
from kit.core.errors import ProtocolError

_ROOT = 0
# Clients of a user on the way to the agent, also those that left meanwhile. The kernel lets no more be under
# way than a process may have open (ETOOMANYREFS); these are as many as a user may have connected.
_UNDER_WAY_LIMIT = 128
# A flood of bad clients is told of, and not one by one.
_NOTES = 20
# Does a key concern the client, and its connection to a worker, if one has room.
Introduced = Callable[[bool, "socket.socket | None"], None]


class Patron:
    """Introduces clients, and tells how many there are."""

    def __init__(self, channel: Channel) -> None:
        self._channel: Channel | None = channel
        self._pending: dict[int, tuple[int, Introduced, Callable[[], None]]] = {}
        self._under_way: Counter[int] = Counter()
        self._last = self._notes = 0
        self._told = -1
        self.clients: Callable[[], int] = lambda: 0

    @property
    def here(self) -> bool:
        return self._channel is not None

    def fileno(self) -> int:
        """To be read when it is ready; -1 where there is none."""
        return self._channel.fileno() if self._channel else -1

    @property
    def outdated(self) -> bool:
        """Does the agent not know how many clients there are?"""
        return self._channel is not None and self._told != self.clients()

    def attend(self) -> None:
        """Say how many clients there are, if that is news; and let notes be made again."""
        self._notes = 0
        if self.outdated:
            self._attend()

    def note(self, event: str, uid: int, pid: int, why: str) -> None:
        """For the agent's log; some of them until the next `attend`."""
        self._notes += 1
        if self._notes <= _NOTES:
            self._say(messages.Noted(event, uid, pid, why))

    def introduce(
        self, client: socket.socket, uid: int, then: Introduced, absent: Callable[[], None]
    ) -> bool:
        """Have a client connected with a worker: `then`, or `absent` where the agent goes before it answers.
        False where there is no agent or no way to it now, and then neither is called.
        """
        if self._under_way[uid] >= _UNDER_WAY_LIMIT:
            return False
        self._last = (self._last + 1) % 2**32
        self._say(messages.Introduce(self._last), [client.fileno()])
        if self._channel:
            self._pending[self._last] = (uid, then, absent)
            self._under_way[uid] += 1
        return self.here

    def read(self) -> None:
        """Hear what the supervisor says; afterwards it may be gone."""
        while self._channel:
            try:
                if not self._channel.receive(self._hear):
                    return
            except (ChannelClosed, ProtocolError):
                self._lose()

    def admits(self, connected: socket.socket) -> bool:
        """Is this a new agent of ours, and is none here?"""
        return credentials(connected).uid in (_ROOT, os.getuid()) and not self._channel

    def adopt(self, connected: socket.socket) -> None:
        """It serves from now on."""
        self._channel = Channel(connected)
        self._attend()

    def desert(self) -> None:
        """Tell whoever waits for an agent that is gone."""
        if not self._channel:
            pending, self._pending = self._pending, {}
            self._under_way.clear()
            for _, _, absent in pending.values():
                absent()

    def _attend(self) -> None:
        self._told = self.clients()
        self._say(messages.Attending(os.getpid(), self._told))

    def _say(self, message: object, descriptors: Sequence[int] = ()) -> None:
        if self._channel:
            try:
                self._channel.send(messages.encode(message), descriptors)
            except ChannelClosed:
                self._lose()

    def _lose(self) -> None:
        if self._channel:
            self._channel.close()
            self._channel = None

    def _hear(self, data: memoryview, descriptors: list[int]) -> None:
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        message = messages.parse(data)
        if isinstance(message, messages.Introduced):
            pending = self._pending.pop(message.number, None)
            if pending:
                uid, then, _ = pending
                self._under_way -= Counter([uid])
                then(message.admitted, sockets.pop() if sockets else None)
        elif isinstance(message, messages.Alive):
            self._attend()
        for unused in sockets:
            with contextlib.suppress(OSError):
                unused.close()
