"""The zygote: holds the keys, talks to no client, forks the workers and tells them of every change.

It gives up what it can before the first key comes (`core.sandbox`), so it opens no file: the supervisor hands
it key files that are open. One thing is done after the other, which makes every change whole.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn

from kit.agent import keeper as keepers
from kit.agent.channels import messages
from kit.agent.channels.channel import Channel, ChannelClosed, adopt
from kit.agent.channels.messages import Change
from kit.agent.channels.recorder import Recorder
from kit.agent.encoding import Buffer
from kit.agent.extension import Measure
from kit.agent.fault import place
from kit.agent.holding import Holding
from kit.agent.keeper import Keeper
from kit.agent.keystore import KeyStore
from kit.agent.passphrase import wipe
from kit.agent.peers import Peer
from kit.agent.processes import worker
from kit.agent.processes.authority import Authority, Means
from kit.agent.processes.configured import Configured
from kit.agent.processes.offspring import Offspring
from kit.agent.processes.settings import Shared
from kit.core.errors import KitError, ProtocolError
from kit.core.process import close_others, die_with_parent, name_process
from kit.core.sandbox.confine import confine

# A worker finishes at most one signature before it looks: RSA-8192 takes 20 ms.
_CHANGE_S = 5.0
_LONGEST_WAIT_S = 60.0
# Of what one worker says, before others have their turn; and of what may wait for a change to be made: more
# than all clients together can have asked.
_MESSAGES_AT_ONCE, _DEFERRED_LIMIT = 64, 8192


@dataclass
class _Worker:
    """A worker as the zygote sees it."""

    index: int
    pid: int
    channel: Channel


def run(supervisor: Channel, shared: Shared, audit: int, log_pipe: int) -> NoReturn:
    """The check-list of the zygote; the process ends here."""
    status = 1
    try:
        name_process("kit-zygote")
        die_with_parent(shared.supervisor, signal.SIGKILL)
        close_others({supervisor.fileno(), audit, log_pipe})
        _redirect(log_pipe)
        shared = replace(shared, zygote=os.getpid())
        _warm_up()
        measures = tuple(Measure(m.name, m.state, m.detail) for m in confine(shared.settings.plan))
        die_with_parent(shared.supervisor, signal.SIGKILL)  # a change of the user forgets it
        zygote = Zygote(supervisor, shared, audit, log_pipe, measures)
        supervisor.send(messages.encode(messages.Ready(measures)))
        zygote.run()
        status = 0
    except KitError as error:
        with contextlib.suppress(ChannelClosed):
            supervisor.send(messages.encode(messages.Failed(str(error), error.hint or "", error.exit_status)))
    except ChannelClosed:
        status = 0  # without a supervisor there is nothing to do
    except Exception as error:  # noqa: BLE001 - the process ends here; the error's text may hold content
        shared.log.event("bug", process="zygote", error=type(error).__name__, at=place(error))
    finally:
        os._exit(status)


def _warm_up() -> None:
    """What opens files when it is used for the first time is used once while that is possible."""
    import kit.agent.decrypter  # noqa: F401 - the loader imports it when it meets OpenSSH's format

    keepers.warm_up()


class Zygote:
    """The loop, and what it does with each message."""

    def __init__(
        self, supervisor: Channel, shared: Shared, audit: int, log_pipe: int, measures: tuple[Measure, ...]
    ) -> None:
        self._supervisor, self._shared, self._measures = supervisor, shared, measures
        self._log_pipe = log_pipe
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, _Worker] = {}
        self._deferred: deque[tuple[_Worker, bytearray]] = deque()
        self._administrators: dict[int, tuple[int, Peer]] = {}  # by slot: worker, who
        self._ending = False
        settings = shared.settings
        recorder = Recorder(audit if settings.audit else None)
        holding = Holding(KeyStore(settings.limits.keys), Keeper(), shared.clock)
        offspring = Offspring(self, settings.workers)
        itself = Peer(os.geteuid(), os.getegid(), frozenset(), os.getpid())
        means = Means(self._spread, offspring, shared.tallies, recorder, shared.log, itself)
        self._authority = Authority(holding, means)
        self._configured = Configured(self._authority)
        self._wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.watch(self._wake_read, self._woken)
        self.watch(supervisor.fileno(), self._read_supervisor)
        _catch_signals()

    def watch(self, source: int, callback: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, callback)

    def unwatch(self, source: int) -> None:
        self._selector.unregister(source)

    def run(self) -> None:
        """Until the supervisor says so, or is gone."""
        while not self._ending:
            wait_s = self._authority.until_next_s()
            for key, _ in self._selector.select(_LONGEST_WAIT_S if wait_s is None else min(wait_s, 60)):
                key.data()
            self._authority.expire()
            self._authority.guess()
            self._see_to_deferred()

    def _see_to_deferred(self) -> None:
        """What workers asked."""
        while self._deferred:
            one, data = self._deferred[0]  # where a worker that is forked meanwhile finds it, too
            try:
                self._forwarded(one, data)
            finally:
                self._deferred.popleft()
                wipe(data)

    def _woken(self) -> None:
        os.read(self._wake_read, 4096)
        for one in tuple(self._workers.values()):
            ended, status = os.waitpid(one.pid, os.WNOHANG)
            if ended:
                self._lose(one)
                self._supervisor.send(messages.encode(messages.Died(one.index, one.pid, status)))

    def _lose(self, one: _Worker) -> None:
        if self._workers.pop(one.index, None):
            with contextlib.suppress(KeyError):
                self.unwatch(one.channel.fileno())
            one.channel.close()

    def _read_supervisor(self) -> None:
        while self._supervisor.receive(self._by_supervisor):
            pass

    def _by_supervisor(self, data: memoryview, descriptors: list[int]) -> None:
        message: Any = messages.parse(data)
        if isinstance(message, messages.Fork):
            self._fork(message.index, descriptors)
        elif isinstance(message, messages.Load):
            descriptor = descriptors[0] if descriptors else None
            try:
                self._configured.load(message, descriptor, self._shared.clock())
            finally:
                for opened in descriptors:
                    os.close(opened)
        elif isinstance(message, messages.Keep):
            self._supervisor.send(messages.encode(self._configured.keep()))
        elif isinstance(message, messages.Admit):
            peer = Peer(message.uid, message.uid, frozenset(), message.pid, message.peer_name)
            self._administrators[message.slot] = (message.index, peer)
        elif isinstance(message, messages.Dismiss):
            self._administrators.pop(message.slot, None)
        elif isinstance(message, messages.Quit):
            self._ending = True

    def _fork(self, index: int, descriptors: list[int]) -> None:
        to_supervisor, to_zygote, ours, audit = descriptors
        gc.collect()
        gc.freeze()  # a collection in the worker would touch, and so copy, every page
        pid = os.fork()
        if not pid:
            self._become_worker(index, descriptors)
        for descriptor in (to_supervisor, to_zygote, audit):
            os.close(descriptor)
        one = _Worker(index, pid, adopt(ours))
        self._workers[index] = one
        self.watch(ours, partial(self._read_worker, one))
        self._supervisor.send(messages.encode(messages.Forked(index, pid)))

    def _become_worker(self, index: int, descriptors: list[int]) -> NoReturn:
        """In the worker: close every door that is the zygote's, another worker's above all."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            self._wipe_waiting()
            to_supervisor, to_zygote, _, audit = descriptors
            close_others({to_supervisor, to_zygote, audit, self._log_pipe})
            ends = worker.Ends(adopt(to_supervisor), adopt(to_zygote), audit)
            worker.run(index, ends, self._authority.holding, self._shared, self._measures)
        finally:
            os._exit(status)

    def _wipe_waiting(self) -> None:
        """In the worker: a key or passphrase that was on its way to the zygote at the fork is not for it."""
        for _, data in self._deferred:
            wipe(data)
        self._authority.wipe()

    def _read_worker(self, one: _Worker) -> None:
        try:
            for _ in range(_MESSAGES_AT_ONCE):
                if one.index not in self._workers or not one.channel.receive(partial(self._by_worker, one)):
                    break
        except ChannelClosed:
            self._kill(one)  # its end is told by SIGCHLD

    def _by_worker(self, one: _Worker, data: memoryview, _descriptors: list[int]) -> None:
        # Seen to from a copy: a change reads from the same channel while it is made.
        self._deferred.append((one, bytearray(data)))

    def _forwarded(self, one: _Worker, data: Buffer) -> None:
        """What a worker says costs nobody but itself, a bug of ours included."""
        try:
            self._answer(one, data)
        except Exception as error:  # noqa: BLE001 - as above; the error's text may hold content
            self._shared.log.event("kill", worker=one.index, error=type(error).__name__, at=place(error))
            self._kill(one)

    def _answer(self, one: _Worker, data: Buffer) -> None:
        message: Any = messages.parse(data)
        if isinstance(message, messages.Take):
            good = self._configured.take(message.key_id, self._shared.clock())
            self._reply(one, message.number, good, b"")
        elif isinstance(message, messages.Forward):
            peer = self._administrator(one, message.slot)
            number = message.number
            self._authority.handle(
                message.message, peer, lambda answer: self._reply(one, number, True, answer)
            )
        else:
            raise ProtocolError("a worker says what only others say")

    def _administrator(self, one: _Worker, slot: int) -> Peer:
        """The administrator for whom the worker speaks, by the supervisor's word and not by its own."""
        self._read_supervisor()  # he may have been admitted just now
        index, peer = self._administrators.get(slot, (-1, None))
        if peer is None or index != one.index:
            raise ProtocolError("a worker speaks for an administrator whom it does not have")
        return peer

    def _reply(self, one: _Worker, number: int, good: bool, answer: Buffer) -> None:
        if one.index in self._workers:
            with contextlib.suppress(ChannelClosed):
                one.channel.send(messages.encode(messages.Reply(number, good, memoryview(answer))))

    def _spread(self, change: Change) -> None:
        """Every worker makes the change, or ends: none goes on without it."""
        told = [one for one in tuple(self._workers.values()) if self._tell(one, change)]
        end_s = time.monotonic() + _CHANGE_S
        for one in told:
            if not self._await_done(one, end_s):
                self._shared.log.event("kill", worker=one.index, pid=one.pid, why="it does not answer")
                self._kill(one)

    def _tell(self, one: _Worker, change: Change) -> bool:
        try:
            one.channel.send(messages.encode(change))
        except ChannelClosed:
            self._kill(one)
            return False
        return True

    def _await_done(self, one: _Worker, end_s: float) -> bool:
        """What the worker asked before it knew of the change is answered after it."""
        done = False

        def take(data: memoryview, _descriptors: list[int]) -> None:
            nonlocal done
            if isinstance(messages.parse(data), messages.Done):
                done = True
            else:
                self._deferred.append((one, bytearray(data)))

        poll = select.poll()
        poll.register(one.channel, select.POLLIN)
        try:
            while not done and poll.poll(max(0.0, end_s - time.monotonic()) * 1000):
                one.channel.receive(take)
                if len(self._deferred) > _DEFERRED_LIMIT:
                    return False
        except (ChannelClosed, ProtocolError):
            return False
        return done

    def _kill(self, one: _Worker) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)
        with contextlib.suppress(KeyError):
            self.unwatch(one.channel.fileno())


def _redirect(log_pipe: int) -> None:
    """A terminal, or the journal, is not for processes that may be taken over: a fault's last words go to the
    supervisor like every line.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    os.dup2(log_pipe, 2)


def _catch_signals() -> None:
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
