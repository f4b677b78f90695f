"""A file's way through the agent, and what is made of an agent that answers something else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kit.agent.queue.format import NotSealed
from kit.agent.queue.messages import (
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
from kit.agent.queue.passage import PIECE_BYTES, find_key, open_with, seal
from kit.core.errors import NegativeAnswer, ProtocolError, UsageError

SEALED = b"\1" + b"i" * 12 + b"ciphertext" + b"t" * 16
KEY = b"k" * 32


class Conversation:
    """An agent whose answers a test chooses by the kind of the question."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[Any] = []
        self.open = 0
        self._answers = {
            "BeginSealing": SealingBegun(b"i" * 12),
            "BeginOpening": OpeningBegun(),
            "EndStream": StreamEnded(b"t" * 16, KEY),
            **answers,
        }

    @contextmanager
    def conversation(self) -> Iterator[Conversation]:
        self.open += 1
        yield self
        self.open -= 1

    def ask(self, request: Any, _answer: type[Any], *, at_least_s: float = 0.0) -> Any:
        self.asked.append(request)
        answer = self._answers.get(type(request).__name__)
        return answer or Piece(memoryview(bytes(reversed(request.piece))))


def test_a_file_is_sealed_piece_by_piece() -> None:
    agent, out = Conversation(), io.BytesIO()
    seal(agent, KEY, io.BytesIO(b"ab" * PIECE_BYTES), out.write)
    assert out.getvalue() == b"\1" + b"i" * 12 + b"ba" * PIECE_BYTES + b"t" * 16
    assert [type(asked) for asked in agent.asked] == [BeginSealing, Continue, Continue, EndStream]
    assert agent.open == 0


def test_a_file_is_checked_and_then_opened() -> None:
    out = io.BytesIO()
    keys = [bytes([number]) * 32 for number in range(3)]
    checking = Conversation(Continue=Piece(memoryview(b"")), EndStream=StreamEnded(b"", keys[1]))
    assert find_key(checking, keys, io.BytesIO(SEALED)) == keys[1]
    assert checking.asked[0] == BeginOpening(tuple(map(Candidate, keys)), b"i" * 12, False)
    assert checking.asked[-1] == EndStream(b"t" * 16)
    agent = Conversation()
    open_with(agent, KEY, io.BytesIO(SEALED), out.write)
    assert agent.asked[0] == BeginOpening((Candidate(KEY),), b"i" * 12, True)
    assert out.getvalue() == b"txetrehpic"


def test_the_agent_is_not_asked_about_what_is_no_sealed_file() -> None:
    agent = Conversation()
    for data in (b"", SEALED[:29], b"\2" + SEALED[1:]):
        with pytest.raises(NotSealed):
            find_key(agent, [KEY], io.BytesIO(data))
    with pytest.raises(UsageError, match="nothing to seal"):
        seal(agent, KEY, io.BytesIO(), lambda _piece: None)
    assert agent.asked == []


LIES: dict[str, dict[str, Any]] = {
    "a short IV": {"BeginSealing": SealingBegun(b"i" * 11)},
    "a short piece": {"Continue": Piece(memoryview(b"x"))},
    "a long piece": {"Continue": Piece(memoryview(b"x" * 11))},
    "no tag": {"EndStream": StreamEnded(b"", KEY)},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_of_another_size_is_no_answer(lie: str) -> None:
    with pytest.raises(ProtocolError, match="where"):
        seal(Conversation(**LIES[lie]), KEY, io.BytesIO(b"ciphertext"), lambda _piece: None)


def test_plaintext_that_nobody_wanted_is_no_answer() -> None:
    with pytest.raises(ProtocolError, match="answers 10 bytes, where 0 are due"):
        find_key(Conversation(), [KEY], io.BytesIO(SEALED))


@pytest.mark.parametrize("found", [b"", b"l" * 32])
def test_a_key_that_was_not_asked_for_fits_nothing(found: bytes) -> None:
    ended = StreamEnded(b"", found)
    with pytest.raises(NegativeAnswer, match="the key does not fit"):
        find_key(Conversation(Continue=Piece(memoryview(b"")), EndStream=ended), [KEY], io.BytesIO(SEALED))
    with pytest.raises(NegativeAnswer, match="it changed while it was opened"):
        open_with(Conversation(EndStream=ended), KEY, io.BytesIO(SEALED), lambda _piece: None)
