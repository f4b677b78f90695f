"""The zygote's answers: every change to the keys and to the lock is decided here, one after the other.

A change is made here first and then in every worker, and only then is it answered, so that whoever is told
of it meets no worker that does not know. Who may ask for what stands in the table at the end of this file.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from kit.agent import answers, conversion, extension, ssh_keys, wire
from kit.agent import keeper as keepers
from kit.agent.answers import Locked
from kit.agent.audit.act import Act
from kit.agent.channels.messages import Change, Drop, Hold, Shut
from kit.agent.channels.tallies import Tallies
from kit.agent.encoding import Buffer
from kit.agent.holding import Holding, entry_of, microseconds
from kit.agent.keeper import BadKey
from kit.agent.keystore import NAME_LIMIT, Entry, NameTaken
from kit.agent.lock import Lock
from kit.agent.operations import Audit, Log
from kit.agent.passphrase import wipe
from kit.agent.peers import Allowed, Peer
from kit.agent.policy import ADDED_DEFAULT, GENERATED_DEFAULT, SSH_ADDED, parse_purposes
from kit.agent.processes.offspring import Offspring
from kit.agent.queue.format import QUEUE
from kit.core.errors import KitError, ProtocolError, UsageError
from kit.core.framing import frame
from kit.core.frozen import frozen

_ROOT = 0
# Guesses that wait for their turn; an administrator has no use for more.
_GUESSES_LIMIT = 16


class Spread(Protocol):
    """Tells every worker of a change, and waits until each has made it."""

    def __call__(self, change: Change) -> None: ...


@frozen
class Means:
    """What the authority works with."""

    spread: Spread
    offspring: Offspring
    tallies: Tallies
    audit: Audit
    log: Log
    itself: Peer  # for what nobody asked for


@frozen
class Wish:
    """How a key is to be held."""

    name: str
    purposes: tuple[str, ...]
    peers: Allowed
    lifetime_s: int = 0
    name_is_unique: bool = True  # ssh-add gives a comment, which several keys may share
    limited: bool = False
    confirm: bool = False
    certificate: bytes = b""


@frozen
class _Order:
    """What a child makes; a key of an SSH message has to fit the public half that it names."""

    event: str
    wish: Wish
    named: bytes = b""


@frozen
class _Asked:
    """A request, who asks, and the way back."""

    request: Any
    peer: Peer
    reply: Callable[[Buffer], None]

    def answer(self, parts: list[Buffer]) -> None:
        self.reply(frame(*parts))

    def fail(self, error: KitError) -> None:
        self.reply(answers.failed(self.request, error))


class Authority:
    """The keys of the zygote, and the only one who changes them."""

    def __init__(self, holding: Holding, means: Means) -> None:
        self.holding = holding
        self._spread, self._offspring, self._tallies = means.spread, means.offspring, means.tallies
        self._audit, self._log = means.audit, means.log
        self._lock = Lock()
        self.itself = means.itself
        self._guesses: deque[tuple[_Asked, bytearray]] = deque()
        self._next_guess_s = 0.0

    def handle(self, message: Buffer, peer: Peer, reply: Callable[[Buffer], None]) -> None:
        """Answer a message now or later; it is not needed any more when this returns."""
        request = wire.parse_request(message)
        if type(request) not in _ANSWERS:
            raise ProtocolError("a worker forwards what it has to answer itself")
        asked = _Asked(request, peer, reply)
        try:
            if self._lock.closed and not isinstance(request, wire.Unlock):
                raise Locked("the agent is locked")
            _ANSWERS[type(request)](self, asked)
        except KitError as error:
            self._fail(asked, error)

    def hold(self, wish: Wish, der: bytearray | memoryview, peer: Peer, event: str) -> Entry:
        """Hold a key here and in every worker; raises for one that cannot be held."""
        purposes = parse_purposes(wish.purposes)
        candidate = keepers.candidate(purposes, wish.name, der)
        if "decrypt" in purposes:
            keepers.check_decrypts(candidate)
        if "ssh" in purposes:
            keepers.check_ssh(candidate)
        key_id, now_s, store = candidate.public.key_id, self.holding.clock(), self.holding.store
        if len(wish.name.encode()) > NAME_LIMIT:
            raise UsageError(f"a name of more than {NAME_LIMIT} bytes")
        if wish.name_is_unique:
            store.check_name(wish.name, key_id, now_s)
            if store.by_id(key_id, now_s) and not self.holding.keeper.holds(candidate):
                raise NameTaken(f"another key is named {wish.name!r}")
        change = Hold(
            slot=store.free_slot(key_id),
            key_name=wish.name,
            purposes=purposes,
            uids=wish.peers.uids,
            gids=wish.peers.gids,
            added_us=microseconds(now_s),
            expires_us=microseconds(now_s + wish.lifetime_s) if wish.lifetime_s else 0,
            limited=wish.limited,
            confirm=wish.confirm,
            certificate=wish.certificate,
            der=memoryview(der),
        )
        store.check_room(entry_of(change, candidate))
        if not store.by_id(key_id, now_s):
            self._tallies.clear_key(change.slot)
        entry = self.holding.hold(change, candidate)
        self._spread(change)
        self._log.event(event, key=entry.name, kind=entry.public.kind, purposes=",".join(purposes))
        self._record(event, entry.name, ",".join(purposes), peer)
        return entry

    def drop(self, entry: Entry, peer: Peer, event: str = "remove") -> None:
        """Forget a key here and in every worker."""
        self.holding.drop(entry.public.key_id)
        self._spread(Drop(entry.public.key_id))
        self._log.event(event, key=entry.name)
        self._record(event, entry.name, "", peer)

    def expire(self) -> None:
        """Forget the keys whose time has come; the workers do the same by the same clock."""
        for entry in self.holding.expire():
            self._log.event("expire", key=entry.name)
            self._record("expire", entry.name, "", self.itself)

    def until_next_s(self) -> float | None:
        """How long until `expire` or `guess` has something to do; None for never."""
        waits = [self.holding.until_expiry_s()]
        if self._guesses:
            waits.append(max(0.0, self._next_guess_s - self.holding.clock()))
        return min((wait for wait in waits if wait is not None), default=None)

    def guess(self) -> None:
        """Try the next passphrase, if it is its time."""
        if not self._guesses or self.holding.clock() < self._next_guess_s:
            return
        asked, passphrase = self._guesses.popleft()
        fits = self._lock.attempt(passphrase)
        wipe(passphrase)
        self._next_guess_s = self.holding.clock() + self._lock.wait_s
        if fits:
            self.holding.apply(Shut(False))
            self._spread(Shut(False))
        event = "unlock" if fits else "wrong-passphrase"
        self._log.event(event)
        self._record("unlock", "", "", asked.peer, "done" if fits else "refused")
        asked.answer([wire.success() if fits else wire.failure()])

    def wipe(self) -> None:
        """In a process forked from this one: overwrite its copies of secrets that wait here."""
        for _, passphrase in self._guesses:
            wipe(passphrase)
        self._offspring.wipe()

    # One for each request.

    def add(self, asked: _Asked) -> None:
        request: extension.Add = asked.request
        wish = _wish(request.key_name, request.purposes or ADDED_DEFAULT, request.lifetime_s, asked.peer)
        self._listed(asked, self.hold(wish, request.private_key, asked.peer, "add"))

    def generate(self, asked: _Asked) -> None:
        request: extension.Generate = asked.request
        keepers.check_kind(request.kind)
        wish = _wish(request.key_name, request.purposes or GENERATED_DEFAULT, request.lifetime_s, asked.peer)
        if QUEUE in parse_purposes(wish.purposes):
            raise UsageError(
                "a key for queue files is not made in the agent: smtpd could not have it, too",
                hint="add it from a file",
            )
        # Before a minute's work.
        self.holding.store.check_name(wish.name, b"", self.holding.clock())
        take = partial(self._made, asked, _Order("generate", wish))
        self._offspring.start(partial(keepers.generate_der, request.kind), take)

    def remove(self, asked: _Asked) -> None:
        request: extension.Remove = asked.request
        self.drop(self.holding.known(request.key_id), asked.peer)
        asked.answer(answers.done(request, extension.Done()))

    def ssh_add(self, asked: _Asked) -> None:
        request: wire.AddIdentity = asked.request
        named = ssh_keys.named_public(request)
        wish = _wish(request.comment, SSH_ADDED, request.lifetime_s, asked.peer, unique=False)
        der = ssh_keys.enclose(request)
        if der is None:
            if conversion.size(request.parts) > conversion.LIMIT:
                raise UsageError("an RSA key that is too long")
            take = partial(self._made, asked, _Order("add", wish, named))
            self._offspring.start_now(partial(conversion.rsa_to_der, request.parts), take)
            return
        try:
            _check_named(der, named)
            self.hold(wish, der, asked.peer, "add")
            asked.answer(answers.success())
        finally:
            wipe(der)

    def ssh_remove(self, asked: _Asked) -> None:
        self.drop(self.holding.known_blob(asked.request.key_blob), asked.peer)
        asked.answer(answers.success())

    def ssh_remove_all(self, asked: _Asked) -> None:
        for entry in self.holding.alive():
            self.drop(entry, asked.peer)
        asked.answer(answers.success())

    def ssh_lock(self, asked: _Asked) -> None:
        self._lock.close(asked.request.passphrase)
        self.holding.apply(Shut(True))
        self._spread(Shut(True))
        self._log.event("lock")
        self._record("lock", "", "", asked.peer)
        asked.answer(answers.success())

    def ssh_unlock(self, asked: _Asked) -> None:
        if not self._lock.closed:
            raise UsageError("the agent is not locked")
        if len(self._guesses) >= _GUESSES_LIMIT:
            raise UsageError("too many passphrases wait to be tried")
        self._guesses.append((asked, bytearray(asked.request.passphrase)))

    def _made(self, asked: _Asked, order: _Order, der: memoryview | None) -> None:
        """A child made a key, or could not."""
        try:
            if der is None:
                raise BadKey("the numbers are no key")
            if self._lock.closed:
                raise Locked("the agent is locked")
            if order.named:
                _check_named(der, order.named)
            entry = self.hold(order.wish, der, asked.peer, order.event)
        except KitError as error:
            self._fail(asked, error)
            return
        if order.named:
            asked.answer(answers.success())
        else:
            self._listed(asked, entry)

    def _listed(self, asked: _Asked, entry: Entry) -> None:
        counts = self._tallies.key(entry.slot)
        asked.answer(answers.listed(asked.request, [entry], lambda _entry: counts))

    def _fail(self, asked: _Asked, error: KitError) -> None:
        self._log.event("fail", request=type(asked.request).__name__, why=str(error))
        self._record(_EVENTS[type(asked.request)], "", "", asked.peer, "failed")
        asked.fail(error)

    def _record(self, event: str, key: str, purpose: str, peer: Peer, result: str = "done") -> None:
        self._audit.record(
            Act(time.time_ns(), event, key, purpose, "", peer.uid, peer.pid, peer.name, result, 0)
        )
        self._audit.flush()


def _wish(name: str, purposes: tuple[str, ...], lifetime_s: int, peer: Peer, *, unique: bool = True) -> Wish:
    """A key that comes by message names whoever brought it, and root, from whom nothing can be kept."""
    return Wish(name, purposes, Allowed(frozenset({peer.uid, _ROOT})), lifetime_s, unique)


def _check_named(der: bytearray | memoryview, named: bytes) -> None:
    """The private half must make the public one that the message names."""
    if keepers.load(der).public.ssh_blob != named:
        raise UsageError("the private and the public half of this key do not fit")


_ANSWERS: dict[type[object], Callable[[Authority, _Asked], None]] = {
    extension.Add: Authority.add,
    extension.Generate: Authority.generate,
    extension.Remove: Authority.remove,
    wire.AddIdentity: Authority.ssh_add,
    wire.RemoveIdentity: Authority.ssh_remove,
    wire.RemoveAllIdentities: Authority.ssh_remove_all,
    wire.Lock: Authority.ssh_lock,
    wire.Unlock: Authority.ssh_unlock,
}
# What the audit log calls them.
_EVENTS: dict[type[object], str] = {
    extension.Add: "add",
    extension.Generate: "generate",
    extension.Remove: "remove",
    wire.AddIdentity: "add",
    wire.RemoveIdentity: "remove",
    wire.RemoveAllIdentities: "remove",
    wire.Lock: "lock",
    wire.Unlock: "unlock",
}
