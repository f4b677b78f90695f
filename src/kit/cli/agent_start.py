"""kit agent start: an agent in the background, in the foreground, or around a command."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from kit.cli.agent_views import show_start
from kit.cli.child import run_to_end
from kit.cli.endings import ended_by_sigterm
from kit.core.errors import Unavailable
from kit.core.output import Output
from kit.core.waiting import await_readable

if TYPE_CHECKING:
    from kit.agent.client import AgentClient


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    files: list[tuple[str, str]]
    purposes: tuple[str, ...]
    lifetime_s: int
    passphrase_fd: int | None
    socket: str | None
    log: str
    foreground: bool
    csh: bool
    command: tuple[str, ...]


def start(wish: Wish, output: Output) -> int:
    """Start an agent that holds the keys before anybody hears of it; the exit status."""
    if wish.command:
        return _around_command(wish, output)
    if wish.foreground:
        return _in_foreground(wish, output)
    from kit.agent.launch import start_agent

    prepare = _adding(wish, output)
    # Ended at a passphrase's prompt, it must not leave an agent without its keys behind.
    with ended_by_sigterm():
        running = start_agent(wish.socket, detach=True, prepare=prepare, log_path=wish.log)
    show_start(running.pid, running.socket_path, wish.csh, output)
    return 0


def _around_command(wish: Wish, output: Output) -> int:
    """The agent lives as long as the command; without --socket it has one of its own, like ssh-agent's."""
    from kit.agent.launch import start_agent

    with tempfile.TemporaryDirectory(prefix="kit-") as directory:
        path = wish.socket or str(Path(directory) / "agent.sock")
        prepare = _adding(wish, output)
        with start_agent(path, prepare=prepare, log_path=wish.log or os.devnull) as running:
            return run_to_end(wish.command, running.environment)


def _in_foreground(wish: Wish, output: Output) -> int:
    """Ends with 0 when told to stop (SIGTERM, `kit agent stop`), by SIGINT as interrupted."""
    from kit.agent.launch import start_agent

    signal.signal(signal.SIGTERM, _end_in_order)
    with start_agent(wish.socket, prepare=_adding(wish, output), log_path=wish.log) as running:
        show_start(running.pid, running.socket_path, wish.csh, output)
        await_readable(os.pidfd_open(running.pid))  # of a process: when it ends
        status = running.wait()
    if status:
        raise Unavailable(f"the agent ended with status {status}")
    return 0


def _end_in_order(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _adding(wish: Wish, output: Output) -> Callable[[AgentClient], None] | None:
    """What to do with the new agent before anybody hears of it."""
    if not wish.files:
        return None
    from kit.agent.adding import add_files
    from kit.agent.loader import loader

    load = loader(wish.passphrase_fd, output.note)

    def add(client: AgentClient) -> None:
        for _ in add_files(client, wish.files, wish.purposes, wish.lifetime_s, load):
            pass

    return add
