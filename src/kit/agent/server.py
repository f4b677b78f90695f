"""A worker's event loop: clients' sockets on one side, the service's messages on the other; it understands
neither.

One thread does everything. What takes long waits for its turn, and one piece of it is done between two looks
at the sockets, so that it keeps nobody waiting for longer than that. Whatever goes wrong with one client, a
bug in an answer included, ends that client's connection and no other.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from kit.agent.channels.recorder import Recorder
from kit.agent.channels.tallies import AUDIT_FAILING, CLOSED, GONE, MALFORMED, SERVED, Tallies, count
from kit.agent.connection import Closed, Connection
from kit.agent.fault import place
from kit.agent.later import Get, Later, Wait
from kit.agent.operations import Log
from kit.agent.service import Service
from kit.agent.startup import Limits
from kit.agent.uses import Client
from kit.core.errors import ProtocolError, Unavailable

_READ, _WRITE = select.EPOLLIN, select.EPOLLOUT
_BUFFER = 64 * 1024
_EVENTS = 64  # at a time; without a number there would be room for a thousand, made anew for each look
# Deadlines are looked at this often, while there are any.
_TICK_S = 0.25
# Four RSA-2048 signatures, or less than one of RSA-4096. Each answer that leaves alone wakes somebody, which
# costs 6 % of an RSA-2048 signature.
_ROUND_S = 0.001
_DRAIN_S = 2.0
# epoll's clock stands still while the machine sleeps, and its timeout has an end (24 days).
_LONGEST_WAIT_S = 60.0


class Questions(Protocol):
    """The way to the other processes: ask, and `then` is given how to get the reply."""

    def ask(self, wait: Wait, question: Callable[[int], Any], then: Callable[[Get], None]) -> None: ...


class Wakes:
    """What a loop waits with; a worker makes it while it still may."""

    def __init__(self) -> None:
        # Of `selectors`, which is slower by a microsecond a look, nothing else would be used.
        self.epoll = select.epoll()
        self.read_fd, self.write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)


@dataclass(frozen=True)
class Surroundings:
    """What a server needs beside the service."""

    wakes: Wakes
    questions: Questions
    recorder: Recorder
    tallies: Tallies
    index: int
    limits: Limits
    log: Log


class Server:
    """Serves the clients that it is given until it is told to stop."""

    def __init__(self, service: Service, around: Surroundings) -> None:
        self._service, self._questions, self._recorder = service, around.questions, around.recorder
        self._limits, self._log = around.limits, around.log
        self._tallies, self._cells = around.tallies, around.tallies.row(around.index).cells
        self._wakes, self._epoll = around.wakes, around.wakes.epoll
        self._sources: dict[int, Callable[[], None]] = {}  # by descriptor
        self._clients: dict[int, Connection] = {}
        self._outgoing: list[tuple[int, Connection, bytearray]] = []
        self._connections: set[Connection] = set()
        self._waiting: set[Connection] = set()  # those with a deadline
        self._buffer = memoryview(bytearray(_BUFFER))
        self._stop_s = 0.0
        self._stopping = False
        self._accepted = 0
        self._turns: deque[tuple[Connection, Later]] = deque()
        self._unsettled: deque[tuple[int, Connection, bytearray]] = deque()  # until their record is written
        self._again: list[Connection] = []  # those who sent ahead
        self.watch(self._wakes.read_fd, self._woken)

    def watch(self, source: int, callback: Callable[[], None]) -> None:
        """Call back when there is something to read."""
        self._sources[source] = callback
        self._epoll.register(source, _READ)

    def unwatch(self, source: int) -> None:
        del self._sources[source]
        self._epoll.unregister(source)

    def run(self) -> None:
        """Serve until asked to stop, then finish the answers in flight."""
        holding = self._service.operations.holding
        while not (self._stop_s and self._drained()):
            idle = not self._again and not self._turns
            self._see_to(self._epoll.poll(self._timeout_s() if idle else 0, _EVENTS))
            if self._again:
                self._read_again()
            if self._turns:
                # What is quick goes out before, since this takes long.
                self._send_all()
                self._take_turn()
            self._send_all()
            if self._waiting:
                self._tick(time.monotonic())
            holding.expire()
            if self._stopping and not self._stop_s:
                self._stop()

    def _see_to(self, found: list[tuple[int, int]]) -> None:
        """One pass for each message of thousands a second: nothing is made for it but what it is about."""
        clients = self._clients
        for descriptor, _ in found:
            connection = clients.get(descriptor)
            if connection:
                try:
                    self._ready(connection)
                except Exception as error:  # noqa: BLE001 - a bug costs one client
                    self._fail(connection, error)
            elif descriptor in self._sources:
                self._sources[descriptor]()

    def ask_to_stop(self) -> None:
        """Stop soon; may be called by a signal's handler, in the middle of anything."""
        self._stopping = True

    def serve(self, descriptor: int, client: Client) -> None:
        """A connected client, from now on."""
        peer = socket.socket(fileno=descriptor)
        peer.setblocking(False)
        self._accepted += 1
        count(self._cells, SERVED)
        connection = Connection(peer, self._accepted, self._limits.message_bytes, client)
        self._connections.add(connection)
        self._clients[descriptor] = connection
        self._await(connection, _READ)

    def audited(self, written: int, working: bool) -> None:
        """The supervisor's word: so many of this worker's records are in the log, which works or does not."""
        # Nobody shall read that the log works while this worker still refuses.
        self._cells[AUDIT_FAILING] = not working
        self._recorder.settle(written, working)
        self._settle()

    def _settle(self) -> None:
        """Let go of the answers that need not wait any more for the audit log."""
        while self._unsettled and self._unsettled[0][0] <= self._recorder.written:
            _, connection, answer = self._unsettled.popleft()
            self._let_go(connection, answer)
        if self._recorder.working:
            return
        error = Unavailable("the audit log cannot be written, and no key is used without it")
        while self._unsettled:
            _, connection, answer = self._unsettled.popleft()
            answer[:] = bytes(len(answer))
            self._guard(connection, partial(self._refuse, error))

    def _let_go(self, connection: Connection, answer: bytearray) -> None:
        """Send the answer; what goes wrong costs this connection."""
        connection.busy = False
        if connection not in self._connections:
            return
        try:
            connection.wipe_message()
            connection.send(answer)
            self._sent(connection)
        except Exception as error:  # noqa: BLE001 - a bug costs one client
            self._fail(connection, error)

    def _refuse(self, error: Unavailable, connection: Connection) -> None:
        self._let_go(connection, self._service.refuse(connection.message, error))

    def _stop(self) -> None:
        """Read no more, and end when what is in flight is out."""
        self._stop_s = time.monotonic() + _DRAIN_S
        for connection in tuple(self._connections):
            if not connection.busy and not connection.unsent:
                self._close(connection)

    def _drained(self) -> bool:
        return not self._connections or time.monotonic() > self._stop_s

    def _timeout_s(self) -> float:
        if self._waiting or self._stop_s:
            return _TICK_S
        expiry_s = self._service.operations.holding.until_expiry_s()
        return _LONGEST_WAIT_S if expiry_s is None else min(expiry_s, _LONGEST_WAIT_S)

    def _await(self, connection: Connection, interest: int) -> None:
        """Be told when the connection is ready for reading, or writing, or (0) neither."""
        before, connection.interest = connection.interest, interest
        descriptor = connection.socket.fileno()
        if not interest:
            self._epoll.unregister(descriptor)
        elif not before:
            self._epoll.register(descriptor, interest)
        elif interest != before:
            self._epoll.modify(descriptor, interest)

    def _guard(self, connection: Connection, step: Callable[[Connection], None]) -> None:
        """Do the step; what it raises costs this connection."""
        try:
            step(connection)
        except Exception as error:  # noqa: BLE001 - a bug costs one client
            self._fail(connection, error)

    def _fail(self, connection: Connection, error: Exception) -> None:
        """What went wrong costs this connection; a bug's text may hold content."""
        if isinstance(error, ProtocolError):
            count(self._cells, MALFORMED)
            self._log.event("malformed", connection=connection.number, why=str(error))
        elif not isinstance(error, Closed | ConnectionError):
            self._log.event("bug", connection=connection.number, error=type(error).__name__, at=place(error))
        self._close(connection)

    def _ready(self, connection: Connection) -> None:
        if connection.unsent:
            connection.send(connection.unsent)
            self._sent(connection)
        elif connection.busy:
            # It sends ahead: it is read again when it has its answer.
            self._await(connection, 0)
        else:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        message = connection.receive(self._buffer)
        if message is None:
            if connection.begun and not connection.due_s:
                self._set_due(connection, self._limits.message_s)
            return
        if connection.due_s:
            self._set_due(connection, 0)
        connection.message = message
        before = self._recorder.recorded
        self._answer(connection, self._service.handle(message, connection.client), before)

    def _answer(self, connection: Connection, answer: bytearray | Later, before: int) -> None:
        """`before` is how many records there were when the answer was begun: it waits for its own only."""
        if isinstance(answer, Later):
            connection.busy = True
            if answer.wait is Wait.TURN:
                self._turns.append((connection, answer))
            else:
                then = partial(self._told, connection, answer)
                self._questions.ask(answer.wait, answer.work, then)
        else:
            connection.busy = True
            record = self._recorder.recorded
            self._outgoing.append((record if record > before else 0, connection, answer))

    def _send_all(self) -> None:
        """Answers leave behind their records in the audit log, all of a round at once."""
        self._recorder.flush()
        if not self._outgoing:
            return
        outgoing, self._outgoing = self._outgoing, []
        for record, connection, answer in outgoing:
            if self._recorder.unsettled(record):
                self._unsettled.append((record, connection, answer))
            else:
                self._let_go(connection, answer)
        if self._unsettled and not self._recorder.working:
            self._settle()

    def _sent(self, connection: Connection) -> None:
        if connection.unsent:
            if not connection.due_s:
                self._set_due(connection, self._limits.unread_s)
            self._await(connection, _WRITE)
            return
        if connection.due_s:
            self._set_due(connection, 0)
        if self._stop_s:
            raise Closed
        if connection.interest != _READ:
            self._await(connection, _READ)
        if connection.ahead:
            self._again.append(connection)

    def _read_again(self) -> None:
        """No event tells of what was read already."""
        waiting, self._again = self._again, []
        for connection in waiting:
            if connection in self._connections and connection.ahead and not connection.busy:
                self._guard(connection, self._read)

    def _take_turn(self) -> None:
        """A round of what takes long, and one piece of it at least."""
        end_s = time.perf_counter() + _ROUND_S
        while self._turns:
            connection, later = self._turns.popleft()
            self._told(connection, later, later.work)
            if time.perf_counter() > end_s:
                return

    def _told(self, connection: Connection, later: Later, get: Get) -> None:
        self._guard(connection, partial(self._finish, later, get))

    def _finish(self, later: Later, get: Get, connection: Connection) -> None:
        """What was done counts, though the client may be gone; what would come next is not begun then."""
        connection.busy = False
        before = self._recorder.recorded
        try:
            answer = later.finish(get)
        except BaseException:
            connection.wipe_message()
            raise
        if connection in self._connections:
            self._answer(connection, answer, before)
        else:
            connection.wipe_message()

    def _woken(self) -> None:
        os.read(self._wakes.read_fd, 4096)

    def _set_due(self, connection: Connection, within_s: float) -> None:
        if within_s:
            connection.due_s = time.monotonic() + within_s
            self._waiting.add(connection)
        else:
            connection.due_s = 0.0
            self._waiting.discard(connection)

    def _tick(self, now_s: float) -> None:
        for connection in [c for c in self._waiting if c.due_s < now_s]:
            why = "an answer unread" if connection.unsent else "a message half sent"
            self._log.event("timeout", connection=connection.number, why=why)
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._waiting.discard(connection)
        count(self._cells, CLOSED)
        self._tallies.client(connection.client.slot)[GONE] = 1
        del self._clients[connection.socket.fileno()]
        if connection.interest:
            self._epoll.unregister(connection.socket.fileno())
        connection.close()
