"""Fixtures of several modules: an agent to borrow, kitchens in which recipes are carried out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import probe_servers
from tests.system.agents import Agent, Lender, lending
from tests.system.kitchen import Kitchen, kitchen


@pytest.fixture(scope="module")
def _lender() -> Iterator[Lender]:
    with lending() as lender:
        yield lender


@pytest.fixture
def lent(_lender: Lender, home: Path) -> Iterator[Agent]:
    """An agent without keys that others had before; its commands run in a home of this test's own."""
    with _lender.lend(home) as agent:
        yield agent


@pytest.fixture
def room(short_tmp: Path) -> Iterator[Kitchen]:
    """Keys that sign what can be seen to be a handshake, and nothing else."""
    probe_servers.needs_root()
    with kitchen(short_tmp, "tls-server tls-client") as made:
        yield made


@pytest.fixture
def lenient(short_tmp: Path) -> Iterator[Kitchen]:
    """Keys that sign digests of TLS's form."""
    probe_servers.needs_root()
    with kitchen(short_tmp, "tls-digest") as made:
        yield made
