"""Fixtures of the provider's tests: identities of every kind, and an agent that holds their keys."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from kit.agent import AgentClient, start_agent
from kit.agent.launch import Running
from tests.system.provider_scene import KINDS, Identity, make_identity

TLS = ("tls-server", "tls-client")


@pytest.fixture(scope="session")
def scene() -> Iterator[Path]:
    """A directory with an identity of each kind, named after it, whose keys one agent holds for all tests."""
    directory = Path(tempfile.mkdtemp(prefix="kit-", dir="/tmp"))
    socket_path = str(directory / "agent.sock")
    identities = [make_identity(directory, kind, kind, socket_path) for kind in KINDS]
    with start_agent(socket_path, log_path=str(directory / "agent.log")) as _running:
        hand_over(socket_path, identities)
        yield directory
    shutil.rmtree(directory, ignore_errors=True)


def hand_over(socket_path: str, identities: Iterable[Identity], purposes: tuple[str, ...] = TLS) -> None:
    """Give the agent the keys."""
    with AgentClient(socket_path) as client:
        for identity in identities:
            client.add(identity.name, bytearray(identity.der()), purposes)


def agent_with(directory: Path, *identities: Identity, purposes: tuple[str, ...] = TLS) -> Running:
    """An agent of this test alone, at the socket that the handles name."""
    socket_path = str(directory / "agent.sock")
    running = start_agent(socket_path, log_path=str(directory / "agent.log"))
    hand_over(socket_path, identities, purposes)
    return running
