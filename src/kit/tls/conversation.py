"""What is said on a connection beside the handshake: bytes in, answers out, no sockets here."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from kit.core.frozen import frozen


class Next(Enum):
    """What the server does once the answer is sent."""

    GO_ON = auto()
    START_TLS = auto()
    CLOSE = auto()


@frozen
class Answer:
    """Bytes for the peer, and what comes then."""

    send: bytes
    then: Next = Next.GO_ON


@frozen
class Negotiated:
    """What a completed handshake agreed on, in the order in which people read it."""

    version: str
    cipher: str
    bits: int
    group: str | None
    scheme: str | None
    certificate: str | None
    sni: str | None
    resumed: bool


class Conversation(Protocol):
    """One connection's dialogue. With `plain_first` it begins before TLS and asks for START_TLS itself."""

    plain_first: bool

    def greet(self) -> bytes:
        """What the server says before the peer does, on the bare connection."""

    def secured(self, negotiated: Negotiated) -> bytes:
        """TLS stands; what the server says first inside it."""

    def receive(self, data: bytes) -> Answer: ...


class Echo:
    """Every byte comes back."""

    plain_first = False

    def greet(self) -> bytes:
        return b""

    def secured(self, negotiated: Negotiated) -> bytes:
        return b""

    def receive(self, data: bytes) -> Answer:
        return Answer(data)


Beginning = Callable[[], Conversation]
