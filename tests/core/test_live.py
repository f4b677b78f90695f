"""The lines that replace each other on standard error while something goes on."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from typing import BinaryIO, TextIO

import pytest

from kit.core.output import Output

Ends = tuple[BinaryIO, TextIO]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    """A terminal's two ends: the person's, and the program's standard error."""
    monkeypatch.setenv("TERM", "xterm")
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb", buffering=0) as terminal, os.fdopen(follower, "w") as err:
        yield terminal, err


def test_a_pipe_gets_no_view() -> None:
    err = io.StringIO()
    with Output(stderr=err).live() as show:
        assert show is None
    assert err.getvalue() == ""


def test_a_person_sees_each_view_and_afterwards_nothing(ends: Ends) -> None:
    terminal, err = ends
    with Output(stderr=err).live() as show:
        assert show
        show(["one [bold]line[/bold]", "second"])
        show(["another"])
    err.write("the end")
    err.flush()
    seen = ""
    while not seen.endswith("the end"):
        seen += terminal.read(65536).decode()
    assert "one [bold]line[/bold]" in seen  # words, not markup
    assert "another" in seen
    assert seen.rindex("\x1b[2K") > seen.index("another")  # wiped
    assert seen.endswith("the end")


def test_a_view_that_never_comes_draws_nothing(ends: Ends) -> None:
    terminal, err = ends
    with Output(stderr=err).live() as show:
        assert show
    err.write("the end")
    err.flush()
    assert terminal.read(65536) == b"the end"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_drawing_gets_none(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with Output(stderr=ends[1]).live() as show:
        assert show is None


def test_json_leaves_the_terminal_alone(ends: Ends) -> None:
    with Output(as_json=True, stderr=ends[1]).live() as show:
        assert show is None
