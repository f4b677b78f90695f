"""Whole sessions as a user types them, from tests/sessions/*.txt.

    # a remark; the first line may be `# needs: PROGRAM …`
    $ a command for sh
    > its next line
    what it prints on standard output and standard error; `...` stands for anything in a line,
    or, alone on a line, for any lines
    ? its exit status (0 needs no line)

A session runs in one shell, in an empty directory that is also its home.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.peers import needs

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.txt"))
_NEEDS = "# needs: "
_LIMIT_S = 120


@dataclass
class Step:
    """A command, and what is expected of it."""

    line: int
    command: str
    expected: list[str] = field(default_factory=list)
    status: int = 0


def read_session(text: str) -> list[Step]:
    """The steps of a session file."""
    steps: list[Step] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("$ "):
            steps.append(Step(number, line[2:]))
        elif line.startswith("> "):
            steps[-1].command += "\n" + line[2:]
        elif line.startswith("? "):
            steps[-1].status = int(line[2:])
        elif steps and line and not line.startswith("# "):
            steps[-1].expected.append(line)
    return steps


def _pattern(lines: list[str]) -> re.Pattern[str]:
    parts = []
    for line in lines:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, line.split("..."))) + r"\n")
    return re.compile("".join(parts))


def _script(steps: list[Step], results: Path) -> str:
    """One shell for all steps; each leaves its output and its status in a file."""
    lines = ["trap 'kit agent stop >/dev/null 2>&1' EXIT"]
    for number, step in enumerate(steps):
        place = results / str(number)
        lines += [f"{{ {step.command}", f"}} >{place}.out 2>&1", f"echo $? >{place}.status"]
    return "\n".join(lines) + "\n"


def _environment(home: Path) -> dict[str, str]:
    """What a login gives, and nothing of whoever runs the tests."""
    run = home.parent / "run"
    run.mkdir(mode=0o700)
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {
        "PATH": programs,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(run),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }


def _play(script: str, home: Path) -> None:
    """Run the shell, and leave none of its children behind if it hangs."""
    environment = _environment(home)
    shell = subprocess.Popen(
        ["sh", "-c", script], cwd=home, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        shell.wait(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
        subprocess.run(["sh", "-c", "kit agent stop"], env=environment, check=False, capture_output=True)


def _mismatch(step: Step, results: Path, number: int) -> str | None:
    status = int((results / f"{number}.status").read_text())
    output = (results / f"{number}.out").read_text()
    if output and not output.endswith("\n"):
        output += "\n"
    if status == step.status and _pattern(step.expected).fullmatch(output):
        return None
    expected = "".join(f"{line}\n" for line in step.expected)
    return (
        f"line {step.line}: $ {step.command}\n--- expected, status {step.status}\n{expected}"
        f"--- got, status {status}\n{output}"
    )


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_a_session_goes_as_written(path: Path, short_tmp: Path) -> None:
    text = path.read_text()
    if text.startswith(_NEEDS):
        needs(*text.splitlines()[0].removeprefix(_NEEDS).split())
    steps = read_session(text)
    home, results = short_tmp / "home", short_tmp / "results"
    home.mkdir()
    results.mkdir()
    _play(_script(steps, results), home)
    assert len(list(results.glob("*.status"))) == len(steps), f"{path.name} left its shell early"
    wrong = [text for number, step in enumerate(steps) if (text := _mismatch(step, results, number))]
    assert not wrong, "\n".join(wrong)


def test_an_ellipsis_stands_for_a_part_of_a_line_or_for_lines() -> None:
    pattern = _pattern(["a...c", "...", "end"])
    assert pattern.fullmatch("abc\nend\n")
    assert pattern.fullmatch("ac\nx\ny\nend\n")
    assert not pattern.fullmatch("ab\nend\n")
