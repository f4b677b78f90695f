"""The dialogues that come before TLS (STARTTLS), fed bytes like everything else; one table of them.

A script is a generator over a `Conversation`: it says lines, waits for lines by `yield from`, and returns
when TLS may begin. A peer may not have said more than it was asked for: what it sent before TLS would be
taken for something said inside (the response injection of CVE-2011-0411's kind).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator

from kit.core.errors import NegativeAnswer, ProtocolError
from kit.core.frozen import frozen
from kit.core.text import printable

# A greeting of 100 lines is long; RFC 5321 (section 4.5.3.1.5) allows 512 octets a line.
_LINE_LIMIT, _TOTAL_LIMIT = 4096, 65536

# RFC 5321, section 4.2: Reply-line; the text is the server's affair.
_SMTP_REPLY = re.compile(r"[2-5][0-9]{2}(?:[ -].*)?", re.DOTALL)

Waiting = Generator[None, None, None]


class Refused(NegativeAnswer):
    """The server speaks the protocol and does not start TLS."""


class Conversation:
    """What both sides said and the other has not read yet."""

    def __init__(self, client_name: str) -> None:
        self.client_name = client_name
        self.heard = bytearray()
        self.to_say = bytearray()
        self._heard_in_all = 0

    def hear(self, data: bytes) -> None:
        self._heard_in_all += len(data)
        if self._heard_in_all > _TOTAL_LIMIT:
            raise ProtocolError(f"the peer says more than {_TOTAL_LIMIT} bytes before TLS")
        self.heard += data

    def say(self, line: str) -> None:
        """One line; whatever was heard and not read by now was not asked for."""
        self.must_be_silent()
        self.to_say += line.encode() + b"\r\n"

    def line(self) -> Generator[None, None, str]:
        """The next line that the peer says, without its end."""
        while (end := self.heard.find(b"\n")) < 0:
            if len(self.heard) > _LINE_LIMIT:
                raise ProtocolError(f"the peer's line is longer than {_LINE_LIMIT} bytes")
            yield
        line = bytes(self.heard[:end]).removesuffix(b"\r")
        del self.heard[: end + 1]
        return line.decode("latin-1")

    def must_be_silent(self) -> None:
        if self.heard:
            surplus = printable(bytes(self.heard[:60]).decode("latin-1"))
            raise ProtocolError(f"the peer answered more than was asked: '{surplus}'")


class Dialogue:
    """One dialogue: fed bytes (nothing at first), it gives bytes to send until it is `done`."""

    def __init__(self, script: Callable[[Conversation], Waiting], client_name: str) -> None:
        self._conversation = Conversation(client_name)
        self._waiting = script(self._conversation)
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Raises Refused or ProtocolError; either ends the dialogue."""
        self._conversation.hear(data)
        try:
            next(self._waiting)
        except StopIteration:
            self.done = True
            self._conversation.must_be_silent()
        said = bytes(self._conversation.to_say)
        self._conversation.to_say.clear()
        return said


def _smtp(conversation: Conversation) -> Waiting:
    """RFC 3207 over RFC 5321."""
    yield from _smtp_reply(conversation, "220")
    conversation.say(f"EHLO {conversation.client_name}")
    offers = yield from _smtp_reply(conversation, "250")
    if "STARTTLS" not in {offer.strip().upper() for offer in offers[1:]}:
        raise Refused("the server does not offer STARTTLS")
    conversation.say("STARTTLS")
    yield from _smtp_reply(conversation, "220")


def _smtp_reply(conversation: Conversation, wanted: str) -> Generator[None, None, list[str]]:
    """The texts of a reply (RFC 5321, section 4.2.1): `250-` goes on, `250 ` or a bare `250` ends it."""
    texts: list[str] = []
    code = ""
    while True:
        line = yield from conversation.line()
        if not _SMTP_REPLY.fullmatch(line) or (code and line[:3] != code):
            raise ProtocolError(f"this is no SMTP reply: '{printable(line[:60])}'")
        code = line[:3]
        texts.append(line[4:])
        if line[3:4] != "-":
            break
    if code != wanted:
        raise Refused(f"the server says '{printable(line)}'")
    return texts


@frozen
class Protocol:
    """A protocol with a dialogue: its usual port and its script."""

    port: int
    script: Callable[[Conversation], Waiting]


DIALOGUES = {
    "smtp": Protocol(25, _smtp),
}
