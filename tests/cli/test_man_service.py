"""kit-agent(8) cannot drift from the commands, the configuration and the measures that it speaks of."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from kit.agent.config import Settings, parse
from kit.core import errors, process
from kit.core.sandbox import confine, users
from kit.core.service_manager import listening_sockets, watchdog_interval_s
from tests.cli.tree import COMMANDS

PAGE = (Path(__file__).parent.parent.parent / "man" / "kit-agent.8").read_text()
_OPTIONS = {command.path: command.options for command in COMMANDS}


def _section(heading: str) -> str:
    found = re.search(
        rf"^\.S[hs] {re.escape(heading)}\n(.*?)(?=^\.S[hs] |\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    assert found, f"no section {heading!r}"
    return found[1]


def _displays() -> list[str]:
    return re.findall(r"^\.Bd -literal -offset indent\n(.*?)^\.Ed$", PAGE, re.DOTALL | re.MULTILINE)


def _invocations() -> list[str]:
    """Each `kit agent …` of the page, in displays and in quotes, without what a shell does around it."""
    joined = re.sub(r" \\e\n +", " ", PAGE)
    plain = re.sub(r"\\&|^\.(Ql|Nm) ", "", joined, flags=re.MULTILINE).replace("Fl -", "--")
    return [found.strip(" ,") for found in re.findall(r"\bkit (agent [a-z-]+(?: [^|>;&\n]+)?)", plain)]


@pytest.mark.parametrize("invocation", sorted(set(_invocations())))
def test_kit_knows_each_command_that_the_page_shows(invocation: str) -> None:
    words = invocation.split()
    named = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert named <= _OPTIONS[tuple(words[:2])]


def test_the_page_shows_how_it_is_started_watched_and_reloaded() -> None:
    shown = {tuple(invocation.split()[:2]) for invocation in _invocations()}
    wanted = {"start", "status", "reload", "metrics", "check-config", "handle", "add"}
    assert {("agent", name) for name in wanted} <= shown


class _Everybody:
    """A system on which every user and group is there."""

    def uid(self, _name: str) -> int | None:
        return 1000

    def gid(self, _name: str) -> int | None:
        return 1000


@pytest.mark.parametrize("text", [text for text in _displays() if "[agent]" in text])
def test_the_configurations_of_the_page_are_good(text: str) -> None:
    assert parse(text, "page", _Everybody()) != Settings()


def test_every_measure_is_explained() -> None:
    source = "".join(inspect.getsource(module) for module in (process, confine, users))
    taken = set(re.findall(r'\b(?:attempt|required|Measure|_NAME =)(?:\(| )\s*"([a-z -]+)"', source))
    assert set(re.findall(r"^\.It ([a-z -]+)$", _section("Measures"), re.MULTILINE)) == taken


def test_every_exit_status_is_explained() -> None:
    known = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert {
        int(number) for number in re.findall(r"^\.It (\d+)$", _section("EXIT STATUS"), re.MULTILINE)
    } == known


def test_every_variable_of_the_service_manager_is_explained() -> None:
    source = inspect.getsource(inspect.getmodule(listening_sockets) or watchdog_interval_s)
    read = set(re.findall(r'"((?:LISTEN|WATCHDOG)_[A-Z]+)"', source))
    assert set(re.findall(r"^\.It Ev ([A-Z_]+)$", _section("ENVIRONMENT"), re.MULTILINE)) == read | {
        "NOTIFY_SOCKET"
    }
