"""What the supervisor does once everything is open: the loop, and what joins its parts."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from kit.agent.audit.act import Act
from kit.agent.channels import messages
from kit.agent.channels.channel import Channel, ChannelClosed
from kit.agent.channels.tallies import Tallies
from kit.agent.config.settings import Settings as File
from kit.agent.extension import Reloaded
from kit.agent.journal import Journal
from kit.agent.peers import NOBODY, Allowed, Peer
from kit.agent.processes.archive import Archive
from kit.agent.processes.bridging import Bridge, Bridging
from kit.agent.processes.confirming import Confirming
from kit.agent.processes.door import Door
from kit.agent.processes.loop import Loop
from kit.agent.processes.reloading import Reloading
from kit.agent.processes.settings import Settings
from kit.agent.processes.team import Team
from kit.agent.startup import Configuration
from kit.core.errors import EXIT_UNAVAILABLE, KitError, Unavailable
from kit.core.frozen import frozen
from kit.core.service_manager import Notifier

_ROOT = 0
_DRAIN_S = 3.0
_START_S = 20.0


@frozen
class Forked:
    """The zygote: the channel to it, its pid, its audit pipe, and the pipe of every process's log."""

    channel: Channel
    pid: int
    audit: int
    log: int


@frozen
class Parts:
    """What was opened at the start."""

    loop: Loop
    zygote: Forked
    archive: Archive
    tallies: Tallies
    sockets: list[socket.socket]
    log: Journal
    notifier: Notifier
    unlisten: Callable[[], None]
    bridge: Bridge | None = None


class Agency:
    """The supervisor at work."""

    def __init__(self, parts: Parts, asked: Configuration, file: File, settings: Settings) -> None:
        self._parts, self._asked, self._file, self._settings = parts, asked, file, settings
        self._notifier, self._unlisten = parts.notifier, parts.unlisten
        self._starter = frozenset({_ROOT, os.getuid(), *([asked.starter] if asked.starter else [])})
        loop, log, tallies = parts.loop, parts.log, parts.tallies
        self._team = Team(loop, parts.zygote.channel, parts.archive, tallies, log)
        self._door = Door(loop, parts.sockets, self._team, tallies.row(-1), log)
        self._bridging = (
            Bridging(loop, self._door, tallies.row(-1), log, parts.bridge) if parts.bridge else None
        )
        self._confirming = Confirming(loop, asked.environment, log)
        self._reloading = Reloading(asked.config_path, parts.zygote.channel, settings.plan.user, self._apply)
        self._team.asked = self._asked_by_worker
        self._team.serving_changed = self._mind_the_door
        self._team.gave_up = self._give_up
        self._itself = Peer(os.geteuid(), os.getegid(), frozenset(), os.getpid())
        self._status = 0
        self._stopping = False
        self._bridged = parts.bridge is not None
        self._why = ""

    def start(self) -> None:
        """Keys, then workers; returns when all of them serve. Raises for a key that cannot be loaded."""
        loop = self._parts.loop
        self._catch_signals()
        loop.watch(self._parts.zygote.channel, self._read_zygote)
        loop.watch(self._parts.zygote.log, self._read_log)
        self._apply(self._file)
        loaded: list[tuple[Reloaded, ...]] = []
        self._reloading.send(self._file, loaded.append)
        self._until(lambda: bool(loaded), "the keys are not loaded")
        failed = next((row for row in loaded[0] if row.result == "failed"), None)
        if failed:
            raise Unavailable(f"cannot load the key {failed.key_name!r}: {failed.why}")
        for index in range(self._settings.workers):
            self._team.start(index)
        self._until(lambda: self._team.complete, "the workers do not start")
        self._team.watch()
        if self._bridging:
            self._bridging.begin()
            self._until(self._bridging.serves, "the bridge does not start")
        self._record("start", self._itself)
        self._notifier.ready(f"{len(self._file.keys)} configured keys")
        if self._asked.watchdog_s:
            self._watchdog()

    def run(self) -> int:
        """Until it is told to stop; the exit status."""
        try:
            self._parts.loop.run()
        except ChannelClosed:
            # Found by writing to it, before anything could be read.
            self._lose_zygote()
            self._parts.loop.run()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._parts.zygote.pid, 0)  # whoever awaits this process's end awaits the keys'
        self._parts.archive.end()
        self._parts.log.event("stop", pid=os.getpid())
        return self._status

    def stop(self, wanted_by: Peer | None = None) -> None:
        """In good order: nobody comes in, the answers in flight go out, the log is written."""
        if self._stopping:
            return
        self._stopping = self._team.ending = True
        self._notifier.stopping()
        self._door.close()
        self._unlisten()
        self._record("stop", wanted_by or self._itself)
        self._team.tell_all(messages.Quit())
        if self._bridging:
            self._bridging.leave(self._bridge_left)
        self._parts.loop.after(_DRAIN_S, self._end)
        self._end_if_alone()

    def launcher_gone(self, launcher: socket.socket) -> Callable[[], None]:
        """What to do when the launcher's end of the line closes."""

        def gone() -> None:
            self._parts.loop.unwatch(launcher)
            self.stop()

        return gone

    def _end(self) -> None:
        with contextlib.suppress(ChannelClosed):
            self._parts.zygote.channel.send(messages.encode(messages.Quit()))
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._parts.zygote.pid, signal.SIGKILL)
        self._parts.loop.stop()

    def _end_if_alone(self) -> None:
        if self._stopping and not self._team.members and not self._bridged:
            self._end()

    def _bridge_left(self) -> None:
        self._bridged = False
        self._end_if_alone()

    def _give_up(self, why: str) -> None:
        """It cannot go on; a service manager may start it anew."""
        self._parts.log.event("give-up", why=why)
        self._why = self._why or why
        self._status = EXIT_UNAVAILABLE
        self.stop()

    def _until(self, there: Callable[[], bool], otherwise: str) -> None:
        end_s = time.monotonic() + _START_S
        # Something must end the wait for what does not come.
        self._parts.loop.after(_START_S + 0.1, lambda: None)
        while not there():
            if self._why or time.monotonic() > end_s:
                raise Unavailable(self._why or otherwise)
            self._parts.loop.once()

    def _apply(self, file: File) -> None:
        """Who may come in, and who is asked; what cannot change while it runs is as it was at the start."""
        named = NOBODY
        for rule in file.keys:
            named |= rule.peers
        self._door.admins = Allowed(self._starter) | file.admins
        self._door.allowed = named
        self._confirming.commands = {rule.name: rule.confirm for rule in file.keys if rule.confirm}

    def _mind_the_door(self) -> None:
        """Open while somebody serves; else whoever comes waits."""
        if self._bridging and self._team.any_serving:
            self._bridging.retry()
        if self._stopping:
            self._end_if_alone()
        elif self._team.complete:
            self._door.open()
        elif not self._team.any_serving:
            self._door.shut()

    def _asked_by_worker(
        self, question: messages.OfSupervisor, peer: Peer, reply: Callable[[bool, bytes], None]
    ) -> None:
        if isinstance(question, messages.Who):
            reply(True, _joined(messages.Connected(self._team.slots.records())))
        elif isinstance(question, messages.Confirm):
            self._confirming.ask(question.key_name, question.purpose, peer, lambda good: reply(good, b""))
        elif isinstance(question, messages.ReadAgain):
            self._reload(peer, reply)
        elif isinstance(question, messages.End):
            self._door.close()
            self._unlisten()
            reply(True, b"")
            self.stop(peer)

    def _reload(self, peer: Peer, reply: Callable[[bool, bytes], None]) -> None:
        self._notifier.reloading()
        self._reopen_logs()

        def finish(keys: tuple[Reloaded, ...]) -> None:
            failed = [row for row in keys if row.result == "failed"]
            for row in failed:
                self._parts.log.event("reload-failed", key=row.key_name, why=row.why)
            self._record("reload", peer, "failed" if failed else "done")
            self._notifier.ready("reloaded")
            reply(True, _joined(messages.Reloads(keys)))

        try:
            self._reloading.reload(finish)
        except KitError as error:
            self._parts.log.event("reload-failed", why=str(error))
            self._record("reload", peer, "failed")
            self._notifier.ready("the configuration is wrong, nothing was reloaded")
            reply(False, str(error).encode())

    def _reopen_logs(self) -> None:
        for reopen in (self._parts.archive.reopen, self._parts.log.reopen):
            try:
                reopen()
            except OSError as error:
                self._parts.log.event("reopen-failed", why=(error.strerror or "failed").lower())

    def _read_zygote(self) -> None:
        try:
            while self._parts.zygote.channel.receive(self._by_zygote):
                pass
        except ChannelClosed:
            self._parts.loop.unwatch(self._parts.zygote.channel)
            self._lose_zygote()

    def _lose_zygote(self) -> None:
        """The keys are gone with it, and its workers end."""
        self._team.members.clear()
        if not self._stopping:
            self._give_up("the process that holds the keys ended")
        self._end_if_alone()

    def _by_zygote(self, data: memoryview, _descriptors: list[int]) -> None:
        message = messages.parse(data)
        if isinstance(message, messages.Forked):
            self._team.forked(message)
        elif isinstance(message, messages.Died):
            self._team.died(message)
            self._end_if_alone()
        elif isinstance(message, messages.Kept):
            self._reloading.kept(message)

    def _read_log(self) -> None:
        """Lines of the other processes, each written whole."""
        for line in os.read(self._parts.zygote.log, 65536).splitlines():
            self._parts.log.line(line)

    def _catch_signals(self) -> None:
        signal.set_wakeup_fd(self._parts.loop.wake_fd, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self._parts.loop.soon(self.stop))
        signal.signal(signal.SIGHUP, lambda _number, _frame: self._parts.loop.soon(self._hang_up))
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def _hang_up(self) -> None:
        """SIGHUP: reload; without a configuration only the logs are opened anew."""
        self._reload(self._itself, lambda _good, _answer: None)

    def _watchdog(self) -> None:
        self._notifier.watchdog()
        self._parts.loop.after(self._asked.watchdog_s, self._watchdog)

    def _record(self, event: str, peer: Peer, result: str = "done") -> None:
        act = Act(time.time_ns(), event, "", "", "", peer.uid, peer.pid, peer.name, result, 0)
        self._parts.archive.record(act)


def _joined(message: Any) -> bytes:
    return b"".join(bytes(part) for part in messages.encode(message))
