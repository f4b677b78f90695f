"""Load on an agent by `signer.c`, and what it found."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.requests import Question
from tests.peers import find

_ANSWER_LIMIT_S = 30.0
_SOURCE = Path(__file__).parent / "signer.c"


@dataclass(frozen=True)
class Group:
    """Connections that ask the same, each again as soon as it is answered."""

    connections: int
    question: Question


@dataclass(frozen=True)
class Answers:
    """What one group got; the times are those of good answers, from the request to the answer's last byte."""

    good: int
    bad: int
    seconds: float
    median_us: int
    p99_us: int
    slowest_us: int

    @property
    def per_second(self) -> float:
        return self.good / self.seconds


@dataclass(frozen=True)
class Load:
    """One run: the groups' answers in the groups' order, and what the program itself took of the CPU."""

    answers: tuple[Answers, ...]
    client_us: int


class Loader:
    """The program, built into a directory; requests lie there, too."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._program = directory / "signer"
        subprocess.run([find("cc"), "-O2", "-o", self._program, _SOURCE], check=True)

    def run(self, socket_path: str, seconds: float, *groups: Group) -> Load:
        """Ask for so long."""
        arguments = []
        for number, group in enumerate(groups):
            request = self._directory / f"request-{number}"
            request.write_bytes(group.question.frame)
            arguments += [str(group.connections), group.question.head.hex(), str(request)]
        command = [str(self._program), socket_path, str(seconds), *arguments]
        limit_s = seconds + _ANSWER_LIMIT_S
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=limit_s)
        return parse(done.stdout)


@contextmanager
def loader() -> Iterator[Loader]:
    """A loader in a directory that goes away."""
    with tempfile.TemporaryDirectory(prefix="kit-") as directory:
        yield Loader(Path(directory))


def parse(output: str) -> Load:
    """What `signer` prints."""
    *lines, last = output.splitlines()
    rows = [line.split() for line in lines]
    answers = (Answers(int(r[0]), int(r[1]), float(r[2]), int(r[3]), int(r[4]), int(r[5])) for r in rows)
    return Load(tuple(answers), int(last))


def signatures(load: Load) -> int:
    """How many there were; ends the bench where anything else was answered."""
    bad = sum(answers.bad for answers in load.answers)
    if bad:
        raise SystemExit(f"{bad} answers were no signature")
    return sum(answers.good for answers in load.answers)
