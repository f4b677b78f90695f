"""The bar that a person sees on standard error while something takes its time."""

from __future__ import annotations

import io
import os
import pty

import pytest

from kit.core.output import Output


def test_a_pipe_gets_no_bar() -> None:
    err = io.StringIO()
    with Output(stderr=err).progress(2) as tell:
        tell("first")
        tell("second")
    assert err.getvalue() == ""


def test_a_person_sees_each_step_and_afterwards_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb", buffering=0) as terminal, os.fdopen(follower, "w") as err:
        with Output(stderr=err).progress(2) as tell:
            tell("first [bold]step[/bold]")
            tell("second")
        err.write("the end")
        err.flush()
        seen = ""
        while not seen.endswith("the end"):
            seen += terminal.read(65536).decode()
    assert "first [bold]step[/bold]" in seen  # words, not markup
    assert "second" in seen
    assert seen.endswith("\x1b[2Kthe end")  # the line of the bar is wiped
