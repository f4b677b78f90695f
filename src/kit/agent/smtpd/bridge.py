"""The process in the place of smtpd's ca: descriptors in, signatures of the agent out, until smtpd ends.

Without it all of smtpd ends, so only the parent's end or a parent that is none ends it. A request that comes
to nothing is answered so, and costs one handshake; a process of smtpd that breaks the protocol loses its
channel. A channel whose answers are not read is not read either.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
from collections import deque
from typing import Protocol

from kit.agent.channels.channel import descriptors_in
from kit.agent.fault import place
from kit.agent.smtpd.conversation import Introduced, Told, Unwanted, WithParent, WithPeer
from kit.agent.smtpd.log import Log
from kit.agent.smtpd.requests import Request
from kit.core.errors import KitError, ProtocolError

PARENT = 3  # the descriptor with which smtpd starts its processes
_AT_ONCE = 65536
_DESCRIPTORS = 16
_ROOM = socket.CMSG_SPACE(_DESCRIPTORS * 4)


class Signer(Protocol):
    """Signs what smtpd asks for, or raises KitError."""

    def sign(self, request: Request) -> bytes: ...


class _Ended(Exception):
    """Nobody is at the other end any more."""


class _Channel:
    """A stream to another of smtpd's processes."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self.socket.setblocking(False)
        self.descriptors: deque[int] = deque()
        self.unsent = b""

    def receive(self) -> bytes:
        """What is there, nothing where it was a false alarm; raises _Ended."""
        try:
            data, extra, flags, _ = self.socket.recvmsg(_AT_ONCE, _ROOM, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return b""
        except ConnectionError:
            raise _Ended from None
        self.descriptors.extend(descriptors_in(extra))
        if flags & socket.MSG_CTRUNC or len(self.descriptors) > _DESCRIPTORS:
            raise ProtocolError("a process of smtpd sends more descriptors than it may")
        if not data:
            raise _Ended
        return data

    def send(self, data: bytes) -> None:
        """As much as goes; the rest is `unsent`."""
        self.unsent += data
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent, socket.MSG_NOSIGNAL) :]
        except BlockingIOError:
            pass
        except ConnectionError:
            raise _Ended from None

    def take_descriptor(self) -> int:
        if not self.descriptors:
            raise ProtocolError("a process of smtpd announces a descriptor that does not come")
        return self.descriptors.popleft()

    def close(self) -> None:
        self.socket.close()
        while self.descriptors:
            os.close(self.descriptors.popleft())


class Bridge:
    """The loop; made before the sandbox, which takes no more epolls."""

    def __init__(self, signer: Signer, log: Log, descriptor: int = PARENT) -> None:
        self._signer, self._log, self._pid = signer, log, os.getpid()
        self._selector = selectors.DefaultSelector()
        self._parent, self._conversation = _Channel(descriptor), WithParent(self._pid)
        self._peers: dict[_Channel, WithPeer] = {}
        self._selector.register(self._parent.socket, selectors.EVENT_READ, self._parent)

    def run(self) -> None:
        """Until smtpd's parent process ends; raises ProtocolError where it is none."""
        try:
            while True:
                for key, _ in self._selector.select():
                    self._see_to(key.data)
        except _Ended:
            return
        finally:
            self._selector.close()
            for channel in (self._parent, *self._peers):
                channel.close()

    def _see_to(self, channel: _Channel) -> None:
        if channel is self._parent:
            self._read_parent()
            return
        try:
            waited = bool(channel.unsent)
            if waited:
                channel.send(b"")
            else:
                self._read_peer(channel)
            if waited != bool(channel.unsent):
                events = selectors.EVENT_READ if waited else selectors.EVENT_WRITE
                self._selector.modify(channel.socket, events, channel)
        except _Ended:
            self._let_go(channel)
        except ProtocolError as error:
            self._log.warn(str(error))
            self._let_go(channel)

    def _read_parent(self) -> None:
        for event in self._conversation.feed(self._parent.receive()):
            if isinstance(event, Introduced):
                self._meet(event.process, self._parent.take_descriptor())
            elif isinstance(event, Unwanted):
                os.close(self._parent.take_descriptor())
            elif isinstance(event, Told):
                self._parent.send(event.answer)

    def _meet(self, process: int, descriptor: int) -> None:
        channel = _Channel(descriptor)
        self._peers[channel] = WithPeer(process, self._conversation.dialect, self._pid)
        self._selector.register(channel.socket, selectors.EVENT_READ, channel)

    def _read_peer(self, channel: _Channel) -> None:
        conversation = self._peers[channel]
        for event in conversation.feed(channel.receive()):
            if isinstance(event, Unwanted):
                os.close(channel.take_descriptor())
            else:
                channel.send(conversation.answer(event, self._signed(event)))

    def _signed(self, request: Request) -> bytes | None:
        try:
            return self._signer.sign(request)
        except KitError as error:
            self._log.warn(f"no signature with {request.key_name}: {error}")
        except Exception as error:  # noqa: BLE001 - smtpd would end with it; the error's text may hold content
            self._log.warn(f"a bug, no signature: {type(error).__name__} at {place(error)}")
        return None

    def _let_go(self, channel: _Channel) -> None:
        self._selector.unregister(channel.socket)
        del self._peers[channel]
        channel.close()


def ignore_signals() -> None:
    """As smtpd's ca does: a signal to the group of processes is the parent's to see to."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
