"""What the agent can be asked to do, whatever the dialect of the question: policy first, then the keeper.

An operation returns its result, or a `Later` where it takes longer than one client should make others wait.
All of it runs in the event loop's thread, but for the work of a `Later`, which touches the keeper alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

from kit.agent import keeper as keepers
from kit.agent import policy
from kit.agent.keeper import Candidate, Keeper, NoSuchKey
from kit.agent.keystore import NAME_LIMIT, Entry, KeyStore
from kit.agent.lock import Lock
from kit.agent.schemes import KINDS, KeyType, Scheme
from kit.core.errors import KitError, UsageError

# Lanes: what runs beside the event loop, each beside the others. Of what is BRIEF the loop does some itself.
BRIEF, SIGN, ADD, GENERATE, UNLOCK = "brief", "sign", "add", "generate", "unlock"
# P-256 and Ed25519 take 30 µs, about as much as handing over to a thread and back; P-384 takes 350 µs.
_QUICK_BITS = 256
# RSA-3072 takes 0.9 ms, RSA-4096 two, RSA-8192 more than ten.
_BRIEF_BITS = 3072

Get = Callable[[], Any]


class Later(NamedTuple):
    """Work for a lane, then `finish` in the event loop, given how to get the work's result."""

    lane: str
    work: Get
    finish: Callable[[Get], Any]


def then(outcome: Any, step: Callable[[Any], Any]) -> Any:
    """Do `step` with the outcome, now or when it is there."""
    if isinstance(outcome, Later):
        finish = outcome.finish
        return Later(outcome.lane, outcome.work, lambda get: step(finish(get)))
    return step(outcome)


class Refused(KitError):
    """The key's purposes do not allow it."""

    def __init__(self, refusal: policy.Refusal) -> None:
        super().__init__(refusal.why)
        self.purpose = refusal.purpose


@dataclass(frozen=True)
class Wish:
    """How a new key is to be held."""

    name: str
    purposes: tuple[str, ...]
    lifetime_s: int = 0
    name_is_unique: bool = True  # ssh-add gives a comment, which several keys may share


class Log(Protocol):
    """Where events go."""

    def event(self, event: str, **fields: object) -> None: ...


@dataclass
class Counters:
    """Since the agent started."""

    signed: int = 0
    decrypted: int = 0
    refused: int = 0
    failed: int = 0


class Operations:
    """The keys and what is done with them."""

    def __init__(
        self, store: KeyStore, keeper: Keeper, lock: Lock, log: Log, clock: Callable[[], float]
    ) -> None:
        self.store, self.lock, self.counters = store, lock, Counters()
        self._keeper, self._log, self._clock = keeper, log, clock

    def by_id(self, key_id: bytes) -> Entry:
        return _known(self.store.by_id(key_id, self._clock()))

    def by_blob(self, ssh_blob: bytes) -> Entry:
        return _known(self.store.by_blob(ssh_blob, self._clock()))

    def alive(self) -> list[Entry]:
        now_s = self._clock()
        return [entry for entry in self.store if entry.alive(now_s)]

    def sign(self, entry: Entry, scheme: Scheme, claimed: str, content: bytes) -> Any:
        """The signature in TLS's form, if the key's purposes allow this content."""
        public = entry.public
        self._permit(entry, policy.decide(public, entry.purposes, claimed, scheme, content))
        work = partial(self._keeper.sign, public.key_id, scheme, content)
        finish = partial(self._signed, entry)
        if public.key_type is not KeyType.RSA and public.bits <= _QUICK_BITS:
            return finish(work)
        return Later(_lane(entry), work, finish)

    def decrypt(self, entry: Entry, ciphertext: bytes) -> Any:
        """The plaintext; the length of a ciphertext is public, so a wrong one may be told."""
        self._permit(entry, policy.decide_decrypt(entry.public, entry.purposes))
        if len(ciphertext) != (entry.public.bits + 7) // 8:
            raise UsageError(f"a ciphertext of {len(ciphertext)} bytes for a key of {entry.public.bits} bits")
        work = partial(self._keeper.decrypt, entry.public.key_id, ciphertext)
        return Later(_lane(entry), work, partial(self._decrypted, entry))

    def add(self, wish: Wish, load: Callable[[], Candidate]) -> Later:
        """Hold the key that `load` gives; the entry."""
        return self._hold(ADD, "add", wish, load)

    def generate(self, wish: Wish, kind: str) -> Later:
        """Make a key; the entry."""
        if kind not in KINDS:
            raise UsageError(f"no kind of key is called {kind!r}, there are {', '.join(KINDS)}")
        return self._hold(GENERATE, "generate", wish, partial(keepers.generate, kind))

    def remove(self, entry: Entry, event: str = "remove") -> None:
        self._keeper.forget(entry.public.key_id)
        self.store.drop(entry.public.key_id)
        self._log.event(event, key=entry.name)

    def expire(self) -> None:
        """Forget the keys whose time has come."""
        if self.store.next_expiry_s:
            for entry in self.store.expired(self._clock()):
                self.remove(entry, "expire")

    def until_expiry_s(self) -> float | None:
        """How long until `expire` has something to do; None for never."""
        next_s = self.store.next_expiry_s
        return max(0.0, next_s - self._clock()) if next_s else None

    def close_lock(self, passphrase: memoryview) -> Later:
        """Lock the agent."""
        if self.lock.closed:
            raise UsageError("the agent is locked already")
        return Later(UNLOCK, partial(self.lock.prepare, passphrase), self._locked)

    def open_lock(self, passphrase: memoryview) -> Later:
        """Unlock the agent."""
        if not self.lock.closed:
            raise UsageError("the agent is not locked")
        return Later(UNLOCK, partial(self.lock.attempt, passphrase), self._unlocked)

    def note_failure(self, request: str, error: KitError) -> None:
        """Log a request that came to nothing, unless its refusal is in the log already."""
        if not isinstance(error, Refused):
            self._log.event("fail", request=request, why=str(error))

    def _permit(self, entry: Entry, decision: policy.Permit | policy.Refusal) -> None:
        if isinstance(decision, policy.Refusal):
            entry.refused += 1
            self.counters.refused += 1
            self._log.event("refuse", key=entry.name, purpose=decision.purpose, why=decision.why)
            raise Refused(decision)

    def _signed(self, entry: Entry, get: Get) -> bytes:
        signature: bytes = self._result(get)
        entry.signed += 1
        self.counters.signed += 1
        return signature

    def _decrypted(self, entry: Entry, get: Get) -> bytes:
        plaintext: bytes = self._result(get)
        entry.decrypted += 1
        self.counters.decrypted += 1
        return plaintext

    def _result(self, get: Get) -> Any:
        try:
            return get()
        except KitError:
            self.counters.failed += 1
            raise

    def _hold(self, lane: str, event: str, wish: Wish, make: Callable[[], Candidate]) -> Later:
        wish = replace(wish, purposes=policy.parse_purposes(wish.purposes))
        if len(wish.name.encode()) > NAME_LIMIT:
            raise UsageError(f"a name of more than {NAME_LIMIT} bytes")

        def work() -> Candidate:
            candidate = make()
            if "decrypt" in wish.purposes:
                keepers.check_decrypts(candidate)
            return candidate

        return Later(lane, work, partial(self._held, event, wish))

    def _held(self, event: str, wish: Wish, get: Get) -> Entry:
        candidate: Candidate = get()
        now_s = self._clock()
        if wish.name_is_unique:
            self.store.check_name(wish.name, candidate.public.key_id, now_s)
        expires_s = now_s + wish.lifetime_s if wish.lifetime_s else 0
        entry = Entry(wish.name, candidate.public, wish.purposes, now_s, expires_s)
        self.store.put(entry)
        self._keeper.hold(candidate)
        purposes = ",".join(entry.purposes)
        self._log.event(event, key=entry.name, kind=entry.public.kind, purposes=purposes)
        return entry

    def _locked(self, get: Get) -> None:
        self.lock.close(get())
        self._log.event("lock")

    def _unlocked(self, get: Get) -> bool:
        fits: bool = get()
        if fits:
            self.lock.open()
        self._log.event("unlock" if fits else "wrong-passphrase")
        return fits


def _known(entry: Entry | None) -> Entry:
    if entry is None:
        raise NoSuchKey("the agent does not hold this key")
    return entry


def _lane(entry: Entry) -> str:
    return BRIEF if entry.public.bits <= _BRIEF_BITS else SIGN
