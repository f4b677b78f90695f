"""A bridge's event loop: programs on one side, workers on the other, and an agent that comes and goes.

Whatever goes wrong with one program costs its connection and no other's. A question that meets a worker's end
is asked again, of another worker; where there is no agent the program is told so at once.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence

from kit.agent.bridge.customer import Closed, Customer, Patience
from kit.agent.bridge.link import Gone, Link
from kit.agent.bridge.patron import Patron
from kit.agent.bridge.rendezvous import RETIRE, SERVE, greet
from kit.agent.extension import (
    Answer,
    CertificateList,
    Failure,
    GetCertificates,
    KeyList,
    List,
    Request,
    Status,
)
from kit.agent.fault import place
from kit.agent.pkcs11.conversation import Ask, Conversation
from kit.core.errors import ProtocolError

_READ, _WRITE, _GONE = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP | select.EPOLLERR
# What a program sent is told once: it stays on the socket until it is answered (`Customer.receive`). So is
# its end, which may be told together with what it sent last.
_READ_ONCE = _READ | select.EPOLLRDHUP | select.EPOLLET
_ACCEPT_AT_ONCE = 16
_EVENTS = 64  # at a time; without a number there would be room for a thousand, made anew for each look
_WORD = 16
# How many workers one question may lose. The supervisor may not know yet that the first of them ended, and
# name the same one again: of a process that is killed, the connections of its clients are closed first.
_LOSSES = 3
_TICK_S, _LONGEST_WAIT_S = 0.5, 60.0
# A program has one connection for each module that it loads, a server one for each of its processes; a user
# has no more than a quarter of all of them, so that four have to conspire to keep others out.
_SHARE = 4
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Bridge:
    """Serves until there is neither an agent nor a program."""

    def __init__(
        self, epoll: select.epoll, lasting: Sequence[int], patron: Patron, limit: int, patience: Patience
    ) -> None:
        """`lasting`: the programs' socket and its lock, the agents' socket and its lock."""
        self._epoll, self._lasting, self._patron = epoll, tuple(lasting), patron
        self._programs, self._agents = socket.socket(fileno=lasting[0]), socket.socket(fileno=lasting[2])
        patron.clients = lambda: len(self._customers)
        self._applicant: socket.socket | None = None
        self._limit, self._share, self._patience = limit, max(1, limit // _SHARE), patience
        # By descriptor: the bridge's own ones, and what is done for a customer at his or his worker's.
        self._own: dict[int, Callable[[], None]] = {}
        self._sources: dict[int, tuple[Callable[[Customer, int], None], Customer]] = {}
        self._customers: set[Customer] = set()
        self._users: Counter[int] = Counter()
        self._now_s = self._next_tick_s = 0.0
        self._restless = True  # is there something to look after, though nobody says anything?
        self._paused = False

    def run(self) -> None:
        """The process ends when this returns."""
        self._watch(self._programs.fileno(), self._accept)
        self._watch(self._agents.fileno(), self._apply)
        self._watch(self._patron.fileno(), self._hear)
        self._patron.attend()
        while self._customers or self._patron.here:
            found = self._epoll.poll(_TICK_S if self._restless else _LONGEST_WAIT_S, _EVENTS)
            self._now_s = time.monotonic()
            if found:
                self._restless = True
                self._see_to(found)
            self._patron.desert()
            if self._now_s >= self._next_tick_s:
                self._tick()

    def _see_to(self, found: list[tuple[int, int]]) -> None:
        """One pass for each event of thousands a second: nothing is made for it but what it is about."""
        sources, now_s = self._sources, self._now_s
        for descriptor, events in found:
            source = sources.get(descriptor)
            if source:
                step, customer = source
                customer.since_s = now_s
                try:
                    step(customer, events)
                except Exception as error:  # noqa: BLE001 - a bug costs one program
                    self._fail(customer, error)
            elif descriptor in self._own:
                self._own[descriptor]()

    def _watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        self._own[descriptor] = callback
        self._epoll.register(descriptor, _READ)

    def _unwatch(self, descriptor: int) -> None:
        if self._own.pop(descriptor, None):
            self._epoll.unregister(descriptor)

    # The agent.

    def _hear(self) -> None:
        channel = self._patron.fileno()
        self._patron.read()
        # A closed descriptor's number may be another one's soon.
        if not self._patron.here and self._own.get(channel) == self._hear:
            del self._own[channel]

    def _apply(self) -> None:
        """An agent that starts wants this bridge."""
        try:
            agent, _ = self._agents.accept()
            if not self._applicant and self._patron.admits(agent):
                greet(agent, self._lasting)
                agent.setblocking(False)
                self._applicant = agent
                self._watch(agent.fileno(), lambda: self._decide(agent))
                return
        except OSError:
            return
        agent.close()

    def _decide(self, agent: socket.socket) -> None:
        """What it makes of the greeting."""
        self._applicant = None
        self._unwatch(agent.fileno())
        try:
            word = agent.recv(_WORD)
        except OSError:
            word = b""
        if word == SERVE:
            self._patron.adopt(agent)
            self._watch(self._patron.fileno(), self._hear)
            return
        if word == RETIRE:
            self._close_door()
        agent.close()

    def _close_door(self) -> None:
        """Another bridge is in this one's place, which ends when its clients are gone."""
        for listening in (self._programs, self._agents):
            self._unwatch(listening.fileno())
            listening.detach()
        for descriptor in self._lasting:
            os.close(descriptor)

    # The programs.

    def _accept(self) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                program, _ = self._programs.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._pause()
                return
            self._welcome(program)

    def _pause(self) -> None:
        """Without a descriptor to accept with, the socket would be ready for ever."""
        self._unwatch(self._programs.fileno())
        self._paused = True

    def _welcome(self, program: socket.socket) -> None:
        try:
            customer = Customer(program, Conversation(), self._patience)
        except OSError:
            program.close()
            return
        if len(self._customers) >= self._limit or self._users[customer.uid] >= self._share:
            self._patron.note("reject", customer.uid, customer.pid, "too many connections")
            customer.close()
            return
        self._customers.add(customer)
        self._users[customer.uid] += 1
        customer.interest = _READ_ONCE
        self._sources[program.fileno()] = self._serve, customer
        self._epoll.register(program.fileno(), _READ_ONCE)

    def _serve(self, customer: Customer, events: int) -> None:
        """The program sent something, takes something, or is gone."""
        if events & ~_WRITE:
            customer.receive()
        if events & select.EPOLLRDHUP:
            customer.more = True  # to read, if only the end
        self._go_on(customer)
        if events & _GONE:
            raise Closed

    def _go_on(self, customer: Customer) -> None:
        """As far as it goes: questions to the agent, answers out.

        What is owed goes out before more is read or asked, so that who does not read cannot pile up answers.
        """
        if customer.unsent:
            customer.send(customer.unsent)
        more = True
        while more and not customer.waiting and not customer.unsent:
            more = customer.converse()
            if customer.ask and not customer.unsent:
                self._ask(customer, customer.ask)
        if not customer.waiting:
            customer.drop()  # and there is room, since no whole request is left
            interest = _WRITE if customer.unsent else _READ_ONCE
        else:
            interest = _READ_ONCE if customer.conversation.room else 0
        if interest != customer.interest or customer.more:
            customer.interest, customer.more = interest, False
            self._epoll.modify(customer.socket.fileno(), interest)

    def _guard(self, customer: Customer, step: Callable[[], None]) -> None:
        """As at an event; one who is gone has none."""
        if customer in self._customers:
            customer.since_s = self._now_s
            try:
                step()
            except Exception as error:  # noqa: BLE001 - a bug costs one program
                self._fail(customer, error)

    def _fail(self, customer: Customer, error: Exception) -> None:
        """What goes wrong costs this customer; a bug's text may hold content."""
        if isinstance(error, ProtocolError):
            self._note(customer, "malformed", str(error))
        elif not isinstance(error, Closed):
            self._note(customer, "bug", f"{type(error).__name__} {place(error)}")
        self._close(customer)

    def _note(self, customer: Customer, event: str, why: str) -> None:
        self._patron.note(event, customer.uid, customer.pid, why)

    def _close(self, customer: Customer) -> None:
        self._customers.remove(customer)
        self._users[customer.uid] -= 1
        if not self._users[customer.uid]:
            del self._users[customer.uid]
        self._unlink(customer)
        self._leave(customer.socket)
        customer.close()

    def _leave(self, source: socket.socket) -> None:
        del self._sources[source.fileno()]
        self._epoll.unregister(source.fileno())

    def _tick(self) -> None:
        self._next_tick_s = self._now_s + _TICK_S
        self._patron.attend()
        if self._paused and self._programs.fileno() >= 0:
            self._paused = False
            self._watch(self._programs.fileno(), self._accept)
        timed = [(customer, due_s) for customer in self._customers if (due_s := customer.due_s)]
        for customer, due_s in timed:
            if due_s < self._now_s:
                why = "an answer unread" if customer.unsent else "no whole request, or no answer, in time"
                self._note(customer, "timeout", why)
                self._close(customer)
        self._restless = bool(timed) or self._paused or self._patron.outdated

    # What programs ask the agent.

    def _ask(self, customer: Customer, ask: Ask) -> None:
        """Send the open question, or see to it that it can be sent; where there is no agent, say so."""
        if customer.link:
            try:
                customer.link.ask(ask.request)
            except Gone:
                self._unlink(customer)
            else:
                customer.waiting = True
                if customer.link.unsent:
                    self._await_link(customer, customer.link)
                return
        customer.waiting = self._patron.introduce(
            customer.socket,
            customer.uid,
            lambda admitted, connected: self._introduced(customer, admitted, connected),
            lambda: self._guard(customer, lambda: self._answer(customer, None)),
        )
        if not customer.waiting:
            customer.take(ask.finish(None))

    def _introduced(self, customer: Customer, admitted: bool, connected: socket.socket | None) -> None:
        if customer not in self._customers or not customer.ask:
            if connected:
                connected.close()
        elif connected is None:
            answer = None if admitted else _unknown(customer.ask.request)
            self._guard(customer, lambda: self._answer(customer, answer))
        else:
            customer.link = Link(connected)
            customer.link_interest, customer.waiting = _READ, False
            self._sources[connected.fileno()] = self._read_link, customer
            self._epoll.register(connected.fileno(), _READ)
            self._guard(customer, lambda: self._go_on(customer))

    def _read_link(self, customer: Customer, events: int) -> None:
        """The worker answered, takes something, or is gone."""
        link = customer.link
        if not link:
            return
        try:
            if events & _WRITE:
                link.send(link.unsent)
                self._await_link(customer, link)
            answer = link.receive() if events & ~_WRITE else None
        except Gone:
            self._lose_worker(customer)
            return
        if answer is not None:
            self._answer(customer, answer)

    def _lose_worker(self, customer: Customer) -> None:
        """Ask another one."""
        self._unlink(customer)
        if not customer.waiting:
            return
        customer.losses += 1
        if customer.losses == _LOSSES:
            self._answer(customer, None)
            return
        customer.waiting = False
        self._go_on(customer)

    def _answer(self, customer: Customer, answer: Answer | Failure | None) -> None:
        """None where there is no agent."""
        if customer.ask and customer.waiting:
            customer.take(customer.ask.finish(answer))
            self._go_on(customer)

    def _await_link(self, customer: Customer, link: Link) -> None:
        interest = _READ | _WRITE if link.unsent else _READ
        if interest != customer.link_interest:
            customer.link_interest = interest
            self._epoll.modify(link.socket.fileno(), interest)

    def _unlink(self, customer: Customer) -> None:
        if customer.link:
            self._leave(customer.link.socket)
            customer.unlink()


def _unknown(request: Request | None) -> Answer | Failure:
    """What the agent would say to whom no key concerns, if it let him in."""
    if isinstance(request, List):
        return KeyList(())
    if isinstance(request, GetCertificates):
        return CertificateList(())
    return Failure(Status.UNKNOWN_KEY, "the agent does not hold this key")
