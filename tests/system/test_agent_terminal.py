"""Passphrases asked at a terminal, and tables shown on one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.system.agents import KIT, Agent
from tests.system.terminal import Terminal, at_terminal
from tests.system.test_agent_commands import key_file


@pytest.fixture
def agent(lent: Agent) -> Agent:
    return lent


def add(agent: Agent) -> list[str]:
    return [KIT, "agent", "add", f"mail={key_file(agent.directory, 'mail.pem', b'right')}"]


def answer(terminal: Terminal, prompt: str, text: str) -> None:
    terminal.wait_for(prompt)
    assert not terminal.echoes
    terminal.type(text)


def test_a_passphrase_is_asked_without_echo(agent: Agent) -> None:
    with at_terminal(add(agent), agent.environment) as terminal:
        answer(terminal, "Passphrase for ", "right\n")
        assert terminal.end() == 0
        assert terminal.echoes
    assert "right" not in terminal.seen
    assert set(agent.keys()) == {"mail"}


def test_a_passphrase_may_be_mistyped_twice(agent: Agent) -> None:
    with at_terminal(add(agent), agent.environment) as terminal:
        for typed in ("wrong\n", "\n", "right\n"):
            answer(terminal, "Passphrase for ", typed)
        assert terminal.end() == 0
    assert set(agent.keys()) == {"mail"}


def test_the_third_wrong_passphrase_ends_it(agent: Agent) -> None:
    with at_terminal(add(agent), agent.environment) as terminal:
        for _ in range(3):
            answer(terminal, "Passphrase for ", "wrong\n")
        assert terminal.end() == 1
    assert "kit: error: the passphrase does not open" in terminal.seen
    assert agent.keys() == {}


def test_ctrl_c_at_the_prompt_gives_the_echo_back(agent: Agent) -> None:
    with at_terminal(add(agent), agent.environment) as terminal:
        answer(terminal, "Passphrase for ", "ri\x03")
        assert terminal.end() == 130
        assert terminal.echoes
    assert "Traceback" not in terminal.seen
    assert agent.keys() == {}


def test_ctrl_d_at_the_prompt_is_an_empty_passphrase(agent: Agent) -> None:
    with at_terminal(add(agent), agent.environment) as terminal:
        for _ in range(3):
            answer(terminal, "Passphrase for ", "\x04")
        assert terminal.end() == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_at_its_prompt_start_leaves_no_agent(home: Path, number: signal.Signals) -> None:
    path = home / "agent.sock"
    key = key_file(home, "mail.pem", b"right")
    command = [KIT, "agent", "start", "-s", str(path), "--key", f"mail={key}"]
    with at_terminal(command, os.environ) as terminal:
        terminal.wait_for("Passphrase for ")
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
        assert terminal.echoes
    assert "Traceback" not in terminal.seen
    assert not path.exists()


def test_locking_asks_twice_and_compares(agent: Agent) -> None:
    lock = [KIT, "agent", "lock"]
    with at_terminal(lock, agent.environment) as terminal:
        answer(terminal, "New passphrase: ", "one\n")
        answer(terminal, "The same passphrase again: ", "two\n")
        assert terminal.end() == 2
    assert "the two passphrases differ" in terminal.seen
    with at_terminal(lock, agent.environment) as terminal:
        answer(terminal, "New passphrase: ", "one\n")
        answer(terminal, "The same passphrase again: ", "one\n")
        assert terminal.end() == 0
    with at_terminal([KIT, "agent", "unlock"], agent.environment) as terminal:
        answer(terminal, "Passphrase: ", "one\n")
        assert terminal.end() == 0
    assert agent.ok("list") == ""


def test_a_table_on_a_terminal_says_what_the_pipe_s_does(agent: Agent) -> None:
    agent.ok("generate", "web", "--type", "p-256")
    environment = {**agent.environment, "TERM": "xterm", "COLUMNS": "200"}
    with at_terminal([KIT, "agent", "list"], environment) as terminal:
        assert terminal.end() == 0
    for word in agent.ok("list").split():
        assert word in terminal.seen


def test_ctrl_c_in_the_foreground_ends_the_agent_as_interrupted(home: Path) -> None:
    path = home / "agent.sock"
    command = [KIT, "agent", "start", "--foreground", "-s", str(path)]
    with at_terminal(command, os.environ) as terminal:
        terminal.wait_for("SSH_AUTH_SOCK=")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert "Traceback" not in terminal.seen
    assert not path.exists()


def test_ctrl_c_around_a_command_is_the_command_s_and_comes_once(home: Path) -> None:
    script = "n=0; trap 'n=$((n+1)); echo trapped $n; test $n = 1 || exit 9' INT; echo ready; "
    script += "i=0; while test $i -lt 20; do sleep 0.05; i=$((i+1)); done; exit 5"
    command = [KIT, "agent", "start", "--", "sh", "-c", script]
    with at_terminal(command, os.environ) as terminal:
        terminal.wait_for("ready")
        terminal.type("\x03")
        assert terminal.end() == 5
    assert terminal.seen.count("trapped") == 1
