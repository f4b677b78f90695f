"""A program's connection to a bridge: its conversation, what it is owed, and its link to a worker.

What a signature passes through has no layers that could be spared: a program asks for thousands a second.
"""

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
# Longer than what asks for a signature; and of what is longer, at a time.
_AT_ONCE, _AT_MOST = 2048, 64 * 1024
_LOOK = socket.MSG_PEEK | socket.MSG_DONTWAIT


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
        self.losses = 0  # how many workers ended over its question
        self.interest = self.link_interest = 0
        self.more = False  # is there more to read, of which no event tells?
        self._seen = 0  # how much of what is on the socket the conversation has already
        self.unsent: bytes | memoryview = b""  # what is left of an answer
        self._opened_s = self.since_s = time.monotonic()  # `since_s`: when something last happened

    def receive(self) -> None:
        """Take in all that the program sent, as far as there is room; raises Closed and ProtocolError.

        What comes last, nearly always a whole request, is left on the socket until `drop`: when it is taken
        off, Linux wakes a program that waits in recv(2) for its answer, to find none (unix_write_space).
        """
        if self._seen:
            self.drop()
        conversation, size = self.conversation, _AT_ONCE
        if conversation.begun:
            size = min(conversation.room, _AT_MOST)
        while size:
            try:
                data = self.socket.recv(size, _LOOK)
            except BlockingIOError:
                return
            except ConnectionError:
                raise Closed from None
            if not data:
                raise Closed
            self._seen = len(data)
            conversation.feed(data)
            if len(data) < size:
                return
            self.drop()
            size = min(conversation.room, _AT_MOST)
        self.more = True

    def drop(self) -> None:
        """Take off the socket what was looked at; raises Closed."""
        if not self._seen:
            return
        try:
            self._seen -= len(self.socket.recv(self._seen, socket.MSG_DONTWAIT))
        except BlockingIOError:
            self._seen = 0  # urgent data, which no client sends, go by themselves
        except ConnectionError:
            raise Closed from None

    def converse(self) -> bool:
        """Answer what can be answered; True where it stands still before the end, with a question for the
        agent in `ask`, or with so many answers that some have to go out first. Raises Closed.
        """
        answers: list[bytes] = []
        size = 0
        while not self.ask and size < _UNSENT_LIMIT:
            step = self.conversation.next()
            if step is None:
                break
            if isinstance(step, Ask):
                self.ask = step
            else:
                answers.append(step)
                size += len(step)
        else:
            step = b""
        if answers:
            self.send(answers[0] if len(answers) == 1 else b"".join(answers))
        return step is not None

    def take(self, step: bytes | Ask) -> None:
        """What came of a question: an answer, which goes out, or the next question; raises Closed."""
        self.waiting, self.losses = False, 0
        if isinstance(step, Ask):
            self.ask = step
        else:
            self.ask = None
            self.send(step)

    def send(self, answer: bytes | memoryview) -> None:
        """Send what the program takes now, and keep the rest; raises Closed."""
        try:
            sent = self.socket.send(answer, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            raise Closed from None
        self.unsent = memoryview(answer)[sent:] if sent < len(answer) else b""

    @property
    def due_s(self) -> float:
        """When its time is over, by what it is waiting for now; 0 for never."""
        if self.unsent:
            return self.since_s + self._patience.unread_s
        if self.ask:
            return self.since_s + self._patience.answer_s
        if not self.conversation.initialized:
            # Its time began when it connected, whatever it sends.
            return self._opened_s + self._patience.opening_s
        return self.since_s + self._patience.request_s if self.conversation.begun else 0.0

    def close(self) -> None:
        self.unlink()
        self.socket.close()

    def unlink(self) -> None:
        """Without a worker, for now."""
        if self.link:
            self.link.close()
            self.link, self.link_interest = None, 0
