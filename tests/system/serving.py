"""`kit tls serve` as a process, with its log as it comes, and an agent with certificates for its keys."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.agent.client import AgentClient
from kit.agent.launch import Running, start_agent
from kit.cli.tls.demonstration import KINDS, make_keys

DEADLINE_S = 15


class Serving:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self.first = self.next()
        self.port = int(self.first["port"])

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def next(self) -> dict[str, Any]:
        """The next record of the log."""
        record: dict[str, Any] = json.loads(self._lines.get(timeout=DEADLINE_S))
        return record

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as log:
            for line in log:
                self._lines.put(line)


@contextmanager
def serving(kit_program: str, *arguments: str) -> Iterator[Serving]:
    """Serve on a free port until the block ends."""
    command = [kit_program, "tls", "serve", "--json", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield Serving(process)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


@dataclass(frozen=True)
class Keys:
    """An agent's RSA and P-256 keys, (certificate, handle) by name."""

    running: Running
    client: AgentClient
    pairs: dict[str, tuple[str, str]]
    authorities: str

    def arguments(self, *names: str) -> list[str]:
        """As `kit tls serve` takes them; all of them without a name."""
        words: Sequence[tuple[str, str]] = [self.pairs[name] for name in names or self.pairs]
        return [word for certificate, key in words for word in ("--cert", certificate, "--key", key)]


@contextmanager
def agent_keys(directory: Path) -> Iterator[Keys]:
    """An agent of one's own, with a key of each kind."""
    log = str(directory / "agent.log")
    with start_agent(str(directory / "agent.sock"), log_path=log) as running:
        with AgentClient(running.socket_path) as client:
            pairs = dict(zip(KINDS, make_keys(client, running.socket_path, directory, KINDS), strict=True))
            authorities = directory / "authorities.pem"
            authorities.write_text("".join(Path(pair[0]).read_text() for pair in pairs.values()))
            yield Keys(running, client, pairs, str(authorities))
