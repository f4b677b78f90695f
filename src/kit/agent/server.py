"""The agent's event loop: sockets on one side, the service's messages on the other; it understands neither.

One thread does everything with sockets. What takes long runs in a lane and comes back through a pipe.
Whatever goes wrong with one client, a bug in an answer included, ends that client's connection and no other.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from kit.agent.connection import Closed, Connection
from kit.agent.lanes import Lanes
from kit.agent.listener import Listener
from kit.agent.operations import ADD, BRIEF, GENERATE, SIGN, UNLOCK, Later, Log
from kit.agent.service import Service
from kit.agent.startup import Limits
from kit.core.errors import ProtocolError

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_BUFFER = 64 * 1024
_UCRED = struct.Struct("iII")  # pid, uid, gid; unix(7)
_ACCEPT_AT_ONCE = 16
# Deadlines are looked at this often, while there are any.
_TICK_S = 0.25
_DRAIN_S = 2.0
# epoll's clock stands still while the machine sleeps, and its timeout has an end (24 days).
_LONGEST_WAIT_S = 60.0
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Server:
    """Serves one listener until it is told to stop."""

    def __init__(self, listener: Listener, service: Service, limits: Limits, log: Log) -> None:
        self._listener, self._service, self._limits, self._log = listener, service, limits, log
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._waiting: set[Connection] = set()  # those with a deadline
        self._buffer = memoryview(bytearray(_BUFFER))
        self._users = {0, os.geteuid()}
        self._stop_s = self._accept_again_s = 0.0
        self._wake_read, self.wake_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        cores = len(os.sched_getaffinity(0))
        self._brief: list[tuple[Connection, Later]] = []
        self._again: list[Connection] = []  # those who sent ahead
        widths = {BRIEF: max(1, cores - 1), SIGN: cores, ADD: 1, GENERATE: 1, UNLOCK: 1}
        self._lanes = Lanes(widths, self.wake_fd)
        self.watch(self._wake_read, self._woken)
        self.watch(listener.socket, self._accept)

    def watch(self, source: Any, callback: Callable[[], None]) -> None:
        """Call back when there is something to read."""
        self._selector.register(source, _READ, callback)

    def unwatch(self, source: Any) -> None:
        self._selector.unregister(source)

    def run(self) -> None:
        """Serve until asked to stop, then finish the answers in flight."""
        operations = self._service.operations
        while not (self._stop_s and self._drained()):
            for key, _ in self._selector.select(self._timeout_s() if self._may_sleep() else 0):
                key.data()
            self._read_again()
            self._do_brief()
            self._collect()
            if self._waiting or self._accept_again_s:
                self._tick(time.monotonic())
            operations.expire()
            if self._service.stopping and not self._stop_s:
                self._stop()

    def _may_sleep(self) -> bool:
        return not self._again and self._lanes.may_sleep()

    def ask_to_stop(self) -> None:
        """Stop soon; may be called by a signal's handler, in the middle of anything."""
        self._service.stopping = True

    def _stop(self) -> None:
        """Accept nobody any more, read no more, and end when what is in flight is out."""
        self._stop_s = time.monotonic() + _DRAIN_S
        if not self._accept_again_s:
            self._selector.unregister(self._listener.socket)
        self._accept_again_s = 0.0
        self._listener.close()
        for connection in tuple(self._connections):
            if not connection.busy and not connection.writing:
                self._close(connection)

    def _drained(self) -> bool:
        return not self._connections or time.monotonic() > self._stop_s

    def _timeout_s(self) -> float | None:
        if self._waiting or self._stop_s or self._accept_again_s:
            return _TICK_S
        expiry_s = self._service.operations.until_expiry_s()
        return None if expiry_s is None else min(expiry_s, _LONGEST_WAIT_S)

    def _accept(self) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                client, _ = self._listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._pause_accepting()
                return  # otherwise the client went away before it was accepted
            self._welcome(client)

    def _welcome(self, client: socket.socket) -> None:
        traffic = self._service.traffic
        pid, uid, _ = _UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        if uid not in self._users:
            traffic.rejected += 1
            self._log.event("reject", uid=uid, pid=pid, why="another user")
            client.close()
            return
        if len(self._connections) >= self._limits.connections:
            # Told at once, a client can do something; in the backlog it would hang. Old ones are served.
            traffic.rejected += 1
            self._log.event("reject", uid=uid, pid=pid, why="too many connections")
            client.close()
            return
        client.setblocking(False)
        traffic.accepted += 1
        connection = Connection(client, traffic.accepted, self._limits.message_bytes)
        self._connections.add(connection)
        traffic.connections = len(self._connections)
        self._await(connection, _READ)

    def _pause_accepting(self) -> None:
        """Without a descriptor to accept with, the listener would be ready for ever."""
        self._selector.unregister(self._listener.socket)
        self._accept_again_s = time.monotonic() + _TICK_S
        self._log.event("pause", why="no descriptor left")

    def _await(self, connection: Connection, interest: int) -> None:
        """Be told when the connection is ready for reading, or writing, or (0) neither."""
        before, connection.interest = connection.interest, interest
        if not interest:
            self._selector.unregister(connection.socket)
        elif not before:
            step = partial(self._guard, connection, self._ready)
            self._selector.register(connection.socket, interest, step)
        elif interest != before:
            key = self._selector.get_key(connection.socket)
            self._selector.modify(connection.socket, interest, key.data)

    def _guard(self, connection: Connection, step: Callable[[Connection], None]) -> None:
        """Do the step; what it raises costs this connection."""
        try:
            step(connection)
        except (Closed, ConnectionError):
            self._close(connection)
        except ProtocolError as error:
            self._service.traffic.malformed += 1
            self._log.event("malformed", connection=connection.number, why=str(error))
            self._close(connection)
        except Exception as error:  # noqa: BLE001 - a bug costs one client; its text may hold content
            self._log.event("bug", connection=connection.number, error=type(error).__name__, at=_place(error))
            self._close(connection)

    def _ready(self, connection: Connection) -> None:
        if connection.writing:
            connection.flush()
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
        answer = self._service.handle(message)
        if isinstance(answer, Later):
            connection.busy = True
            if answer.lane == BRIEF:
                self._brief.append((connection, answer))
            else:
                self._lanes.submit(answer.lane, (connection, answer), answer.work)
        else:
            self._reply(connection, answer)

    def _reply(self, connection: Connection, answer: bytearray) -> None:
        connection.wipe_message()
        connection.send(answer)
        self._sent(connection)

    def _sent(self, connection: Connection) -> None:
        if connection.writing:
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
        if connection.sent_ahead:
            self._again.append(connection)

    def _read_again(self) -> None:
        """No event tells of what was read already."""
        waiting, self._again = self._again, []
        for connection in waiting:
            if connection in self._connections and connection.sent_ahead and not connection.busy:
                self._guard(connection, self._read)

    def _do_brief(self) -> None:
        """Do one piece of brief work here, and give the others to the lane.

        For a single client no thread has to wake, and for many the loop's core signs, too.
        """
        if not self._brief:
            return
        (connection, later), *others = self._brief
        self._brief = []
        for other in others:
            self._lanes.submit(BRIEF, other, other[1].work)
        self._guard(connection, partial(self._finish, later, later.work))

    def _woken(self) -> None:
        os.read(self._wake_read, 4096)

    def _collect(self) -> None:
        for (connection, later), get in self._lanes.collect():
            self._guard(connection, partial(self._finish, later, get))

    def _finish(self, later: Later, get: Callable[[], Any], connection: Connection) -> None:
        """What was done counts, though the client may be gone."""
        connection.busy = False
        try:
            answer = later.finish(get)
        finally:
            connection.wipe_message()
        if connection in self._connections:
            self._reply(connection, answer)

    def _set_due(self, connection: Connection, within_s: float) -> None:
        if within_s:
            connection.due_s = time.monotonic() + within_s
            self._waiting.add(connection)
        else:
            connection.due_s = 0.0
            self._waiting.discard(connection)

    def _tick(self, now_s: float) -> None:
        for connection in [c for c in self._waiting if c.due_s < now_s]:
            why = "an answer unread" if connection.writing else "a message half sent"
            self._log.event("timeout", connection=connection.number, why=why)
            self._close(connection)
        if self._accept_again_s and now_s > self._accept_again_s:
            self._accept_again_s = 0.0
            self.watch(self._listener.socket, self._accept)

    def _close(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._waiting.discard(connection)
        self._service.traffic.connections = len(self._connections)
        if connection.interest:
            self._selector.unregister(connection.socket)
        connection.close()


def _place(error: Exception) -> str:
    """Where it was raised; no text of the error, which may quote what a client sent."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else "?"  # noqa: PTH119
