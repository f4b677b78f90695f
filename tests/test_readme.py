"""What README.md and the manual tell users to type is what kit understands and what the sessions play."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tests.cli.tree import GROUPS

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text()
PLAYED = (REPOSITORY / "tests" / "sessions" / "readme.txt").read_text()
# Hosts on the internet, which no test asks.
_ELSEWHERE = "example.org"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


CONSOLE = [line[2:] for block in _blocks("console") for line in block.splitlines()]
EXAMPLES = [
    line.replace(r"\(aq", "'").removesuffix(r"\e")  # what mandoc makes a quote, and a backslash
    for page in sorted((REPOSITORY / "man").glob("*.1"))
    for line in re.findall(r"^(?:\.Dl )?\$ (.*)$", page.read_text(), re.MULTILINE)
]


def test_the_readme_promises_two_commands_of_one_line_each() -> None:
    assert [block.count("\n") for block in _blocks("sh")] == [1, 1]
    first, second = _blocks("sh")
    assert first.endswith("kit tls probe\n")
    assert second.endswith("pytest\n")
    assert README.count("\npython3 -m venv") == 2  # by which .ci/run finds them


@pytest.mark.parametrize("line", [line for line in CONSOLE if _ELSEWHERE not in line])
def test_a_session_plays_what_the_readme_shows(line: str) -> None:
    # A session chooses a port of its own.
    assert re.sub(r":4433/$", ":", line) in PLAYED


@pytest.mark.parametrize("line", [*CONSOLE, *EXAMPLES])
def test_kit_understands_what_is_shown(line: str) -> None:
    """Parses the arguments as the command would, and runs nothing."""
    found = re.findall(r"\bkit ((?:agent|eeg|tls)\b(?:'[^']*'|[^\")>|'])*)", line)
    assert found or not line.startswith("kit")
    for command in found:
        group_name, name, *arguments = shlex.split(command)
        group = GROUPS[group_name]
        assert isinstance(group, click.Group)
        with group.commands[name].make_context(name, arguments):
            pass


def test_the_python_of_the_readme_is_python() -> None:
    for block in _blocks("python"):
        compile(block, "README.md", "exec")
