"""Whole sessions of kit eeg view, looked at on a screen as a person does (pyte)."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pyte

from tests.system.agents import KIT
from tests.system.terminal import Terminal, at_terminal

ENVIRONMENT = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "COLORTERM": ""}
COLUMNS, ROWS = 90, 26


class Person:
    """Looks at a screen, and types."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self._screen)

    @property
    def screen(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def cursor_hidden(self) -> bool:
        return bool(self._screen.cursor.hidden)

    def wait_for(self, *texts: str, gone: Sequence[str] = ()) -> None:
        """Look until all of these are there, and none of those."""
        self.wait_until(
            lambda: all(t in self.screen for t in texts) and not any(t in self.screen for t in gone)
        )

    def wait_until(self, seen: Callable[[], bool]) -> None:
        end = time.monotonic() + 20
        while not seen():
            assert time.monotonic() < end, f"it is not to be seen:\n{self.screen}"
            self._feed(self.terminal.read_some())

    def _feed(self, text: str) -> None:
        """pyte has one screen only: going to the other one, and back, is taken as an empty one."""
        self._stream.feed(re.sub(r"\x1b\[\?1049[hl]", "\x1b[2J\x1b[H", text))

    def type(self, text: str) -> None:
        self.terminal.type(text)

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)
        self.terminal.resize(columns, rows)

    def end(self) -> int:
        """See what it ends with; the exit status."""
        self.terminal.seen = ""
        status = self.terminal.end()
        self._feed(self.terminal.seen)
        return status


@contextmanager
def person_at(*command: str, **environment: str) -> Iterator[Person]:
    with at_terminal(command, {**ENVIRONMENT, **environment}) as terminal:
        terminal.resize(COLUMNS, ROWS)
        yield Person(terminal)


def test_a_session_from_the_first_sample_to_the_last_picture() -> None:
    with person_at(KIT, "eeg", "view", "sim:seed=3,fault=lost:at=0.3:burst=20") as person:
        person.wait_for("0:00", "▾20 lost", "+100", "µV", "░", " Hz", "ms")
        assert person.cursor_hidden
        person.type("+")
        person.wait_for("+50", gone=["+100"])
        person.type("?")
        person.wait_for("begin or end a recording")
        person.type("\x1b")
        person.wait_for("+50", gone=["begin or end"])
        person.type("meyes shut\r")
        person.wait_for("▾eyes shut", gone=["mark:"])
        person.type("b3")
        person.wait_for("alpha")
        person.resize(60, 20)
        person.wait_for("+50", "alpha", "? help")
        person.type(" ")
        person.wait_for("paused")
        person.type("q")
        assert person.end() == 0
        assert person.terminal.echoes
        assert not person.cursor_hidden
        assert "paused" in person.screen
        assert "20 lost" in person.screen.splitlines()[-2] + person.screen.splitlines()[-3]


def test_the_end_of_what_is_piped_in_leaves_the_last_picture() -> None:
    simulate = f"{KIT} eeg simulate --stdout --speed max --duration 9 --seed 3"
    with person_at("sh", "-c", f"{simulate} | {KIT} eeg read - | {KIT} eeg view --ascii --sweep") as person:
        person.wait_for("the input ended: q quits", "2,304 packets", "0:07")
        person.type(" \x1b[D\x1b[D")
        person.wait_for("paused, 2.0 s ago", "0:04", gone=["0:08", "kit:"])
        assert person.screen.isascii()
        person.type("q")
        assert person.end() == 0
        assert "the input ended - paused, 2.0 s ago" in person.screen


def test_it_steps_aside_for_the_shell_and_comes_back() -> None:
    with person_at("sh", "-c", f"set -m; {KIT} eeg view sim:; echo aside; read line; fg; echo $?") as person:
        person.wait_for("0:00", "+100")
        person.type("\x1a")
        person.wait_for("aside", gone=["+100"])
        assert person.terminal.echoes
        person.type("\n")
        person.wait_for("+100", "Hz")
        assert not person.terminal.echoes
        person.type("q")
        assert person.end() == 0
        assert person.terminal.echoes


def test_sigterm_leaves_a_sane_terminal() -> None:
    with person_at(KIT, "eeg", "view", "sim:", "--channels", "all", SSH_CONNECTION="1") as person:
        person.wait_for("0:00", "+100")
        before = person.terminal.echoes
        os.kill(person.terminal.process.pid, signal.SIGTERM)
        assert person.end() == 128 + signal.SIGTERM
        assert (before, person.terminal.echoes) == (False, True)
        assert not person.cursor_hidden


def test_it_ends_with_its_terminal() -> None:
    with at_terminal([KIT, "eeg", "view", "sim:"], ENVIRONMENT) as terminal:
        terminal.wait_for("+100")
        terminal.hang_up()
        assert terminal.process.wait(20) in (129, -signal.SIGHUP)


def test_a_time_that_is_over_ends_it_and_a_capture_that_fails_is_told_of() -> None:
    with person_at(KIT, "eeg", "view", "sim:speed=max", "--duration", "3") as person:
        assert person.end() == 0
        assert "768 packets" in person.screen
    with person_at(KIT, "eeg", "view", "sim:fault=unplug:at=0.2") as person:
        person.wait_for("the simulated device was", "the capture failed: q quits")
        person.type("q")
        assert person.end() == 69
        assert "kit: error:" in person.screen
