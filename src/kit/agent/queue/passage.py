"""Files on their way through the agent: sealed in one passage, opened in two.

The first passage of a file that is to be opened only checks its tag, and finds out whose it is. The plaintext
comes with the second, at whose end the tag is checked again: the file may have changed in between. What is
held of a file at a time is a piece of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any, Protocol

from kit.agent.queue.format import IV_BYTES, TAG_BYTES, Splitter, head
from kit.agent.queue.messages import (
    CANDIDATES_LIMIT,
    BeginOpening,
    BeginSealing,
    Candidate,
    Continue,
    EndStream,
    OpeningBegun,
    Piece,
    SealingBegun,
    StreamEnded,
)
from kit.core.errors import NegativeAnswer, ProtocolError, Unavailable, UsageError

# Half of the largest message: with more, the agent's other clients would wait longer for their turn.
PIECE_BYTES = 128 * 1024
# A person may be asked first.
_BEGIN_S = 70.0


class Unreadable(Unavailable):
    """The file that was to be sealed or opened cannot be read."""


class Source(Protocol):
    """What is sealed or opened; opening reads it twice."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, /) -> int: ...


class Conversation(Protocol):
    """What is needed of a connection to the agent."""

    def ask(self, request: Any, answer: type[Any], *, at_least_s: float = 0.0) -> Any: ...


class Agent(Protocol):
    """What is needed of the client."""

    def conversation(self) -> AbstractContextManager[Conversation]: ...


def seal(agent: Agent, key_id: bytes, source: Source, write: Callable[[Any], object]) -> None:
    """Seal what `source` holds, as it comes."""
    pieces = _pieces(source)
    first = next(pieces, b"")
    if not first:
        raise UsageError("there is nothing to seal: it is empty, and could never be opened")
    with agent.conversation() as conversation:
        begun: SealingBegun = conversation.ask(BeginSealing(key_id), SealingBegun, at_least_s=_BEGIN_S)
        write(head(_sized(begun.iv, IV_BYTES)))
        for plaintext in chain((first,), pieces):
            write(_continue(conversation, plaintext, len(plaintext)))
        ended: StreamEnded = conversation.ask(EndStream(b""), StreamEnded)
        write(_sized(ended.tag, TAG_BYTES))


def find_key(agent: Agent, key_ids: Sequence[bytes], source: Source) -> bytes:
    """The key that opens the sealed file; raises NotSealed where it is none, NegativeAnswer for no key."""
    for at in range(0, len(key_ids), CANDIDATES_LIMIT):
        some = key_ids[at : at + CANDIDATES_LIMIT]
        found = _pass(agent, some, source, None)
        if found in some:
            return found
    keys = "the key does not fit" if len(key_ids) == 1 else f"none of {len(key_ids)} keys fits"
    raise NegativeAnswer(
        f"it does not open: {keys}",
        hint="it was changed or cut off, or sealed with another key",
    )


def open_with(agent: Agent, key_id: bytes, source: Source, write: Callable[[Any], object]) -> None:
    """The plaintext of the sealed file; it is worth nothing unless this returns."""
    if _pass(agent, [key_id], source, write) != key_id:
        raise NegativeAnswer("it changed while it was opened")


def _pass(
    agent: Agent, key_ids: Sequence[bytes], source: Source, write: Callable[[Any], object] | None
) -> bytes:
    """Once from begin to end; which key fits."""
    source.seek(0)
    splitter, begun = Splitter(), False
    with agent.conversation() as conversation:
        for data in _pieces(source):
            ciphertext = splitter.feed(data)
            if ciphertext and not begun:
                candidates = tuple(map(Candidate, key_ids))
                begin = BeginOpening(candidates, splitter.iv, write is not None)
                conversation.ask(begin, OpeningBegun, at_least_s=_BEGIN_S)
                begun = True
            if ciphertext:
                plaintext = _continue(conversation, ciphertext, len(ciphertext) if write else 0)
                if write:
                    write(plaintext)
        ended: StreamEnded = conversation.ask(EndStream(splitter.end()), StreamEnded)
    return ended.key_id


def _continue(conversation: Conversation, piece: bytes, size: int) -> memoryview:
    answer: Piece = conversation.ask(Continue(memoryview(piece)), Piece)
    _sized(answer.piece, size)
    return answer.piece


def _sized(octets: Any, size: int) -> Any:
    if len(octets) != size:
        raise ProtocolError(f"the agent answers {len(octets)} bytes, where {size} are due")
    return octets


def _pieces(source: Source) -> Iterator[bytes]:
    while True:
        try:
            piece = source.read(PIECE_BYTES)
        except OSError as error:
            raise Unreadable(f"it cannot be read: {(error.strerror or 'failed').lower()}") from None
        if not piece:
            return
        yield piece
