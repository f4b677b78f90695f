"""kit agent start: an agent in the background, in the foreground, or around a command."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from kit.cli.agent.child import run_to_end
from kit.cli.agent.views import show_start
from kit.cli.endings import ended_by_sigterm
from kit.core.errors import Unavailable
from kit.core.frozen import frozen
from kit.core.output import Output
from kit.core.waiting import await_readable

if TYPE_CHECKING:
    from kit.agent.client import AgentClient
    from kit.agent.launch import Options

# sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3)
_FROM_MANAGER = (
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
)


@frozen
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
    config: str
    user: str
    workers: int | None
    sandbox: str | None
    audit: str
    audit_strict: bool
    wipe_memory: bool
    pkcs11: str | None


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
        running = start_agent(
            wish.socket, detach=True, prepare=prepare, log_path=wish.log, options=_options(wish)
        )
    show_start(running, wish.csh, output)
    return 0


def _around_command(wish: Wish, output: Output) -> int:
    """The agent lives as long as the command; without --socket it has one of its own, like ssh-agent's."""
    import tempfile

    from kit.agent.launch import start_agent

    with tempfile.TemporaryDirectory(prefix="kit-") as directory:
        path = wish.socket or str(Path(directory) / "agent.sock")
        prepare = _adding(wish, output)
        log = wish.log or os.devnull
        with start_agent(path, prepare=prepare, log_path=log, options=_options(wish)) as running:
            return run_to_end(wish.command, running.environment)


def _in_foreground(wish: Wish, output: Output) -> int:
    """Ends with 0 when told to stop (SIGTERM, `kit agent stop`), by SIGINT as interrupted."""
    from kit.agent.launch import start_agent

    signal.signal(signal.SIGTERM, _end_in_order)
    early: list[int] = []
    if wish.config:
        # A service manager may send it as soon as the agent serves, and before that is known here.
        signal.signal(signal.SIGHUP, lambda number, _frame: early.append(number))
    options, prepare = _of_service(wish), _adding(wish, output)
    with start_agent(wish.socket, prepare=prepare, log_path=wish.log, options=options) as running:
        if wish.config:
            signal.signal(signal.SIGHUP, lambda _number, _frame: _hang_up(running.pid))
        if early:
            _hang_up(running.pid)
        show_start(running, wish.csh, output)
        await_readable(os.pidfd_open(running.pid))  # of a process: when it ends
        status = running.wait()
    if status:
        raise Unavailable(f"the agent ended with status {status}")
    return 0


def _options(wish: Wish) -> Options:
    from kit.agent.launch import Options

    return Options(
        config=wish.config,
        user=wish.user,
        workers=wish.workers or 0,
        sandbox=wish.sandbox or "",
        audit=wish.audit,
        audit_strict=wish.audit_strict,
        wipe_memory=wish.wipe_memory,
        pkcs11=wish.pkcs11,
    )


def _of_service(wish: Wish) -> Options:
    """With what a service manager gives in the environment, which then is nobody else's."""
    from kit.core.service_manager import listening_sockets, watchdog_interval_s

    manager = {name: os.environ.pop(name) for name in _FROM_MANAGER if name in os.environ}
    sockets = listening_sockets(manager, os.getpid())
    return replace(
        _options(wish),
        listening=tuple(given.detach() for _, given in sockets),
        notify=manager.get("NOTIFY_SOCKET", ""),
        watchdog_s=watchdog_interval_s(manager, os.getpid()) or 0,
    )


def _hang_up(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGHUP)


def _end_in_order(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _adding(wish: Wish, output: Output) -> Callable[[AgentClient], None] | None:
    """What to do with the new agent before anybody hears of it."""
    if not wish.files:
        return None
    from kit.agent.adding import add_files
    from kit.agent.loader import loader

    load = loader(wish.passphrase_fd, output.note, wish.purposes)

    def add(client: AgentClient) -> None:
        for _ in add_files(client, wish.files, wish.purposes, wish.lifetime_s, load):
            pass

    return add
