"""One cell asked: connect, hold the dialogue, shake hands, all before one deadline."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from dataclasses import field, replace

from kit.core.errors import ProtocolError
from kit.core.frozen import frozen
from kit.core.text import printable
from kit.tls.cells import Ending, Step, Times
from kit.tls.connection import Address, Connection, Deadline, connect
from kit.tls.dialogue import DIALOGUES, Dialogue, Refused
from kit.tls.facts import Facts
from kit.tls.handshake import Handshake
from kit.tls.inquiry import RANDOM_SIZE, Inquiry, Offer
from kit.tls.offer import Question


@frozen
class Attempt:
    """What a connection came to; certificates are still DER."""

    ending: Ending
    step: Step
    error: str = ""
    address: str = ""
    cipher: str = ""
    alert: int | None = None
    forced: bool = True
    facts: Facts = field(default_factory=Facts)
    verified: bool | None = None
    verify_error: str = ""
    times: Times = field(default_factory=Times)


def inquire(
    offer: Offer, question: Question, addresses: list[Address], starttls: str | None, limit_s: float
) -> Attempt:
    """Ask by hand what OpenSSL cannot ask; the certificate stays unseen."""
    inquiry = Inquiry(offer, _sni(question.server_name), os.urandom(RANDOM_SIZE))
    return _Conversation(question, Deadline(limit_s), inquiry).run(addresses, starttls)


def _sni(name: str) -> str:
    """RFC 6066, section 3: an address is no name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name
    return ""


def ask(question: Question, addresses: list[Address], starttls: str | None, limit_s: float) -> Attempt:
    """Ask with verification; if only that fails, ask again without it, for the facts.

    Both share the one limit, so that a server which answers once and then hangs costs no more.
    """
    deadline = Deadline(limit_s)
    first = _Conversation(question, deadline).run(addresses, starttls)
    if not first.verify_error:
        return first
    again = _Conversation(replace(question, verify=False), deadline).run(addresses, starttls)
    facts = again.facts if again.facts.chain else replace(again.facts, chain=first.facts.chain)
    return replace(again, facts=facts, verified=False, verify_error=first.verify_error)


class _Conversation:
    """One connection from its start to its end, and how far it came."""

    def __init__(self, question: Question, deadline: Deadline, inquiry: Inquiry | None = None) -> None:
        self._question, self._deadline = question, deadline
        self._step = Step.CONNECT
        self._address = ""
        self._times = Times()
        self._handshake = inquiry or Handshake(question)

    def run(self, addresses: list[Address], starttls: str | None) -> Attempt:
        try:
            start_s = time.monotonic()
            with connect(addresses, self._deadline) as connection:
                self._address = connection.peer_address
                self._times = replace(self._times, connect_ms=_since(start_s))
                if starttls:
                    self._step = Step.DIALOGUE
                    self._hold_dialogue(connection, starttls)
                self._step = Step.HANDSHAKE
                self._shake_hands(connection)
        except (OSError, EOFError, Refused, ProtocolError) as error:
            return self._attempt(*_blame(error, self._step, self._deadline.limit_s))
        return self._attempt(self._handshake.ending or Ending.CLOSED, self._handshake.error)

    def _hold_dialogue(self, connection: Connection, starttls: str) -> None:
        start_s = time.monotonic()
        dialogue = Dialogue(DIALOGUES[starttls].script, _address_literal(connection.own_address))
        connection.send(dialogue.feed(b""))
        while not dialogue.done:
            data = connection.receive()
            if not data:
                raise EOFError
            connection.send(dialogue.feed(data))
        self._times = replace(self._times, dialogue_ms=_since(start_s))

    def _shake_hands(self, connection: Connection) -> None:
        handshake = self._handshake
        hello = handshake.feed(b"")
        start_s = time.monotonic()
        try:
            connection.send(hello)
            while not handshake.done:
                data = connection.receive()
                if self._times.first_flight_ms is None and data:
                    self._times = replace(self._times, first_flight_ms=_since(start_s))
                if not data:
                    handshake.end_of_stream()
                connection.send(handshake.feed(data))
        finally:
            self._times = replace(self._times, handshake_ms=_since(start_s))
        if handshake.ending in (Ending.COMPLETED, Ending.UNCHECKED):
            connection.send(handshake.close())

    def _attempt(self, ending: Ending, error: str) -> Attempt:
        facts = self._handshake.facts
        # OpenSSL verifies the chain when it comes, before it reads on: whatever ended this, it was not that.
        verified = bool(facts.chain) and ending not in (Ending.REJECTED, Ending.GARBAGE)
        return Attempt(
            ending=ending,
            step=self._step,
            error=error,
            address=self._address,
            cipher=self._handshake.cipher,
            alert=self._handshake.alert,
            forced=self._handshake.forced,
            facts=facts,
            verified=True if verified and self._question.verify else None,
            verify_error=self._handshake.verify_error,
            times=self._times,
        )


def _blame(error: Exception, step: Step, limit_s: float) -> tuple[Ending, str]:
    """What an exception says about the server."""
    if isinstance(error, TimeoutError):
        return (
            Ending.UNREACHABLE if step is Step.CONNECT else Ending.TIMEOUT,
            f"no answer within {limit_s:g} s",
        )
    if isinstance(error, Refused):
        return Ending.REFUSED, str(error)
    if isinstance(error, ProtocolError):
        return Ending.GARBAGE, str(error)
    if isinstance(error, EOFError):
        return Ending.CLOSED, "the server closed the connection before TLS"
    text = printable((error.strerror if isinstance(error, OSError) else None) or str(error)).lower()
    return (Ending.UNREACHABLE if step is Step.CONNECT else Ending.RESET), text


def _since(start_s: float) -> float:
    return round((time.monotonic() - start_s) * 1000, 3)


def _address_literal(address: str) -> str:
    """How a client without a name introduces itself (RFC 5321, section 4.1.3)."""
    bare = address.partition("%")[0]
    return f"[IPv6:{bare}]" if _is_ipv6(bare) else f"[{bare}]"


def _is_ipv6(address: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, address)
    except OSError:
        return False
    return True
