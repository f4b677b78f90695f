"""kit's messages about queue files; field by field in kit-agent-protocol(7). Pure.

A file goes through the agent in pieces: a message that begins, any number with a piece each, one that ends.
A connection has one file under way at a time, and its end is the file's end, too.
"""

from __future__ import annotations

from typing import ClassVar

from kit.agent.fields import flag, octets, rows, secret
from kit.core.frozen import frozen

# smtpd knows no second key; who changes it every year has years of room.
CANDIDATES_LIMIT = 16


@frozen
class Candidate:
    """A key that may fit."""

    key_id: bytes = octets()


@frozen
class BeginSealing:
    """The pieces that follow are plaintext."""

    name: ClassVar[str] = "seal-begin@kit"
    key_id: bytes = octets()


@frozen
class BeginOpening:
    """The pieces that follow are ciphertext; `wanted` is the plaintext, which takes a single key."""

    name: ClassVar[str] = "open-begin@kit"
    candidates: tuple[Candidate, ...] = rows(Candidate, CANDIDATES_LIMIT)
    iv: bytes = octets()
    wanted: bool = flag()


@frozen
class Continue:
    """The next piece."""

    name: ClassVar[str] = "stream@kit"
    piece: memoryview = secret()


@frozen
class EndStream:
    """That was all; `tag` is the one of the file that is being opened, otherwise empty."""

    name: ClassVar[str] = "stream-end@kit"
    tag: bytes = octets()


QueueRequest = BeginSealing | BeginOpening | Continue | EndStream


@frozen
class SealingBegun:
    """The answer to `BeginSealing`: an IV that the agent made."""

    iv: bytes = octets()


@frozen
class OpeningBegun:
    """The answer to `BeginOpening`: nothing to add."""


@frozen
class Piece:
    """The answer to `Continue`: ciphertext, or plaintext where it is wanted."""

    piece: memoryview = secret()


@frozen
class StreamEnded:
    """The answer to `EndStream`: the tag of what was sealed; or the key that the tag fits, empty for none."""

    tag: bytes = octets()
    key_id: bytes = octets()


QueueAnswer = SealingBegun | OpeningBegun | Piece | StreamEnded
