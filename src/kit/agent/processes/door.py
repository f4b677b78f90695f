"""The supervisor's door: accepts each client, asks the kernel who it is, and hands it to a worker.

Whom no key and no administration concerns is turned away here, so that a worker never reads a byte of his.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from functools import partial

from kit.agent.channels.tallies import ACCEPTED, REJECTED, Row, count
from kit.agent.operations import Log
from kit.agent.peers import Allowed, Peer
from kit.agent.processes.identity import identify
from kit.agent.processes.loop import Loop
from kit.agent.processes.team import Team

_ACCEPT_AT_ONCE = 16
_PAUSE_S = 0.25
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
# Of the connections, so many are for administrators: whoever may only use a key cannot lock them out.
_RESERVED = 16


class Stranger(Exception):
    """No key concerns this client."""


class Busy(Exception):
    """No worker has room for it now."""


class Door:
    """The listening sockets."""

    def __init__(self, loop: Loop, sockets: Sequence[socket.socket], team: Team, row: Row, log: Log) -> None:
        self._loop, self._sockets, self._team, self._slots = loop, sockets, team, team.slots
        self._cells, self._log = row.cells, log
        self._reserved = min(_RESERVED, team.slots.free // 8)
        self._open = self._closed_for_good = False
        self.admins = self.allowed = Allowed()

    def open(self) -> None:
        """Accept from now on."""
        if not self._open and not self._closed_for_good:
            self._open = True
            for listening in self._sockets:
                self._loop.watch(listening, partial(self._accept, listening))

    def shut(self) -> None:
        """Accept nobody for now; who comes waits in the system's queue."""
        self._open = False
        for listening in self._sockets:
            self._loop.unwatch(listening)

    def close(self) -> None:
        """Accept nobody any more."""
        self.shut()
        self._closed_for_good = True

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            if not self._open:
                return
            try:
                client, _ = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._pause("no descriptor left")
                return  # otherwise the client went away before it was accepted
            with client:
                self._welcome(client)

    def _welcome(self, client: socket.socket) -> None:
        try:
            peer = identify(client)
        except OSError:
            return
        admin = self.admins.admits(peer)
        if not admin and not self.allowed.admits(peer):
            self._reject(peer, "no key names this user")
            return
        if not self._room(0 if admin else self._reserved):
            # Told at once, a client can do something; in the backlog it would hang. Old ones are served.
            self._reject(peer, "too many connections")
            return
        count(self._cells, ACCEPTED)
        self._team.hand(client, peer, admin=admin)

    @property
    def closed(self) -> bool:
        """Is nobody accepted any more?"""
        return self._closed_for_good

    def introduce(self, client: socket.socket) -> socket.socket:
        """A connection to a worker, for who has this other connection; raises Stranger and Busy.

        Whoever comes by a bridge is no administrator: it carries signatures and nothing else.
        """
        try:
            peer = identify(client)
        except OSError:
            raise Stranger from None
        if not self.admins.admits(peer) and not self.allowed.admits(peer):
            self._reject(peer, "no key names this user")
            raise Stranger
        if not self._room(self._reserved):
            self._reject(peer, "too many connections")
            raise Busy
        ours, theirs = socket.socketpair()
        with theirs:
            if not self._team.any_serving or not self._team.hand(theirs, peer, admin=False):
                ours.close()
                raise Busy
        count(self._cells, ACCEPTED)
        return ours

    def _room(self, reserved: int) -> bool:
        if self._slots.free <= reserved:
            self._slots.sweep()
        return self._slots.free > reserved

    def _reject(self, peer: Peer, why: str) -> None:
        count(self._cells, REJECTED)
        self._log.event("reject", uid=peer.uid, pid=peer.pid, why=why)

    def _pause(self, why: str) -> None:
        """Without a descriptor to accept with, the listener would be ready for ever."""
        self._log.event("pause", why=why)
        self.shut()
        self._loop.after(_PAUSE_S, self.open)
