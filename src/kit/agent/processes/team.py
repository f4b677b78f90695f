"""The workers as the supervisor sees them: starts each, hands it clients, starts another where one ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from kit.agent.channels import messages
from kit.agent.channels.channel import Channel, ChannelClosed, pair
from kit.agent.channels.tallies import CLOSED, RESTARTS, SERVED, Tallies, count
from kit.agent.operations import Log
from kit.agent.peers import Peer
from kit.agent.processes.archive import Archive
from kit.agent.processes.loop import Loop
from kit.agent.processes.restarts import Restarts
from kit.agent.processes.slots import Slots
from kit.core.errors import ProtocolError

# What a pipe may hold while the supervisor is busy: 10,000 audit records. fcntl.h
_F_SETPIPE_SZ, _PIPE_BYTES = 1031, 1024 * 1024
_AGAIN_S = 0.5

# A worker that does not look at its channels for as long is replaced.
_SILENCE_S = 10.0
# Of what one worker says, before others have their turn.
_MESSAGES_AT_ONCE = 64

# A worker's question, who it is for, and how to reply.
Asked = Callable[[Any, Peer, Callable[[bool, bytes], None]], None]


@dataclass
class Member:
    """One worker."""

    index: int
    channel: Channel
    audit: int
    pid: int = 0
    serving: bool = False
    silent: bool = False  # it was asked whether it is alive, and did not answer yet


class Team:
    """All workers."""

    def __init__(self, loop: Loop, zygote: Channel, archive: Archive, tallies: Tallies, log: Log) -> None:
        self._loop, self._zygote, self._archive = loop, zygote, archive
        self._tallies, self.slots, self._log = tallies, Slots(tallies), log
        self.slots.dismissed = self._dismiss
        self._restarts = Restarts()
        self._handed = [0] * tallies.workers
        self.members: dict[int, Member] = {}
        self.asked: Asked = lambda _question, _peer, _reply: None
        self.serving_changed: Callable[[], None] = lambda: None
        self.gave_up: Callable[[str], None] = lambda _why: None
        self.ending = False

    def watch(self) -> None:
        """Replace workers that do not answer, from now on."""
        for member in tuple(self.members.values()):
            if member.serving and member.silent:
                self._kill(member, "it does not answer")
            elif member.serving:
                member.silent = True
                self._send(member, messages.Alive())
        self._loop.after(_SILENCE_S, self.watch)

    def start(self, index: int) -> None:
        """Have the zygote fork a worker; where there are no descriptors for it, again in a while."""
        if self.ending:
            return
        try:
            self._start(index)
        except OSError as error:
            self._log.event("start-failed", worker=index, why=(error.strerror or "failed").lower())
            self._loop.after(_AGAIN_S, partial(self.start, index))

    def _start(self, index: int) -> None:
        ours, to_supervisor = pair()
        to_zygote, zygotes = pair()
        reading, writing = os.pipe2(os.O_CLOEXEC)
        _enlarge(writing)
        member = Member(index, Channel(ours), reading)
        self.members[index] = member
        self._archive.add(reading, partial(self._tell, member), partial(self._nonsense, member))
        self._loop.watch(ours, partial(self._read, member))
        ends = (to_supervisor, to_zygote, zygotes)
        self._zygote.send(messages.encode(messages.Fork(index)), [*(end.fileno() for end in ends), writing])
        for end in ends:
            end.close()
        os.close(writing)

    @property
    def complete(self) -> bool:
        """Do all of them serve?"""
        serving = [member for member in self.members.values() if member.serving]
        return len(serving) == self._tallies.workers

    @property
    def any_serving(self) -> bool:
        return any(member.serving for member in self.members.values())

    def hand(self, client: socket.socket, peer: Peer, *, admin: bool) -> bool:
        """Give the client to the worker that has the fewest; False where nobody has room for it."""
        while serving := [member for member in self.members.values() if member.serving]:
            member = min(serving, key=self._load)
            slot = self.slots.take(peer, member.index, time.time(), admin=admin)
            if slot is None:
                return False
            if self._give(member, slot, client, peer, admin=admin):
                return True
            self._end(member)  # and the client goes to the next one
        return False

    def forked(self, message: messages.Forked) -> None:
        member = self.members.get(message.index)
        if member:
            member.pid = message.pid

    def died(self, message: messages.Died) -> None:
        """Start another, unless too many ended of late."""
        member = self.members.pop(message.index, None)
        if not member:
            return
        member.pid = 0  # another process may have it now
        self._lose(member)
        if self.ending:
            return
        status = os.waitstatus_to_exitcode(message.status)
        self._log.event("worker-ended", worker=member.index, pid=message.pid, status=status)
        if not self._restarts.allow(time.monotonic()):
            self.gave_up("too many workers ended within a minute")
            return
        count(self._tallies.row(-1).cells, RESTARTS)
        self.start(member.index)

    def tell_all(self, message: Any) -> None:
        for member in tuple(self.members.values()):
            self._send(member, message)

    def _dismiss(self, slot: int) -> None:
        with contextlib.suppress(ChannelClosed):
            self._zygote.send(messages.encode(messages.Dismiss(slot)))

    def _give(self, member: Member, slot: int, client: socket.socket, peer: Peer, *, admin: bool) -> bool:
        """False where the worker died just now, or takes nothing any more."""
        told = messages.Client(slot, peer.uid, peer.gid, peer.groups, peer.pid, peer.name, admin)
        if admin:
            admit = messages.Admit(slot, member.index, peer.uid, peer.pid, peer.name)
            self._zygote.send(messages.encode(admit))
        try:
            member.channel.send(messages.encode(told), [client.fileno()])
        except ChannelClosed:
            return False
        self._handed[member.index] += 1
        return True

    def _load(self, member: Member) -> int:
        closed = int(self._tallies.row(member.index).cells[CLOSED])
        return max(0, self._handed[member.index] - closed)

    def _lose(self, member: Member) -> None:
        self._loop.unwatch(member.channel)
        member.channel.close()
        self._archive.remove(member.audit)
        self.slots.lose(member.index)
        self._handed[member.index] = self._tallies.row(member.index).cells[SERVED]
        self.serving_changed()

    def _read(self, member: Member) -> None:
        try:
            for _ in range(_MESSAGES_AT_ONCE):
                if not member.channel.receive(partial(self._by_worker, member)):
                    break
        except ChannelClosed:
            self._end(member)
        except ProtocolError:
            self._nonsense(member)

    def _by_worker(self, member: Member, data: memoryview, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)
        message = messages.parse(data)
        if isinstance(message, messages.Ready):
            member.serving = True
            self.serving_changed()
        elif isinstance(message, messages.Alive):
            member.silent = False
        elif isinstance(message, messages.Failed):
            if not member.serving:
                self.gave_up(message.error)  # another one would fail, too
        elif isinstance(message, messages.Confirm | messages.ReadAgain | messages.Who | messages.End):
            self._asked(member, message)
        else:
            raise ProtocolError("a worker says what only others say")

    def _asked(self, member: Member, question: messages.OfSupervisor) -> None:
        """A worker speaks for its own clients, and asks what they may."""
        slot = self.slots.get(question.slot)
        administrative = not isinstance(question, messages.Confirm)
        if not slot or slot.worker != member.index or (administrative and not slot.admin):
            raise ProtocolError("a worker asks for a client whom it does not have")
        self.asked(question, slot.peer, partial(self._reply, member, question.number))

    def _reply(self, member: Member, number: int, good: bool, answer: bytes) -> None:
        if self.members.get(member.index) is member:
            self._send(member, messages.Reply(number, good, memoryview(answer)))

    def _tell(self, member: Member, count: int, working: bool) -> None:
        self._send(member, messages.Audited(count, working))

    def _send(self, member: Member, message: Any) -> None:
        try:
            member.channel.send(messages.encode(message))
        except ChannelClosed:
            member.serving = False  # its end is told by the zygote

    def _nonsense(self, member: Member) -> None:
        """It is not itself any more."""
        self._kill(member, "it said what no worker says")

    def _kill(self, member: Member, why: str) -> None:
        self._log.event("kill", worker=member.index, pid=member.pid, why=why)
        self._end(member)

    def _end(self, member: Member) -> None:
        """Nothing more is heard of it or given to it; the zygote tells how it ended."""
        member.serving = False
        self._loop.unwatch(member.channel)
        if member.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
        self.serving_changed()


def _enlarge(pipe: int) -> None:
    import fcntl

    try:
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        return  # the user has too many pipes already; a worker waits sooner then
