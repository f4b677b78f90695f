"""A real agent for a test, started and stopped by the commands that users have."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests import forked
from tests.forked import KIT
from tests.system.family import left


@dataclass(frozen=True)
class Agent:
    """A running agent, and ways to talk to it."""

    socket: str
    pid: int
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KIT_AGENT_SOCK": self.socket, "SSH_AUTH_SOCK": self.socket}

    def run(
        self, *command: str | Path, stdin: str | None = None, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the agent's environment and the test's directory, to its end."""
        environment = {**self.environment, **(extra or {})}
        if command[0] == KIT:
            arguments = [str(part) for part in command[1:]]
            return forked.run(arguments, env=environment, cwd=self.directory, stdin=stdin)
        return subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=60,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            env=environment,
            cwd=self.directory,
            check=False,
        )

    def kit(self, *arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """`kit agent …`, whatever its status."""
        return self.run(KIT, "agent", *arguments, stdin=stdin)

    def ok(self, *arguments: str | Path) -> str:
        """What `kit agent …` prints; it must succeed."""
        done = self.kit(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def keys(self) -> dict[str, dict[str, Any]]:
        """The keys by name."""
        records = [json.loads(line) for line in self.ok("list", "--json").splitlines()]
        return {record["name"]: record for record in records}


def alive(pid: int) -> bool:
    """Is there such a process, and is it no zombie?"""
    return bool(left([pid]))


@contextlib.contextmanager
def running_agent(directory: Path, *options: str) -> Iterator[Agent]:
    """An agent in the background; gone at the end, whatever happened."""
    path = str(directory / "agent.sock")
    done = forked.run(["agent", "start", "--socket", path, "--json", *options], env=os.environ)
    assert done.returncode == 0, done.stderr
    agent = Agent(path, json.loads(done.stdout)["pid"], directory)
    try:
        yield agent
    finally:
        if alive(agent.pid):
            agent.kit("stop")
        await_end(agent.pid)


class Lender:
    """One agent for tests that leave it as they found it, or do not mind: without keys, and unlocked.

    Where one was stopped, locked or killed, the next test gets another.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        self._directory, self._options = directory, options
        self._agents = contextlib.ExitStack()
        self._agent: Agent | None = None

    @contextlib.contextmanager
    def lend(self, directory: Path) -> Iterator[Agent]:
        """The agent, whose commands run in this directory."""
        if not self._agent:
            self._agent = self._agents.enter_context(running_agent(self._directory, *self._options))
        yield replace(self._agent, directory=directory)
        if not alive(self._agent.pid) or self._agent.kit("remove", "--all").returncode:
            self.end()

    def end(self) -> None:
        self._agents.close()
        self._agent = None


@contextlib.contextmanager
def lending(*options: str) -> Iterator[Lender]:
    """A lender of agents with these options, in a directory of its own, which "{}" in an option names."""
    with tempfile.TemporaryDirectory(prefix="kit-", dir="/tmp") as directory:
        lender = Lender(Path(directory), *(option.format(directory) for option in options))
        try:
            yield lender
        finally:
            lender.end()


def await_end(pid: int) -> None:
    """The process ends within some seconds."""
    end = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < end, f"process {pid} does not end"
        time.sleep(0.01)
