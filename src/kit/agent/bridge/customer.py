"""A program's connection to a bridge: its conversation, what it is owed, and its link to a worker."""

from __future__ import annotations

import socket
import struct
import time

from kit.agent.bridge.link import Link
from kit.agent.pkcs11.conversation import Ask, Conversation

_UCRED = struct.Struct("iII")  # pid, uid, gid; unix(7)
# A program that introduced itself may be silent for days. One that has not, or stops in a request, is not
# one; whoever asked the agent may have to wait for a person's consent, and this is more than that takes.
_OPENING_S, _REQUEST_S, _UNREAD_S, _ANSWER_S = 5.0, 10.0, 30.0, 75.0


class Closed(Exception):
    """The program is gone."""


class Customer:
    """A non-blocking socket, and what belongs to it."""

    def __init__(self, program: socket.socket, conversation: Conversation) -> None:
        program.setblocking(False)
        self.socket = program
        self.pid, self.uid, _ = _UCRED.unpack(
            program.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        )
        self.conversation = conversation
        self.link: Link | None = None
        self.ask: Ask | None = None
        self.waiting = False  # for its answer, or for a worker to ask
        self.again = False  # it was sent before, to a worker that is gone
        self.interest = self.link_interest = 0
        self.due_s = time.monotonic() + _OPENING_S  # when its time is over; 0 for never
        self._out = bytearray()

    @property
    def writing(self) -> bool:
        """Is a part of an answer left to send?"""
        return len(self._out) > 0

    def receive(self, buffer: memoryview) -> None:
        """Take in what the program sent; raises Closed and ProtocolError."""
        try:
            got = self.socket.recv_into(buffer[: self.conversation.room])
        except BlockingIOError:
            return
        except ConnectionError:
            raise Closed from None
        if not got:
            raise Closed
        self.conversation.feed(buffer[:got])

    def converse(self) -> None:
        """Answer what can be answered; at a question for the agent it stands still, with `ask` set."""
        while not self.ask:
            step = self.conversation.next()
            if step is None:
                return
            self.take(step)

    def take(self, step: bytes | Ask) -> None:
        """An answer, or the next question."""
        self.waiting = self.again = False
        if isinstance(step, bytes):
            self.ask = None
            self._out += step
        else:
            self.ask = step

    def flush(self) -> None:
        """Send what the program takes now; raises Closed."""
        if not self._out:
            return
        try:
            sent = self.socket.send(self._out)
        except BlockingIOError:
            return
        except ConnectionError:
            raise Closed from None
        del self._out[:sent]

    def reckon(self) -> None:
        """Say how long may pass until something happens, from what it is waiting for now."""
        within_s = 0.0
        if self._out:
            within_s = _UNREAD_S
        elif self.ask:
            within_s = _ANSWER_S
        elif not self.conversation.initialized:
            return  # its time began when it connected, whatever it sends
        elif self.conversation.begun:
            within_s = _REQUEST_S
        self.due_s = time.monotonic() + within_s if within_s else 0.0

    def close(self) -> None:
        self.unlink()
        self.socket.close()

    def unlink(self) -> None:
        """Without a worker, for now."""
        if self.link:
            self.link.close()
            self.link, self.link_interest = None, 0
