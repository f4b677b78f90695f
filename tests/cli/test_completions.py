"""The completions of three shells offer exactly the groups, commands, options and words that there are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from kit.agent.policy import PURPOSES
from kit.agent.recipes.catalogue import RECIPES
from kit.agent.schemes import KINDS
from kit.cli.main import root
from kit.eeg import formats
from kit.eeg.plotting import KINDS as KINDS_OF_PLOT
from kit.eeg.recordings import making
from kit.eeg.simulator.faults import KINDS as KINDS_OF_FAULT
from tests.cli.tree import COMMANDS, GROUPS, Command, options_of
from tests.peers import find

COMPLETIONS = Path(__file__).parent.parent.parent / "completions"
Shell = Callable[[str], set[str]]

# The line's words as bash would split them, the last one being completed.
_BASH = """
source "$1"
read -ra COMP_WORDS <<<"$2"
[[ $2 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_kit
printf '%s\\n' "${COMPREPLY[@]}"
"""


def _run(*words: str | Path) -> set[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": path, "TERM": "xterm", "LC_ALL": "C.UTF-8"},
    )
    assert done.stderr == ""
    return {line.split("\t")[0].strip() for line in done.stdout.splitlines()} - {""}


def _bash(line: str) -> set[str]:
    return _run(find("bash"), "--norc", "-c", _BASH, "bash", COMPLETIONS / "kit.bash", line)


def _zsh(line: str) -> set[str]:
    script = Path(__file__).parent / "capture.zsh"
    return _run(find("zsh"), "-f", script, COMPLETIONS / "kit.zsh", line)


def _fish(line: str) -> set[str]:
    program = f"source {COMPLETIONS / 'kit.fish'}; complete -C '{line}'"
    return _run(find("fish"), "--no-config", "-c", program)


@pytest.fixture(params=[_bash, _zsh, _fish], ids=["bash", "zsh", "fish"])
def shell(
    request: pytest.FixtureRequest,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Shell:
    """Ask a shell what it would offer at the end of a line; no agent runs in this home."""
    monkeypatch.setenv("KIT_COMPINIT", str(tmp_path_factory.getbasetemp() / "compinit"))
    shell: Shell = request.param
    return shell


def test_the_groups_are_offered(shell: Shell) -> None:
    assert shell("kit ") == set(GROUPS)


def test_the_options_of_kit_are_offered(shell: Shell) -> None:
    assert shell("kit -") == options_of(root)


@pytest.mark.parametrize("group", ["agent", "eeg", "tls"])
def test_the_commands_of_a_group_are_offered(shell: Shell, group: str) -> None:
    commands = GROUPS[group]
    assert isinstance(commands, click.Group)
    assert shell(f"kit {group} ") == set(commands.commands)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_exactly_the_options_of_a_command_are_offered(shell: Shell, command: Command) -> None:
    assert shell(f"kit {command} -") == command.options


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kit agent generate --type ", set(KINDS)),
        ("kit agent add --allow ", set(PURPOSES)),
        ("kit agent public --format ", {"pem", "ssh"}),
        ("kit agent handle --format ", {"kit", "pkcs11-uri"}),
        ("kit agent recipe ", set(RECIPES)),
        ("kit tls serve --mode ", {"echo", "https", "smtp"}),
        ("kit tls bench --tls ", {"1.2", "1.3"}),
        ("kit eeg read --protocol ", {"auto", "p2", "p3"}),
        ("kit eeg simulate --protocol ", {"p2", "p3"}),
        ("kit eeg read -f ", set(formats.WRITTEN)),
        ("kit eeg record --to ", set(making.FORMATS)),
        ("kit eeg record --sex ", {"F", "M"}),
        ("kit eeg simulate --fault ", set(KINDS_OF_FAULT)),
        ("kit eeg plot --kind ", {*KINDS_OF_PLOT, "all"}),
    ],
)
def test_the_words_that_an_option_takes_are_offered(shell: Shell, line: str, words: set[str]) -> None:
    assert shell(line) == words


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_the_tested_choices_are_those_of_the_commands(command: Command) -> None:
    """Whoever gives an option choices has to complete them, and to add them above."""
    choices = {
        str(choice)
        for parameter in command.click_command.params
        if isinstance(parameter.type, click.Choice)
        for choice in parameter.type.choices
    }
    files = [path.read_text() for path in COMPLETIONS.iterdir()]
    assert [choice for choice in choices for text in files if choice not in text] == []


def test_files_are_offered_where_a_command_takes_files(
    shell: Shell, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(short_tmp)
    Path("mail.pem").touch()
    assert shell("kit tls probe --ca m") == {"mail.pem"}


def test_the_keys_of_the_agent_are_offered(
    shell: Shell, kit: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    assert kit("agent", "start").returncode == 0
    try:
        kit("agent", "generate", "mail", "--type", "p-256")
        kit("agent", "generate", "web", "--type", "p-256")
        assert shell("kit agent public ") == {"mail", "web"}
    finally:
        kit("agent", "stop")


def test_purposes_are_completed_after_a_comma(shell: Shell) -> None:
    offered = shell("kit agent add --allow ssh,tls-")
    assert {word.removeprefix("ssh,") for word in offered} == {"tls-server", "tls-client", "tls-digest"}


def test_what_follows_two_dashes_is_a_program(shell: Shell) -> None:
    find("gnutls-cli")
    assert "gnutls-cli" in shell("kit agent start -- gnutls-")
