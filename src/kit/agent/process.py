"""python -I -m kit.agent.process FD: the process that holds the keys; `main` is its check-list.

It is started by `kit.agent.launch` with a clean environment, reads its configuration from FD, reports there,
and takes keys by messages only. It imports no more than signing takes.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from kit.agent import extension
from kit.agent.journal import Journal
from kit.agent.keeper import Keeper
from kit.agent.keystore import KeyStore
from kit.agent.listener import Listener
from kit.agent.lock import Lock
from kit.agent.operations import Operations
from kit.agent.server import Server
from kit.agent.service import Service
from kit.agent.startup import LINE_LIMIT, Configuration, Report
from kit.core.errors import KitError, Unavailable
from kit.core.process import Measure, die_with_parent, harden, raise_descriptor_limit, sandbox

# The listener, the loop's own descriptors, a conversion's pipes, a log.
_DESCRIPTORS_BESIDE_CLIENTS = 32


def main() -> NoReturn:
    """Run the agent; the process ends here, without waiting for a lane's threads."""
    launcher = socket.socket(fileno=int(sys.argv[1]))
    status = 0
    try:
        _run(launcher)
    except KitError as error:
        _report(launcher, Report(error=str(error), hint=error.hint, exit_status=error.exit_status))
        status = error.exit_status
    # A lane's thread may be inside OpenSSL: an orderly end of the interpreter would pull it out.
    os._exit(status)


def _run(launcher: socket.socket) -> None:
    configuration = Configuration.decode(_line(launcher))
    if configuration.detach:
        _detach()
    elif configuration.parent:
        die_with_parent(configuration.parent)
    measures = harden()
    log = _journal(configuration)
    listener = Listener(configuration.socket_path)
    try:
        server = _server(configuration, listener, log, (*measures, *sandbox()))
        _catch_signals(server)
        if not configuration.detach:
            server.watch(launcher, lambda: _launcher_gone(server, launcher))
        gc.collect()
        gc.freeze()  # what is here now stays: the collector need not look at it again
        log.event("start", pid=os.getpid(), socket=configuration.socket_path)
        _report(launcher, Report(pid=os.getpid()))
        if configuration.detach:
            launcher.close()
        server.run()
        log.event("stop", pid=os.getpid())
    finally:
        listener.close()


def _server(
    configuration: Configuration, listener: Listener, log: Journal, measures: tuple[Measure, ...]
) -> Server:
    limits = configuration.limits
    allowed = raise_descriptor_limit(limits.connections + _DESCRIPTORS_BESIDE_CLIENTS)
    limits = replace(limits, connections=min(limits.connections, allowed - _DESCRIPTORS_BESIDE_CLIENTS))
    clock = _steady_clock()
    operations = Operations(KeyStore(limits.keys), Keeper(), Lock(time.sleep), log, clock)
    shown = tuple(extension.Measure(m.name, m.state, m.detail) for m in measures)
    return Server(listener, Service(operations, clock(), shown), limits, log)


def _detach() -> None:
    """Into the background: a session of its own, and a parent that ends now."""
    if os.fork():
        os._exit(0)
    os.chdir("/")


def _journal(configuration: Configuration) -> Journal:
    if not configuration.log_path:
        return Journal()
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY
        return Journal(os.open(configuration.log_path, flags, 0o600))
    except OSError as error:
        why = (error.strerror or "failed").lower()
        raise Unavailable(f"cannot open the log {configuration.log_path!r}: {why}") from None


def _catch_signals(server: Server) -> None:
    """SIGTERM and SIGINT end the agent in good order; a lost terminal or client is no reason to end."""
    signal.set_wakeup_fd(server.wake_fd, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: server.ask_to_stop())
    for number in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)


def _launcher_gone(server: Server, launcher: socket.socket) -> None:
    server.unwatch(launcher)
    server.ask_to_stop()


def _steady_clock() -> Callable[[], float]:
    """Seconds of the Unix epoch that nobody can set back, and that count while the machine sleeps."""
    offset_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return lambda: offset_s + time.clock_gettime(time.CLOCK_BOOTTIME)


def _line(launcher: socket.socket) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        part = launcher.recv(LINE_LIMIT)
        if not part or len(line) > LINE_LIMIT:
            raise Unavailable("the launcher went away")
        line += part
    return bytes(line)


def _report(launcher: socket.socket, report: Report) -> None:
    # Without the launcher there is nobody to tell; what to do then was said in the configuration.
    with contextlib.suppress(OSError):
        launcher.sendall(report.encode())


if __name__ == "__main__":
    main()
