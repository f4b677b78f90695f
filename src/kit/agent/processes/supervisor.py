"""python -m kit.agent.processes.supervisor FD: the process that starts the others; `main` is its check-list.

It is started by `kit.agent.launch` with a clean environment, reads how to run from FD and reports there. No
key is ever in its memory: it opens key files for the zygote and does not read them, and the messages that
carry keys go from worker to zygote.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from kit.agent.audit.sinks import open_sink
from kit.agent.audit.writer import AuditWriter
from kit.agent.channels import messages
from kit.agent.channels.channel import Channel, ChannelClosed, pair
from kit.agent.channels.tallies import Tallies
from kit.agent.config.reading import read
from kit.agent.config.settings import Settings as File
from kit.agent.journal import Journal
from kit.agent.listener import Listener, Place
from kit.agent.processes import zygote
from kit.agent.processes.agency import Agency, Forked, Parts
from kit.agent.processes.archive import Archive
from kit.agent.processes.bridging import Bridge, find_or_fork
from kit.agent.processes.decision import bridge_place, decide, place
from kit.agent.processes.loop import Loop
from kit.agent.processes.settings import Settings, Shared
from kit.agent.startup import LINE_LIMIT, Configuration, Report
from kit.core.errors import KitError, Unavailable
from kit.core.process import die_with_parent, name_process, raise_descriptor_limit
from kit.core.sandbox.confine import restrain
from kit.core.service_manager import Notifier

_DESCRIPTORS_BESIDE_CLIENTS = 512


def main() -> NoReturn:
    """Run the agent; the process ends here."""
    launcher = socket.socket(fileno=int(sys.argv[1]))
    status = 0
    try:
        status = _run(launcher)
    except KitError as error:
        _report(launcher, Report(error=str(error), hint=error.hint, exit_status=error.exit_status))
        status = error.exit_status
    os._exit(status)


def _run(launcher: socket.socket) -> int:
    name_process("kit-supervisor")
    asked = Configuration.decode(_line(launcher))
    if asked.detach:
        _detach()
    elif asked.parent:
        die_with_parent(asked.parent)
    file = read(asked.config_path) if asked.config_path else File()
    descriptors = raise_descriptor_limit(asked.limits.connections + _DESCRIPTORS_BESIDE_CLIENTS)
    settings = decide(asked, file, descriptors)
    log = Journal.open(asked.log_path or file.log)
    listeners, sockets = _listen(asked, file)
    bridge = None
    try:
        tallies = Tallies(settings.workers, settings.limits.keys, settings.limits.connections)
        forked = _fork_zygote(settings, tallies)
        path = str(sockets[0].getsockname())
        bridge = _bridge(asked, file, settings, path)
        restrain(settings.plan)
        if asked.parent and not asked.detach:
            die_with_parent(asked.parent)  # a change of the user forgets it
        loop = Loop()
        # As the agent's user, who has to open it again after each rotation.
        writer = AuditWriter(open_sink(settings.audit), settings.audit_strict)
        archive = Archive(loop, writer, settings.audit_strict, tallies.row(-1))
        archive.add(forked.audit, lambda _count, _working: None, lambda: None)
        _await_ready(forked.channel)
        notifier, unlisten = Notifier(asked.notify), lambda: _close(listeners)
        parts = Parts(loop, forked, archive, tallies, sockets, log, notifier, unlisten, bridge)
        agency = Agency(parts, asked, file, settings)
        agency.start()
        log.event("start", pid=os.getpid(), socket=path)
        _report(launcher, Report(os.getpid(), path, bridge.rendezvous.path if bridge else ""))
        _part(launcher, asked, parts, agency)
        return agency.run()
    finally:
        _close(listeners)
        if bridge:
            bridge.close()


def _part(launcher: socket.socket, asked: Configuration, parts: Parts, agency: Agency) -> None:
    """In the background it is on its own, else it ends with its launcher."""
    if asked.detach:
        launcher.close()
    else:
        parts.loop.watch(launcher, agency.launcher_gone(launcher))


def _bridge(asked: Configuration, file: File, settings: Settings, path: str) -> Bridge | None:
    """Found or forked before this process gives up root, for programs that speak PKCS#11."""
    where = place(asked, file) if not asked.listening else _given(path)
    there = bridge_place(asked, file, where)
    return find_or_fork(there, settings.plan, settings.limits) if there else None


def _given(path: str) -> Place:
    """As a service manager made it."""
    found = os.stat(path)  # noqa: PTH116 - pathlib is large
    return Place(path, stat.S_IMODE(found.st_mode), found.st_gid)


def _listen(asked: Configuration, file: File) -> tuple[list[Listener], list[socket.socket]]:
    """A socket of our own, or those that a service manager opened."""
    if asked.listening:
        given = [socket.socket(fileno=descriptor) for descriptor in asked.listening]
        for each in given:
            each.setblocking(False)
        return [], given
    where = place(asked, file)
    listener = Listener(where.path, where.mode, where.group)
    return [listener], [listener.socket]


def _close(listeners: list[Listener]) -> None:
    for listener in listeners:
        listener.close()


def _fork_zygote(settings: Settings, tallies: Tallies) -> Forked:
    """Before this process gives up root, as the zygote takes more with it than this one could later."""
    ours, theirs = pair()
    audit_read, audit_write = os.pipe2(os.O_CLOEXEC)
    log_read, log_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    supervisor, clock = os.getpid(), _steady_clock()
    pid = os.fork()
    if not pid:
        shared = Shared(settings, tallies, Journal(log_write), clock, clock(), supervisor, 0)
        zygote.run(Channel(theirs), shared, audit_write, log_write)
    theirs.close()
    os.close(audit_write)
    os.close(log_write)
    return Forked(Channel(ours), pid, audit_read, log_read)


def _await_ready(channel: Channel) -> None:
    """The zygote is locked down; raises its own error if it cannot be."""
    failure: list[messages.Failed] = []

    def take(data: memoryview, _descriptors: list[int]) -> None:
        message = messages.parse(data)
        if isinstance(message, messages.Failed):
            failure.append(message)

    channel.socket.setblocking(True)
    try:
        channel.receive(take)
    except ChannelClosed:
        raise Unavailable("the process for the keys ended before it was ready") from None
    finally:
        channel.socket.setblocking(False)
    if failure:
        raise Report(
            error=failure[0].error, hint=failure[0].hint or None, exit_status=failure[0].exit_status
        ).as_error()


def _detach() -> None:
    """Into the background: a session of its own, and a parent that ends now."""
    if os.fork():
        os._exit(0)
    os.chdir("/")


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
    # Of SIGHUP nothing is made before there is something to be read again.
    for number in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    main()
