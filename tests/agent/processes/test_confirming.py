"""A command decides about a use of a key: its exit status, in its time, one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from kit.agent.peers import Peer
from kit.agent.processes import confirming
from kit.agent.processes.confirming import Confirming
from kit.agent.processes.loop import Loop
from tests.agent.joined import Lines
from tests.descriptors import open_descriptors

PEER = Peer(1000, 1000, frozenset(), 4321, "x'\n\x1b[31m")


class Room:
    """A loop, and the answers to what was asked in it."""

    def __init__(self, **commands: Sequence[str]) -> None:
        self.loop, self.log = Loop(), Lines()
        self.confirming = Confirming(self.loop, {"DISPLAY": ":7"}, self.log)
        self.confirming.commands = commands
        self.answers: list[bool] = []

    def ask(self, key: str = "web") -> None:
        self.confirming.ask(key, "tls-server", PEER, self.answers.append)

    def await_count(self, count: int) -> None:
        while len(self.answers) < count:
            self.loop.once()


@pytest.mark.parametrize(("command", "good"), [("true", True), ("false", False), ("/nonexistent", False)])
def test_the_exit_status_is_the_answer(command: str, good: bool) -> None:
    room = Room(web=[command])
    for count in (1, 2):
        room.ask()
        room.await_count(count)
    assert room.answers == [good] * 2
    assert bool(room.log.of("confirm-failed")) == (command == "/nonexistent")


def test_a_key_without_a_command_is_answered_with_no() -> None:
    room = Room(web=["true"], other=[])
    for name in ("nobody", "other"):
        room.ask(name)
    assert room.answers == [False, False]


def test_a_command_that_hangs_is_ended_and_its_answer_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    room, usual_s = Room(web=["sh", "-c", "exec sleep 60"], other=["true"]), confirming._ANSWER_S

    def answer(good: bool) -> None:
        monkeypatch.setattr(confirming, "_ANSWER_S", usual_s)  # for the next, which is to be in time
        room.answers.append(good)

    monkeypatch.setattr(confirming, "_ANSWER_S", 0.1)
    begin_s = time.monotonic()
    room.confirming.ask("web", "tls-server", PEER, answer)
    room.ask("other")
    room.await_count(2)
    assert room.answers == [False, True]
    assert time.monotonic() - begin_s < 20


def test_its_input_and_output_are_nobodys_and_its_environment_is_what_it_needs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = f'cat >{out}; env >>{out}; pwd >>{out}; echo "$0" >>{out}; ls -l /proc/self/fd >>{out}'
    room = Room(web=["sh", "-c", program])
    room.ask()
    room.await_count(1)
    text = out.read_text()
    environment = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and " " not in line)
    del environment["PWD"]
    assert {"KIT_KEY", "KIT_PURPOSE", "KIT_PEER_NAME", "KIT_PEER_PID", "KIT_PEER_UID"} < set(environment)
    assert environment["DISPLAY"] == ":7"
    assert "HOME" not in environment
    assert "\x1b" not in text
    assert "Allow a use of the key 'web' (tls-server) by " in text
    assert text.count("->") == 4, "three, and the directory that ls reads"


def test_one_question_after_the_other(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    room = Room(web=["sh", "-c", f"mkdir {lock} && sleep 0.02 && rmdir {lock}"])
    for _ in range(5):
        room.ask()
    room.await_count(5)
    assert room.answers == [True] * 5


def test_a_flood_is_answered_with_no_at_once() -> None:
    room = Room(web=["true"])
    for _ in range(100):
        room.ask()
    assert room.answers == [False] * 35, "one is asked, and 64 wait"
    room.await_count(100)
    assert room.answers.count(True) == 65


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_nothing_of_it_is_left_behind() -> None:
    room = Room(web=["true"])
    before, children = open_descriptors(), _children()
    for count in range(1, 6):
        room.ask()
        room.await_count(count)
    assert not open_descriptors() - before
    assert not _children() - children
