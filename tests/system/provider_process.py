"""Runs the provider's programs, each in a process whose exit status is looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

REPOSITORY = Path(__file__).parent.parent.parent


def command(
    program: str, directory: Path, *words: str, python: Sequence[str] = (sys.executable,)
) -> list[str]:
    return [*python, "-m", "tests.system.provider_programs", program, str(directory), *words]


def environment() -> dict[str, str]:
    """A crash in C code leaves a traceback of Python."""
    return {**os.environ, "PYTHONFAULTHANDLER": "1", "PYTHONPATH": str(REPOSITORY)}


def run(
    program: str,
    directory: Path,
    *words: str,
    python: Sequence[str] = (sys.executable,),
    timeout_s: float = 120,
) -> list[dict[str, Any]]:
    """What the program told; it has to end well and to leave nothing on standard error."""
    done = subprocess.run(
        command(program, directory, *words, python=python),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=environment(),
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


class Talk:
    """A program that goes on line by line; ends with the block, well."""

    def __init__(self, program: str, directory: Path, *words: str) -> None:
        self._errors = (directory / "stderr").open("w+")
        self.process = subprocess.Popen(
            command(program, directory, *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(),
            cwd=REPOSITORY,
        )
        try:
            self.first = self.told()
        except BaseException:
            self._close()
            raise

    def next(self, line: str = "") -> dict[str, Any]:
        """Let it do one more, as the line says, and tell what it saw."""
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.told()

    def told(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"it ended with {self.process.wait(10)}: {self.errors()}"
        told = json.loads(line)
        assert isinstance(told, dict)
        return told

    def errors(self) -> str:
        """Its standard error so far."""
        self._errors.seek(0)
        return self._errors.read()

    def end(self, timeout_s: float = 20) -> int:
        """End its input; its exit status."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(timeout_s)

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                assert self.end() == 0, self.errors()
        finally:
            self._close()

    def _close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()
