"""What `.ci/run` holds of its two systems: no test is skipped on both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

UNTESTED = Path(__file__).parent.parent / ".ci" / "untested"
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
