"""A program's connection to a bridge: its conversation, what it is owed, and its link to a worker."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

from kit.agent.bridge.link import Link
from kit.agent.credentials import credentials
from kit.agent.pkcs11.conversation import Ask, Conversation
from kit.agent.pkcs11.framing import BODY_LIMIT
from kit.agent.startup import Limits

# An answer may be thousands of times as long as its request; of them, as much as one may be, and the last.
_UNSENT_LIMIT = BODY_LIMIT


@dataclass(frozen=True)
class Patience:
    """How long a program has. One that introduced itself may be silent for days; one that has not, or stops
    in a request, is none.
    """

    opening_s: float
    request_s: float
    unread_s: float
    # Whoever asked the agent may have to wait for a person's consent, and this is more than that takes.
    answer_s: float = 75.0

    @classmethod
    def within(cls, limits: Limits) -> Patience:
        """As the agent's own clients have it; half a message's time is enough to begin."""
        return cls(limits.message_s / 2, limits.message_s, limits.unread_s)


class Closed(Exception):
    """The program is gone."""


class Customer:
    """A socket, and what belongs to it.

    Each call says that it does not wait: the agent gets the socket to look at, and with it its flags.
    """

    def __init__(self, program: socket.socket, conversation: Conversation, patience: Patience) -> None:
        program.setblocking(False)
        self.socket = program
        self.pid, self.uid, _ = credentials(program)
        self.conversation, self._patience = conversation, patience
        self.link: Link | None = None
        self.ask: Ask | None = None
        self.waiting = False  # for its answer, or for a worker to ask
        self.again = False  # it was sent before, to a worker that is gone
        self.interest = self.link_interest = 0
        self.due_s = time.monotonic() + patience.opening_s  # when its time is over; 0 for never
        self._out = bytearray()

    @property
    def writing(self) -> bool:
        """Is a part of an answer left to send?"""
        return len(self._out) > 0

    def receive(self, buffer: memoryview) -> None:
        """Take in what the program sent; raises Closed and ProtocolError."""
        try:
            got = self.socket.recv_into(buffer[: self.conversation.room], 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionError:
            raise Closed from None
        if not got:
            raise Closed
        self.conversation.feed(buffer[:got])

    def converse(self) -> bool:
        """Answer what can be answered; True where it stands still before the end, with a question for the
        agent in `ask`, or with so many answers that some have to go out first.
        """
        while not self.ask and len(self._out) < _UNSENT_LIMIT:
            step = self.conversation.next()
            if step is None:
                return False
            self.take(step)
        return True

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
            sent = self.socket.send(self._out, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionError:
            raise Closed from None
        del self._out[:sent]

    def reckon(self) -> None:
        """Say how long may pass until something happens, from what it is waiting for now."""
        within_s = 0.0
        if self._out:
            within_s = self._patience.unread_s
        elif self.ask:
            within_s = self._patience.answer_s
        elif not self.conversation.initialized:
            return  # its time began when it connected, whatever it sends
        elif self.conversation.begun:
            within_s = self._patience.request_s
        self.due_s = time.monotonic() + within_s if within_s else 0.0

    def close(self) -> None:
        self.unlink()
        self.socket.close()

    def unlink(self) -> None:
        """Without a worker, for now."""
        if self.link:
            self.link.close()
            self.link, self.link_interest = None, 0
