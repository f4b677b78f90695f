"""Clients that misuse the messages about queue files, against a real agent in its sandbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.agent.client import AgentClient
from kit.agent.errors import AgentUnavailable
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
from kit.agent.wire import MESSAGE_LIMIT
from kit.core.errors import KitError, Unavailable, UsageError
from tests.system.agents import Agent, running_agent


@pytest.fixture
def agent(home: Path) -> Iterator[Agent]:
    with running_agent(home, "--sandbox", "strict", "--workers", "1") as running:
        for number in range(16):
            path = home / f"k{number}"
            path.write_text(f"{number:032}")
            path.chmod(0o600)
            running.ok("add", f"k{number}={path}", "--allow", "queue")
        yield running


@pytest.fixture
def client(agent: Agent) -> Iterator[AgentClient]:
    with AgentClient(agent.socket, timeout_s=30) as opened:
        yield opened


def worker_kib(client: AgentClient) -> int:
    """How much memory the worker has in use."""
    (worker,) = (process.pid for process in client.status().processes if process.role == "worker")
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def test_files_that_nobody_ends_disturb_nobody_and_are_forgotten(
    agent: Agent, client: AgentClient, wait_until: Callable[..., None]
) -> None:
    candidates = tuple(Candidate(record.key_id) for record in client.list_keys())
    before = worker_kib(client)
    with ExitStack() as stack:
        for _ in range(200):
            conversation = stack.enter_context(client.conversation())
            conversation.ask(BeginOpening(candidates, bytes(12), False), OpeningBegun)
            conversation.ask(Continue(memoryview(bytes(1000))), Piece)
        assert worker_kib(client) < before + 64 * 1024
        assert agent.kit("seal", "--key", "k3", "k3", "-o", "made").returncode == 0
        assert agent.kit("open", "made").stdout == f"{3:032}"
    wait_until(lambda: client.status().connections == 1, "the end of the connections")


def test_a_flood_of_pieces_is_answered_one_by_one(client: AgentClient) -> None:
    key_id = client.find("k0").key_id
    with client.conversation() as conversation:
        conversation.ask(BeginSealing(key_id), SealingBegun)
        for size in (0, 1, 0, 200_000, 0, 1) * 50:
            piece = conversation.ask(Continue(memoryview(bytes(size))), Piece).piece
            assert len(piece) == size
        assert len(conversation.ask(EndStream(b""), StreamEnded).tag) == 16


def test_too_large_a_piece_costs_the_connection_and_the_file(client: AgentClient) -> None:
    key_id = client.find("k0").key_id
    with client.conversation() as conversation:
        conversation.ask(BeginSealing(key_id), SealingBegun)
        with pytest.raises(AgentUnavailable):
            conversation.ask(Continue(memoryview(bytes(MESSAGE_LIMIT))), Piece)
    with client.conversation() as conversation, pytest.raises(UsageError, match="no file is under way"):
        conversation.ask(Continue(memoryview(b"x")), Piece)


def test_a_key_that_is_removed_ends_every_file_with_it(agent: Agent, client: AgentClient) -> None:
    key_id, other = client.find("k0").key_id, client.find("k1").key_id
    with client.conversation() as first, client.conversation() as second, client.conversation() as third:
        first.ask(BeginSealing(key_id), SealingBegun)
        second.ask(BeginOpening((Candidate(other), Candidate(key_id)), bytes(12), False), OpeningBegun)
        third.ask(BeginSealing(other), SealingBegun)
        agent.ok("remove", "k0")
        for conversation in (first, second):
            with pytest.raises(KitError, match=r"does not hold|removed"):
                conversation.ask(Continue(memoryview(b"x")), Piece)
        assert third.ask(Continue(memoryview(b"x")), Piece)


def test_a_lock_ends_every_file(agent: Agent, client: AgentClient) -> None:
    with client.conversation() as conversation:
        conversation.ask(BeginSealing(client.find("k0").key_id), SealingBegun)
        for command in ("lock", "unlock"):
            assert agent.kit(command, "--passphrase-fd", "0", stdin="secret\n").returncode == 0
        with pytest.raises(Unavailable, match="locked, while the file was under way"):
            conversation.ask(Continue(memoryview(b"x")), Piece)


def test_garbage_as_pieces_gives_garbage_and_never_an_error(client: AgentClient) -> None:
    key_id = client.find("k0").key_id
    with client.conversation() as conversation:
        conversation.ask(BeginOpening((Candidate(key_id),), os.urandom(12), True), OpeningBegun)
        for _ in range(20):
            conversation.ask(Continue(memoryview(os.urandom(5000))), Piece)
        assert conversation.ask(EndStream(os.urandom(16)), StreamEnded) == StreamEnded(b"", b"")
