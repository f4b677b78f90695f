"""Where a key for queue files stands in memory: with those who hold keys, and nowhere after that."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.tls.memscan import snapshot
from tests.system.agents import Agent, running_agent
from tests.system.family import family

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read the agent's memory")
LINES = {name: secrets.token_hex(16) for name in ("configured", "added")}


@pytest.fixture
def agent(home: Path) -> Iterator[Agent]:
    for name, line in LINES.items():
        (home / name).write_text(line + "\n")
        (home / name).chmod(0o600)
    configuration = home / "agent.toml"
    configuration.write_text(
        f'[keys.configured]\nfile = "{home}/configured"\npurposes = ["queue"]\npeers = ["uid:0"]\n'
    )
    with running_agent(home, "--config", str(configuration), "--workers", "2") as running:
        running.ok("add", f"added={home}/added", "--allow", "queue")
        for name in LINES:
            running.ok("seal", "agent.toml", "--key", name, "-o", "sealed")
            assert running.ok("open", "sealed") == configuration.read_text()
        yield running


def times(pid: int, line: str) -> int:
    """How often half of the line, or more, stands in the memory of a process."""
    copy = snapshot(pid)
    return max(
        sum(region.memory.count(half) for region in copy.regions)
        for half in (line[:16].encode(), line[16:].encode())
    )


@pytest.mark.parametrize("name", LINES)
def test_a_key_stands_once_where_keys_are_held_and_is_gone_when_removed(agent: Agent, name: str) -> None:
    processes = family(agent.socket)
    assert times(processes.supervisor, LINES[name]) == 0
    # The octets, and in OpenSSL's schedule of a file that has ended, until that memory is used again.
    assert all(1 <= times(pid, LINES[name]) <= 2 for pid in processes.holders)
    agent.ok("remove", name)
    assert [times(pid, LINES[name]) for pid in processes.everybody] == [0] * 4
