"""What a worker does with the keys: who asks, policy, rate and confirmation first, then the keeper.

Each operation is counted and written into the audit log, whatever its end, before it is answered. An
operation returns its result, or a `Later` where it has to wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

from kit.agent import policy
from kit.agent.answers import Refused
from kit.agent.audit.act import Act
from kit.agent.holding import Holding, NotNamed
from kit.agent.keeper import NoSuchKey
from kit.agent.keystore import Entry
from kit.agent.later import Get, Later, Wait
from kit.agent.peers import Peer
from kit.agent.processes import messages
from kit.agent.processes.tallies import (
    DECRYPTED,
    FAILED,
    OPERATIONS,
    REFUSALS,
    REFUSED,
    SIGNED,
    Tallies,
    count_time,
)
from kit.agent.schemes import KeyType, Scheme
from kit.core.errors import KitError, Unavailable, UsageError

# P-256 and Ed25519 take 30 µs, less than another round through the loop is worth; P-384 takes 350 µs.
_QUICK_BITS = 256
_KEY_ID_SHOWN = 8


class Log(Protocol):
    """Where events go."""

    def event(self, event: str, **fields: object) -> None: ...


class Audit(Protocol):
    """Where acts go; `working` is false while the log must not be without one and cannot be written."""

    @property
    def working(self) -> bool: ...

    def record(self, act: Act) -> None: ...


class Client(NamedTuple):
    """Whom an operation is for; `slot` is where the supervisor keeps account of the connection."""

    peer: Peer
    slot: int
    admin: bool


class _Use(NamedTuple):
    """One use of a key."""

    client: Client
    entry: Entry
    event: str
    purpose: str
    scheme: str
    begun_ns: int

    def act(self, result: str) -> Act:
        """Its line in the audit log, if it ends now."""
        peer, us = self.client.peer, (time.perf_counter_ns() - self.begun_ns) // 1000
        key, purpose = self.entry.name, self.purpose
        now_ns = time.time_ns()
        return Act(now_ns, self.event, key, purpose, self.scheme, peer.uid, peer.pid, peer.name, result, us)


class Operations:
    """The private operations of one worker."""

    def __init__(self, holding: Holding, tallies: Tallies, index: int, audit: Audit, log: Log) -> None:
        self.holding = holding
        self._tallies, self._row = tallies, tallies.row(index)
        self._audit, self._log = audit, log

    def find(self, client: Client, look: Callable[[Peer], Entry], event: str) -> Entry:
        """The key; one that does not name the client is unknown to it, and to nobody else."""
        try:
            return look(client.peer)
        except NotNamed:
            self._log.event(
                "refuse", uid=client.peer.uid, pid=client.peer.pid, why="the key does not name it"
            )
            self._missed(client, event, "denied")
            raise
        except NoSuchKey:
            self._missed(client, event, "unknown")
            raise

    def sign(self, client: Client, entry: Entry, scheme: Scheme, claimed: str, content: bytes) -> Any:
        """The signature in TLS's form, if the key's purposes allow this content."""
        begun_ns = time.perf_counter_ns()
        public = entry.public
        decision = policy.decide(public, entry.purposes, claimed, scheme, content)
        use = _Use(client, entry, "sign", decision.purpose, scheme.name, begun_ns)
        work = partial(self.holding.keeper.sign, public.key_id, scheme, content)
        quick = public.key_type is not KeyType.RSA and public.bits <= _QUICK_BITS
        return self._permitted(use, decision, work, quick)

    def decrypt(self, client: Client, entry: Entry, ciphertext: bytes) -> Any:
        """The plaintext; the length of a ciphertext is public, so a wrong one may be told."""
        begun_ns = time.perf_counter_ns()
        decision = policy.decide_decrypt(entry.public, entry.purposes)
        use = _Use(client, entry, "decrypt", "decrypt", "rsa_pkcs1", begun_ns)
        if isinstance(decision, policy.Permit) and len(ciphertext) != (entry.public.bits + 7) // 8:
            raise UsageError(f"a ciphertext of {len(ciphertext)} bytes for a key of {entry.public.bits} bits")
        work = partial(self.holding.keeper.decrypt, entry.public.key_id, ciphertext)
        return self._permitted(use, decision, work, quick=False)

    def note_failure(self, request: str, error: KitError) -> None:
        """Log a request that came to nothing, unless its refusal is in the log already."""
        if not isinstance(error, Refused | NotNamed):
            self._log.event("fail", request=request, why=str(error))

    def _permitted(self, use: _Use, decision: policy.Permit | policy.Refusal, work: Get, quick: bool) -> Any:
        if isinstance(decision, policy.Refusal):
            raise self._refuse(use, "refused", decision)
        if not self._audit.working:
            raise Unavailable("the audit log cannot be written, and no key is used without it")
        if use.entry.limited:
            question = partial(messages.Take, key_id=use.entry.public.key_id)
            return Later(Wait.ZYGOTE, question, partial(self._rated, use, work, quick))
        return self._confirmed(use, work, quick)

    def _rated(self, use: _Use, work: Get, quick: bool, get: Get) -> Any:
        if not get().good:
            refusal = policy.Refusal(use.purpose, "the key has made as many signatures as its rate allows")
            raise self._refuse(use, "refused", refusal)
        return self._confirmed(use, work, quick)

    def _confirmed(self, use: _Use, work: Get, quick: bool) -> Any:
        if not use.entry.confirm:
            return self._do(use, work, quick)
        question = partial(
            messages.Confirm, key_name=use.entry.name, purpose=use.purpose, slot=use.client.slot
        )
        return Later(Wait.SUPERVISOR, question, partial(self._answered, use, work, quick))

    def _answered(self, use: _Use, work: Get, quick: bool, get: Get) -> Any:
        if not get().good:
            refusal = policy.Refusal(use.purpose, "the use of the key was not confirmed")
            raise self._refuse(use, "refused", refusal)
        return self._do(use, work, quick)

    def _do(self, use: _Use, work: Get, quick: bool) -> Any:
        finish = partial(self._done, use)
        return finish(work) if quick else Later(Wait.TURN, work, finish)

    def _done(self, use: _Use, get: Get) -> bytes:
        try:
            result: bytes = get()
        except KitError:
            self._row.cells[FAILED] += 1
            self._audit.record(use.act("failed"))
            raise
        act = use.act("done")
        self._audit.record(act)
        columns = self._row.key(use.entry.slot)
        columns[SIGNED if use.event == "sign" else DECRYPTED] += 1
        self._tallies.client(use.client.slot)[OPERATIONS] += 1
        count_time(columns, act.microseconds)
        return result

    def _refuse(self, use: _Use, result: str, refusal: policy.Refusal) -> Refused:
        self._row.key(use.entry.slot)[REFUSED] += 1
        self._tallies.client(use.client.slot)[REFUSALS] += 1
        self._log.event("refuse", key=use.entry.name, purpose=refusal.purpose, why=refusal.why)
        self._audit.record(use.act(result))
        return Refused(refusal)

    def _missed(self, client: Client, event: str, result: str) -> None:
        """A key was asked for that is not there, or not for this client."""
        peer = client.peer
        self._audit.record(Act(time.time_ns(), event, "", "", "", peer.uid, peer.pid, peer.name, result, 0))
