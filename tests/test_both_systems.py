"""What `.ci/run` holds of its two systems: they run side by side, end together, and skip no test both."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CI = Path(__file__).parent.parent / ".ci"
UNTESTED = CI / "untested"
_SKIP = '<skipped type="pytest.skip" message="{}"/>'
OLD, NEW = _SKIP.format("takes OpenSSL 3.5"), _SKIP.format("only on Debian 12")
FORBIDDEN = _SKIP.format("this system does not allow control groups")


def _judge(place: Path, *outcomes: str) -> subprocess.CompletedProcess[str]:
    """The verdict on one test with these outcomes on as many systems, beside another that always ran."""
    reports = [place / f"{number}.xml" for number in range(len(outcomes))]
    for report, outcome in zip(reports, outcomes, strict=True):
        case = f'<testcase classname="tests.test_a" name="test_b">{outcome}</testcase>'
        report.write_text(
            f'<testsuites><testsuite><testcase classname="c" name="d"/>{case}</testsuite></testsuites>'
        )
    command = [sys.executable, str(UNTESTED), *map(str, reports)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("outcomes", [("", ""), (OLD, ""), ("", NEW), (FORBIDDEN, "")])
def test_a_test_that_one_system_ran_is_tested(outcomes: tuple[str, str], tmp_path: Path) -> None:
    done = _judge(tmp_path, *outcomes)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_test_that_each_system_skips_is_named_with_the_reasons(tmp_path: Path) -> None:
    done = _judge(tmp_path, OLD, NEW)
    assert done.returncode == 1
    assert done.stderr == "untested: tests.test_a.test_b: takes OpenSSL 3.5; only on Debian 12\n"


@pytest.mark.parametrize("other", [FORBIDDEN, OLD])
def test_what_the_machine_forbids_is_told_and_passes(other: str, tmp_path: Path) -> None:
    done = _judge(tmp_path, FORBIDDEN, other)
    assert done.returncode == 0
    assert done.stderr.startswith("forbidden: tests.test_a.test_b: this system does not allow control groups")


def test_an_expected_failure_is_a_test_that_ran(tmp_path: Path) -> None:
    assert _judge(tmp_path, '<skipped type="pytest.xfail" message=""/>', OLD).returncode == 0


# Stands for each program that `.ci/run` starts on the first system; the README's second command is its tests.
_PROGRAM = """#!/bin/sh
case "$0 $*" in
  *"ruff check"*) eval "$LINT" ;;
  *"venv .venv second"*) eval "$HERE" ;;
  *untested*) echo judged ;;
esac
"""
_README = "python3 -m venv .venv first\npython3 -m venv .venv second\n"


@pytest.fixture
def started(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """`.ci/run` with shell programs in the place of the two systems' tests."""
    if os.geteuid():
        pytest.skip("only root runs .ci/run without asking for more")
    (tmp_path / ".ci").mkdir()
    shutil.copy(CI / "run", tmp_path / ".ci")
    (tmp_path / ".ci/setup").touch()
    (tmp_path / "README.md").write_text(_README)
    for name in ("bin/python3", ".venv/bin/pip", ".venv/bin/ruff", ".venv/bin/mypy"):
        program = tmp_path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(_PROGRAM)
        program.chmod(0o755)

    def start(here: str, other: str, lint: str = "true") -> subprocess.Popen[str]:
        (tmp_path / ".ci/debian13").write_text(other)
        path = f"{tmp_path}/bin:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "HERE": here, "LINT": lint}
        return subprocess.Popen(
            ["bash", tmp_path / ".ci/run"],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


# Each waits for the other, which one after the other would never come.
_FIRST, _SECOND = "echo >a; read _ <b", "read _ <a; echo >b"


def test_the_two_systems_run_side_by_side(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    for name in "ab":
        os.mkfifo(tmp_path / name)
    run = started(f"{_FIRST}; echo of here", f"{_SECOND}; echo of the other")
    told = run.communicate(timeout=60)[0].splitlines()
    assert run.returncode == 0, told
    assert told.index("of here") < told.index("of the other") < told.index("judged")


def test_a_failure_of_the_other_system_is_told_with_its_output(
    started: Callable[..., subprocess.Popen[str]],
) -> None:
    run = started("echo of here", "echo of the other; exit 3")
    told = run.communicate(timeout=60)[0].splitlines()
    assert run.returncode == 3
    assert {"of here", "of the other"} < {*told}
    assert "judged" not in told


def test_where_one_fails_the_other_is_heard_out(started: Callable[..., subprocess.Popen[str]]) -> None:
    run = started("echo of here; exit 3", "echo of the other")
    told = run.communicate(timeout=60)[0].splitlines()
    assert run.returncode == 3
    assert {"of here", "of the other"} < {*told}
    assert "judged" not in told


_AWAITED = "read _ <a; {}".format


@pytest.mark.parametrize(
    ("here", "lint", "status"),
    [("true", _AWAITED("exit 1"), 1), (_AWAITED("kill -INT $PPID"), "true", 130)],
    ids=["lint fails", "interrupt"],
)
def test_nothing_of_the_other_system_outlives_lint_or_an_interrupt(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path, here: str, lint: str, status: int
) -> None:
    for name in "ab":
        os.mkfifo(tmp_path / name)
    run = started(here, "sh -c 'trap : TERM; echo >a; exec >b; while :; do sleep 1; done'", lint)
    with (tmp_path / "b").open() as held:
        run.communicate(timeout=60)
        assert run.returncode == status
        assert held.read() == "", "the pipe's other end is closed"
