"""The root command: how an error ends, whatever raises it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from kit.cli.main import root
from kit.core.errors import (
    KitError,
    NegativeAnswer,
    NotPermitted,
    ProtocolError,
    Unavailable,
    UsageError,
)

Kit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Run a command that raises this, and give the exit status."""

    def run(error: BaseException) -> int:
        def body() -> None:
            raise error

        commands: dict[str, Any] = {**root.commands, "fail": click.Command("fail", callback=body)}
        monkeypatch.setattr(root, "commands", commands)
        status: int = root.main(["fail"], prog_name="kit")
        return status

    return run


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KitError("x"), 1),
        (NegativeAnswer("x"), 1),
        (UsageError("x"), 2),
        (Unavailable("x"), 69),
        (ProtocolError("x"), 76),
        (NotPermitted("x"), 77),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (BrokenPipeError(), 141),
    ],
)
def test_each_error_has_its_exit_status(
    raising: Callable[[BaseException], int], error: BaseException, status: int
) -> None:
    assert raising(error) == status


def test_an_error_is_said_once_with_its_hint(
    raising: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    raising(Unavailable("no agent answers on 'a.sock'", hint="start one"))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "kit: error: no agent answers on 'a.sock'\nkit: hint: start one\n")


def test_an_unexpected_error_keeps_its_traceback(raising: Callable[[BaseException], int]) -> None:
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError())


def test_an_interrupt_says_nothing(
    raising: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    raising(KeyboardInterrupt())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("group", [[], ["agent"], ["eeg"], ["tls"]])
def test_a_group_without_a_command_shows_its_help_and_is_a_usage_error(kit: Kit, group: list[str]) -> None:
    done = kit(*group)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: kit")
    assert "kit: error" not in done.stderr


def test_a_full_disk_is_an_error_and_not_a_traceback(kit_program: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [kit_program, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert done.returncode == 69
    assert done.stderr == "kit: error: no space left to write the result\n"


def test_a_reader_that_leaves_ends_the_command_quietly(kit_program: str) -> None:
    done = subprocess.run(
        ["bash", "-c", '"$0" --help | true; exit "${PIPESTATUS[0]}"', kit_program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # It may have written everything before the reader left.
    assert done.returncode in (0, 141)
    assert done.stderr == ""


def test_a_closed_standard_output_is_no_error(kit_program: str) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" --version >&-', kit_program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_module_runs_as_the_command_does(kit: Kit) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kit", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == kit("--version").stdout
