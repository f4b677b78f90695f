"""One connection to the agent: a question out, its answer in, within a time limit.

A call that does not end in order, by a signal's exception as well, must be the connection's last: a late
answer would meet the next question. Nothing here catches what a signal handler may raise: the socket does not
block, waiting is `poll`, and only the errors of a lost connection are caught.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import time

from kit.agent.errors import AgentTimeout, AgentUnavailable
from kit.agent.wire import MESSAGE_LIMIT
from kit.core.framing import FrameReader

_BUFFER = 16 * 1024
_RETRY_S = 0.005


class Gone(Exception):
    """The agent closed the connection."""


class Link:
    """A connection that belongs to one thread of one process."""

    def __init__(self, path: str, deadline_s: float) -> None:
        self.pid = os.getpid()
        self._path = path
        self._said_more = False  # than was asked for
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._buffer = memoryview(bytearray(_BUFFER))
        try:
            self._connect(deadline_s)
        except BaseException:
            self._socket.close()
            raise

    @property
    def dead(self) -> bool:
        """Did the agent close it, or say something that nobody asked for?"""
        return self._said_more or bool(self._poll.poll(0))

    def ask(self, question: bytearray, deadline_s: float) -> bytearray:
        """The answer to a framed question; raises Gone or AgentTimeout."""
        try:
            self._send(memoryview(question), deadline_s)
            return self._receive(deadline_s)
        except (ConnectionResetError, BrokenPipeError):
            raise Gone from None

    def await_end(self, deadline_s: float) -> None:
        """Wait until the agent closes the connection."""
        self._wait(select.POLLIN, deadline_s)

    def close(self) -> None:
        self._socket.close()

    def __del__(self) -> None:
        # A thread that ends takes its connection with it. A signal can end __init__ before there is one.
        if hasattr(self, "_socket"):
            self._socket.close()

    def _connect(self, deadline_s: float) -> None:
        while True:
            error = self._socket.connect_ex(self._path)
            if error == 0:
                return
            if error != errno.EAGAIN:
                raise AgentUnavailable(
                    f"no agent answers on {self._path!r}: {os.strerror(error).lower()}",
                    hint="start one with 'kit agent start'",
                )
            # The backlog is full, and poll cannot tell when it is not.
            if time.monotonic() > deadline_s:
                raise self._too_late()
            time.sleep(_RETRY_S)

    def _send(self, rest: memoryview, deadline_s: float) -> None:
        while True:
            with contextlib.suppress(BlockingIOError):
                rest = rest[self._socket.send(rest) :]
            if not rest:
                return
            self._wait(select.POLLOUT, deadline_s)

    def _receive(self, deadline_s: float) -> bytearray:
        reader = FrameReader(MESSAGE_LIMIT)
        while True:
            self._wait(select.POLLIN, deadline_s)
            try:
                got = self._socket.recv_into(self._buffer)
            except BlockingIOError:
                continue
            if not got:
                raise Gone
            answers = list(reader.feed(self._buffer[:got]))
            self._buffer[:got] = bytes(got)
            if answers:
                self._said_more = len(answers) > 1 or reader.pending > 0
                return answers[0]

    def _wait(self, event: int, deadline_s: float) -> None:
        self._poll.modify(self._socket, event)
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or not self._poll.poll(left_s * 1000):
            raise self._too_late()

    def _too_late(self) -> AgentTimeout:
        return AgentTimeout(f"the agent on {self._path!r} did not answer in time")
