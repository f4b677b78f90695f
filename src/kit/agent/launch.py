"""Starts the agent's process, and hands over only once it can answer."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from kit.agent.client import AgentClient
from kit.agent.config.settings import JOURNAL, STANDARD_OUTPUT
from kit.agent.startup import LINE_LIMIT, Configuration, Limits, Report
from kit.core.errors import NotPermitted, Unavailable
from kit.core.frozen import frozen
from kit.core.paths import agent_socket

START_LIMIT_S = 30.0
_STOP_LIMIT_S = 10.0


# glibc.malloc(5): what is freed is overwritten at once, and nothing is kept aside unwiped for the next use.
_WIPING = {
    "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0",
    "PYTHONMALLOC": "malloc",
}
# What a program needs to show a question to whoever started the agent.
_FOR_CONFIRMATION = (
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "HOME",
    "LANG",
    "LC_ALL",
    "PATH",
    "TERM",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
)


@frozen
class Options:
    """How to run; empty or 0 leaves it to the configuration file, or to the default."""

    config: str = ""
    user: str = ""
    workers: int = 0
    sandbox: str = ""
    audit: str = ""
    audit_strict: bool = False
    wipe_memory: bool = False
    listening: tuple[int, ...] = ()
    pkcs11: str | None = None
    notify: str = ""
    watchdog_s: float = 0
    limits: Limits = field(default_factory=Limits)


def environment(socket_path: str, pkcs11_path: str = "") -> dict[str, str]:
    """What a program should have in its environment, to find the agent."""
    found = {"KIT_AGENT_SOCK": socket_path, "SSH_AUTH_SOCK": socket_path}
    if pkcs11_path:
        found["P11_KIT_SERVER_ADDRESS"] = f"unix:path={quote(pkcs11_path)}"
    return found


class Running:
    """An agent that runs; as a context manager it ends with the block."""

    def __init__(self, report: Report, child: subprocess.Popen[bytes] | None, line: socket.socket) -> None:
        self.pid = report.pid
        self.socket_path, self.pkcs11_path = report.socket_path, report.pkcs11_path
        self._child, self._line = child, line

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment should have."""
        return environment(self.socket_path, self.pkcs11_path)

    def wait(self) -> int:
        """Wait for the agent's end; its exit status."""
        return self._child.wait() if self._child else 0

    def stop(self) -> None:
        """End the agent in good order, however long ago it was started; nothing if it ended before."""
        if not self._child:
            with AgentClient(self.socket_path) as client:
                client.stop()
            return
        _end(self._child, self._line)

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


def start_agent(
    socket_path: str | None = None,
    *,
    detach: bool = False,
    prepare: Callable[[AgentClient], None] | None = None,
    log_path: str = "",
    options: Options | None = None,
) -> Running:
    """Start an agent and wait until it answers; raises its own KitError where it cannot start.

    Detached, it lives on in the background and logs to `log_path` or nowhere. Otherwise it is a child that
    ends when this process does, whatever way that is, and logs to `log_path` or to standard error.
    `prepare` gets a client, to add keys; if it raises, the agent is stopped and the error goes on.
    """
    options = options or Options()
    configuration = _configuration(socket_path, log_path, options, detach=detach)
    running = _start(configuration, wipe_memory=options.wipe_memory)
    if prepare:
        try:
            with AgentClient(running.socket_path) as client:
                prepare(client)
        except BaseException:
            running.stop()
            raise
    return running


def _configuration(
    socket_path: str | None, log_path: str, options: Options, *, detach: bool
) -> Configuration:
    # The kernel ties the child to the thread that starts it: another thread than the first may end sooner.
    tied = not detach and threading.current_thread() is threading.main_thread()
    return Configuration(
        usual_socket="" if socket_path else _usual_socket(options.config),
        socket_path=agent_socket(socket_path) if socket_path else "",
        starter=os.getuid(),
        detach=detach,
        parent=os.getpid() if tied else 0,
        log_path=_absolute(log_path),
        limits=options.limits,
        config_path=_absolute(options.config),
        user=options.user,
        workers=options.workers,
        sandbox=options.sandbox,
        audit=options.audit if options.audit in (STANDARD_OUTPUT, JOURNAL) else _absolute(options.audit),
        audit_strict=options.audit_strict,
        listening=options.listening,
        pkcs11=options.pkcs11 and _absolute(options.pkcs11),
        notify=options.notify,
        watchdog_s=options.watchdog_s,
        environment={name: os.environ[name] for name in _FOR_CONFIRMATION if name in os.environ},
    )


def _usual_socket(config: str) -> str:
    """Where the agent listens if its configuration does not say; "" if that place is no good, either."""
    try:
        return agent_socket(None)
    except NotPermitted:
        # What others put into a common directory must not keep an agent that has its own from starting.
        if config:
            return ""
        raise


def _absolute(path: str) -> str:
    """A path that means the same in the agent's directory."""
    return str(Path(path).absolute()) if path else ""


def _start(configuration: Configuration, *, wipe_memory: bool) -> Running:
    ours, theirs = socket.socketpair()
    # -I would have Python ignore the one variable that is for it; -s and -P are what else it means here.
    flags, environment = (["-s", "-P"], _WIPING) if wipe_memory else (["-I"], {})
    with theirs:
        child = subprocess.Popen(
            [sys.executable, *flags, "-m", "kit.agent.processes.supervisor", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if configuration.detach else None,
            stderr=subprocess.DEVNULL if configuration.detach else None,
            env=environment,
            pass_fds=[theirs.fileno(), *configuration.listening],
            start_new_session=True,
        )
    try:
        report = _exchange(ours, configuration)
        if report.error:
            raise report.as_error()
    except BaseException:
        _end(child, ours)  # it may serve already
        raise
    if not configuration.detach:
        return Running(report, child, ours)
    ours.close()
    child.wait()  # it was the agent's parent for a moment
    return Running(report, None, ours)


def _end(child: subprocess.Popen[bytes], line: socket.socket) -> None:
    """In good order, if it can."""
    # The line's end tells it, too, if the signal cannot.
    line.close()
    with contextlib.suppress(PermissionError):  # of another user, without CAP_KILL
        child.terminate()
    try:
        child.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(PermissionError):
            child.kill()
        child.wait()


def _exchange(line: socket.socket, configuration: Configuration) -> Report:
    line.settimeout(START_LIMIT_S)
    try:
        line.sendall(configuration.encode())
        answer = bytearray()
        while not answer.endswith(b"\n"):
            part = line.recv(LINE_LIMIT)
            if not part:
                raise _not_started("it ended before it could answer")
            answer += part
    except TimeoutError:
        raise _not_started(f"it was not ready after {START_LIMIT_S:g} s") from None
    except ConnectionError:
        raise _not_started("it ended before it could answer") from None
    return Report.decode(bytes(answer))


def _not_started(why: str) -> Unavailable:
    return Unavailable(
        f"the agent did not start: {why}", hint="try 'kit agent start --foreground' to see more"
    )
