"""`kit tls serve` in a process of its own, for the commands that show or measure it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

from kit.core.errors import Unavailable

# The child asks the kernel for a signal at its parent's death: a killed demonstration leaves no server.
_LAUNCH = """
import sys
from kit.core.process import die_with_parent
die_with_parent(int(sys.argv.pop(1)))
from kit.cli.main import main
main()
"""
_STARTING_S, _ENDING_S = 20, 5


class ServerProcess:
    """A running server; its log is read as it comes, so that it never has to wait for us."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self._listening = threading.Event()
        self._first = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        """Where it listens, as soon as it does."""
        self._listening.wait(_STARTING_S)
        if not self._first:
            raise Unavailable("the server process does not listen")
        return int(json.loads(self._first)["port"])

    def end(self) -> None:
        """Gone when this returns."""
        self._process.terminate()
        try:
            self._process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout  # noqa: S101 - Popen was told to make it
        with self._process.stdout as log:
            self._first = log.readline()
            self._listening.set()
            while os.read(log.fileno(), 65536):
                pass


@contextlib.contextmanager
def server_process(*arguments: str) -> Iterator[ServerProcess]:
    """Run `kit tls serve` with these arguments on a free port of 127.0.0.1."""
    launch = [sys.executable, "-P", "-c", _LAUNCH, str(os.getpid())]
    server = ServerProcess([*launch, "tls", "serve", "--json", "--port", "0", *arguments])
    try:
        yield server
    finally:
        server.end()
