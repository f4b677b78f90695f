"""The supervisor's bridge: found or forked at the start, watched, and its clients introduced to workers.

A bridge that was left by an agent before this one is taken over with what it listens on. It says nothing that
is believed: who a client is, the kernel tells of the client's own socket.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from kit.agent.bridge.process import run
from kit.agent.bridge.rendezvous import Rendezvous, make, take_over
from kit.agent.channels import messages
from kit.agent.channels.channel import Channel, ChannelClosed, pair
from kit.agent.channels.tallies import BRIDGE_CLIENTS, BRIDGE_PID, Row
from kit.agent.listener import Place
from kit.agent.operations import Log
from kit.agent.processes.door import Busy, Door, Stranger
from kit.agent.processes.loop import Loop
from kit.agent.processes.restarts import Restarts
from kit.agent.startup import Limits
from kit.core.errors import ProtocolError
from kit.core.frozen import frozen
from kit.core.sandbox.plan import Plan

_SILENCE_S, _AGAIN_S = 10.0, 10.0
_MESSAGES_AT_ONCE = 64
# Clients whose question waits for a worker, which takes another's place in milliseconds.
_WAITING_LIMIT = 512


@frozen
class Bridged:
    """A bridge: the channel to it, and its pid where it is a child."""

    channel: Channel
    pid: int = 0


class Bridge:
    """Where it is met, and how to have another one there."""

    def __init__(
        self, rendezvous: Rendezvous, plan: Plan, limits: Limits, first: Bridged | None = None
    ) -> None:
        self.rendezvous, self._plan, self._limits = rendezvous, plan, limits
        self.lives_on = first is not None  # without this agent, as far as is known
        self.first = first or self.fork()

    def fork(self) -> Bridged:
        """As root it gives up more than it can later; raises OSError."""
        ours, theirs = pair()
        pid = os.fork()
        if not pid:
            run(self.rendezvous.descriptors, theirs.detach(), self._plan, self._limits)
        theirs.close()
        return Bridged(Channel(ours), pid)

    def close(self) -> None:
        """Remove what nobody listens on any more."""
        if self.lives_on:
            self.rendezvous.leave()
        else:
            self.rendezvous.close()


def find_or_fork(place: Place, plan: Plan, limits: Limits) -> Bridge:
    """The bridge that is there already, or a new one."""
    found = take_over(place)
    if found:
        return Bridge(found[0], plan, limits, Bridged(found[1]))
    rendezvous = make(place)
    try:
        return Bridge(rendezvous, plan, limits)
    except BaseException:
        rendezvous.close()
        raise


class Bridging:
    """One bridge, and the next one where it ends."""

    def __init__(self, loop: Loop, door: Door, row: Row, log: Log, bridge: Bridge) -> None:
        self._loop, self._door, self._cells, self._log, self._bridge = loop, door, row.cells, log, bridge
        self._restarts = Restarts()
        self._bridged: Bridged | None = None
        self._waiting: deque[tuple[int, socket.socket]] = deque()
        self._silent = False
        self._attended = False
        self._left: Callable[[], None] | None = None

    def begin(self) -> None:
        """From now on."""
        self._take(self._bridge.first)
        self._loop.after(_SILENCE_S, self._watch)

    def serves(self) -> bool:
        """Did it say that it is there?"""
        return self._attended

    def leave(self, left: Callable[[], None]) -> None:
        """The agent ends, the bridge lives on while it has clients; `left` when that is settled."""
        self._left = left
        if not self._say(messages.Alive()):
            self._end(False)

    def retry(self) -> None:
        """A worker may serve now."""
        waiting, self._waiting = self._waiting, deque()
        for number, client in waiting:
            self._introduce(number, client)

    def _take(self, bridged: Bridged) -> None:
        self._bridged, self._silent = bridged, False
        self._cells[BRIDGE_PID], self._cells[BRIDGE_CLIENTS] = bridged.pid, 0
        self._loop.watch(bridged.channel, partial(self._read, bridged))

    def _watch(self) -> None:
        """A bridge that does not answer serves nobody."""
        if self._silent and self._bridged:
            self._log.event("bridge-kill", pid=self._bridged.pid, why="it does not answer")
            self._lose()
        self._silent = self._say(messages.Alive())
        self._loop.after(_SILENCE_S, self._watch)

    def _read(self, bridged: Bridged) -> None:
        try:
            for _ in range(_MESSAGES_AT_ONCE):
                if self._bridged is not bridged or not bridged.channel.receive(self._hear):
                    return
        except (ChannelClosed, ProtocolError):
            self._lose()

    def _hear(self, data: memoryview, descriptors: list[int]) -> None:
        try:
            message = messages.parse(data)
            if isinstance(message, messages.Introduce) and len(descriptors) == 1:
                self._introduce(message.number, _program(descriptors.pop(), self._bridge.rendezvous.path))
            elif isinstance(message, messages.Attending):
                self._heed(message)
            elif isinstance(message, messages.Noted):
                self._log.event(
                    f"bridge-{_word(message.event)}", uid=message.uid, pid=message.pid, why=message.why
                )
            else:
                raise ProtocolError("a bridge says what only others say")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _heed(self, message: messages.Attending) -> None:
        self._silent, self._attended = False, True
        self._cells[BRIDGE_PID], self._cells[BRIDGE_CLIENTS] = message.pid, message.clients
        if self._left:
            self._end(message.clients > 0)

    def _introduce(self, number: int, client: socket.socket) -> None:
        """Connect the client with a worker, which serves it as it would if it had come by itself."""
        try:
            link = self._door.introduce(client)
        except Stranger:
            self._say(messages.Introduced(number, False))
        except OSError:  # no descriptor left
            self._say(messages.Introduced(number, True))
        except Busy:
            if len(self._waiting) < _WAITING_LIMIT and not self._door.closed:
                self._waiting.append((number, client))
                return
            self._say(messages.Introduced(number, True))
        else:
            with link:
                self._say(messages.Introduced(number, True), link)
        client.close()

    def _say(self, message: object, *sockets: socket.socket) -> bool:
        if not self._bridged:
            return False
        try:
            self._bridged.channel.send(messages.encode(message), [each.fileno() for each in sockets])
        except ChannelClosed:
            self._lose()
            return False
        return True

    def _lose(self) -> None:
        """Its clients are without it; another one is there for those who come."""
        bridged, self._bridged = self._bridged, None
        if not bridged:
            return
        self._loop.unwatch(bridged.channel)
        bridged.channel.close()
        self._cells[BRIDGE_PID] = self._cells[BRIDGE_CLIENTS] = 0
        while self._waiting:
            self._waiting.popleft()[1].close()
        if bridged.pid:  # one that was taken over is nobody's to kill: its pid is only what it says
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(bridged.pid, signal.SIGKILL)
                os.waitpid(bridged.pid, 0)
        if self._left:
            self._end(False)
            return
        self._log.event("bridge-ended", pid=bridged.pid)
        soon = self._restarts.allow(time.monotonic())
        self._loop.after(0.0 if soon else _AGAIN_S, self._start)

    def _start(self) -> None:
        if self._left or self._bridged:
            return
        try:
            self._take(self._bridge.fork())
        except OSError as error:
            self._log.event("bridge-failed", why=(error.strerror or "failed").lower())
            self._loop.after(_AGAIN_S, self._start)

    def _end(self, lives_on: bool) -> None:
        self._bridge.lives_on = lives_on
        left, self._left = self._left, lambda: None
        if self._bridged:
            self._loop.unwatch(self._bridged.channel)
            self._bridged.channel.close()
            self._bridged = None
        if left:
            left()


def _program(descriptor: int, path: str) -> socket.socket:
    """The socket of a program that came to this path; raises ProtocolError for anything else.

    A bridge in an attacker's hands has others that the kernel would call root's: the one that it listens on,
    the one that it has from this process.
    """
    try:
        client = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        raise ProtocolError("a bridge introduces what is no socket") from None
    listens = client.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if client.family != socket.AF_UNIX or listens or client.getsockname() != path:
        client.close()
        raise ProtocolError("a bridge introduces what is no program of its own")
    return client


def _word(event: str) -> str:
    return event if event.isidentifier() and event.isascii() else "note"
