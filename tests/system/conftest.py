"""Fixtures of several modules: kitchens in which recipes are carried out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import probe_servers
from tests.system.kitchen import Kitchen, kitchen


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
