"""What a worker does with the keys: who asks, policy, rate and confirmation first, then the keeper.

Each operation is counted and written into the audit log, whatever its end, before it is answered. An
operation returns its result, or a `Later` where it has to wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from kit.agent import policy, pss
from kit.agent.answers import Locked, Refused
from kit.agent.audit.act import Act
from kit.agent.channels import messages
from kit.agent.channels.tallies import (
    DECRYPTED,
    FAILED,
    OPERATIONS,
    REFUSALS,
    SIGNED,
    Tallies,
    count,
    count_operation,
    note_refusal,
)
from kit.agent.holding import Holding, NotNamed
from kit.agent.keeper import NoSuchKey
from kit.agent.keystore import Entry
from kit.agent.later import Get, Later, Wait
from kit.agent.peers import Peer
from kit.agent.queue.format import CIPHER, QUEUE
from kit.agent.schemes import DIGEST_SIZES, KeyType, Scheme
from kit.agent.uses import Client, Use
from kit.core.errors import KitError, Unavailable, UsageError

# P-256 and Ed25519 take 30 µs, less than another round through the loop is worth; P-384 takes 350 µs.
_QUICK_BITS = 256
_NUMBERS = {name: number for number, name in enumerate(policy.PURPOSES, 1)}
# There are two counters for all that a key can do: what it makes for others, and what it undoes.
_COUNTED = {"sign": SIGNED, "seal": SIGNED, "decrypt": DECRYPTED, "open": DECRYPTED}


class Log(Protocol):
    """Where events go."""

    def event(self, event: str, **fields: object) -> None: ...


class Audit(Protocol):
    """Where acts go; `working` is false while the log must not be without one and cannot be written."""

    @property
    def working(self) -> bool: ...

    def record(self, act: Act) -> None: ...

    def flush(self) -> None: ...


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
        except NotNamed as error:
            uid, pid = client.peer.uid, client.peer.pid
            self._log.event("refuse", key=error.key, uid=uid, pid=pid, why="the key does not name this user")
            self._missed(client, event, "denied", error.key)
            raise
        except NoSuchKey:
            self._missed(client, event, "unknown")
            raise

    def permit_sign(self, client: Client, entry: Entry, scheme: Scheme, claimed: str, content: bytes) -> Use:
        """May the key sign this for the client? Raises Refused."""
        public = entry.public
        decision = policy.decide(public, entry.purposes, claimed, scheme, content)
        run = partial(self.holding.keeper.sign, public.key_id, scheme)
        quick = public.key_type is not KeyType.RSA and public.bits <= _QUICK_BITS
        use = Use(client, entry, "sign", decision.purpose, scheme.name, quick, run, self.holding.generation)
        return self._permitted(use, decision)

    def permit_digest(self, client: Client, entry: Entry, scheme: Scheme, claimed: str, digest: bytes) -> Use:
        """May the key sign this digest for the client? Raises Refused."""
        public = entry.public
        decision = policy.decide_digest(public, entry.purposes, claimed, scheme)
        run = partial(self.holding.keeper.sign_digest, public.key_id, scheme)
        quick = public.key_type is not KeyType.RSA and public.bits <= _QUICK_BITS
        use = Use(client, entry, "sign", decision.purpose, scheme.name, quick, run, self.holding.generation)
        self._permitted(use, decision)
        if len(digest) != DIGEST_SIZES[scheme.hash_name]:
            raise UsageError(f"a digest of {len(digest)} bytes for {scheme.name}")
        return use

    def permit_block(self, client: Client, entry: Entry, claimed: str, block: bytes) -> Use:
        """May the key be applied to this block for the client? Raises Refused."""
        public = entry.public
        scheme = pss.find_scheme(block, public.bits) if public.key_type is KeyType.RSA else None
        decision = policy.decide_block(public, entry.purposes, claimed, scheme)
        run = partial(self.holding.keeper.sign_block, public.key_id)
        name = scheme.name if scheme else ""
        use = Use(client, entry, "sign", decision.purpose, name, False, run, self.holding.generation)
        return self._permitted(use, decision)

    def permit_decrypt(self, client: Client, entry: Entry, ciphertext: bytes) -> Use:
        """May the key decrypt for the client? The length of a ciphertext is public: a wrong one is told."""
        decision = policy.decide_decrypt(entry.public, entry.purposes)
        run = partial(self.holding.keeper.decrypt, entry.public.key_id)
        use = Use(client, entry, "decrypt", "decrypt", "rsa_pkcs1", False, run, self.holding.generation)
        self._permitted(use, decision)
        if len(ciphertext) != (entry.public.bits + 7) // 8:
            raise UsageError(f"a ciphertext of {len(ciphertext)} bytes for a key of {entry.public.bits} bits")
        return use

    def permit_queue(self, client: Client, entry: Entry, event: str, run: Callable[[bytes], Any]) -> Use:
        """May the key seal and open queue files for the client? `run` begins with it."""
        decision = policy.decide_queue(entry.public, entry.purposes)
        use = Use(client, entry, event, QUEUE, CIPHER, True, run, self.holding.generation)
        return self._permitted(use, decision)

    def not_opened(self, client: Client) -> None:
        """No key fits the queue file."""
        count(self._row.cells, FAILED)
        self._missed(client, "open", "failed", purpose=QUEUE)

    def check_working(self) -> None:
        """Raise where no key may be used, since it could not be told."""
        if not self._audit.working:
            raise Unavailable("the audit log cannot be written, and no key is used without it")

    def perform(self, use: Use, content: bytes) -> Any:
        """What the use comes to, such as a signature in TLS's form, once rate and confirmation allow it."""
        begun_ns = time.perf_counter_ns()
        self.check_working()
        entry = use.entry
        if not entry.limited and not entry.confirm:
            return self._do(use, content, begun_ns)
        if entry.limited:
            question = partial(messages.Take, key_id=entry.public.key_id)
            return Later(Wait.ZYGOTE, question, partial(self._rated, use, content, begun_ns))
        return self._confirmed(use, content, begun_ns)

    def note_failure(self, request: str, error: KitError) -> None:
        """Log a request that came to nothing, unless its refusal is in the log already."""
        if not isinstance(error, Refused | NotNamed):
            self._log.event("fail", request=request, why=str(error))

    def _permitted(self, use: Use, decision: policy.Permit | policy.Refusal) -> Use:
        if isinstance(decision, policy.Refusal):
            raise self._refuse(use, decision, time.perf_counter_ns())
        return use

    def _rated(self, use: Use, content: bytes, begun_ns: int, get: Get) -> Any:
        if not get().good:
            refusal = policy.Refusal(use.purpose, "the key was used as often as its rate allows")
            raise self._refuse(use, refusal, begun_ns)
        return self._confirmed(use, content, begun_ns)

    def _confirmed(self, use: Use, content: bytes, begun_ns: int) -> Any:
        if not use.entry.confirm:
            return self._do(use, content, begun_ns)
        question = partial(
            messages.Confirm, key_name=use.entry.name, purpose=use.purpose, slot=use.client.slot
        )
        return Later(Wait.SUPERVISOR, question, partial(self._answered, use, content, begun_ns))

    def _answered(self, use: Use, content: bytes, begun_ns: int, get: Get) -> Any:
        if not get().good:
            refusal = policy.Refusal(use.purpose, "the use of the key was not confirmed")
            raise self._refuse(use, refusal, begun_ns)
        return self._do(use, content, begun_ns)

    def _do(self, use: Use, content: bytes, begun_ns: int) -> Any:
        if use.quick:
            return self._work(use, content, begun_ns)
        return Later(Wait.TURN, partial(self._work, use, content, begun_ns), _result)

    def _work(self, use: Use, content: bytes, begun_ns: int) -> Any:
        try:
            if use.generation != self.holding.generation:
                self._check_current(use)
            result = use.run(content)
        except KitError:
            count(self._row.cells, FAILED)
            self._audit.record(use.act("failed", begun_ns))
            raise
        act = use.act("done", begun_ns)
        self._audit.record(act)
        columns = self._row.key(use.entry.slot)
        count_operation(columns, _COUNTED[use.event], act.microseconds)
        count(self._tallies.client(use.client.slot), OPERATIONS)
        return result

    def _check_current(self, use: Use) -> None:
        """What was permitted by rules that changed meanwhile is not done."""
        if self.holding.locked:
            raise Locked("the agent is locked")
        if self.holding.known(use.entry.public.key_id) is not use.entry:
            raise NoSuchKey("the key was changed while its use was waiting")

    def _refuse(self, use: Use, refusal: policy.Refusal, begun_ns: int) -> Refused:
        number = _NUMBERS.get(refusal.purpose, 0)
        note_refusal(self._row.key(use.entry.slot), time.time_ns() // 1_000_000, number)
        count(self._tallies.client(use.client.slot), REFUSALS)
        self._log.event("refuse", key=use.entry.name, purpose=refusal.purpose, why=refusal.why)
        self._audit.record(use.act("refused", begun_ns))
        return Refused(refusal)

    def _missed(self, client: Client, event: str, result: str, key: str = "", purpose: str = "") -> None:
        """A key was asked for that is not there, or not for this client, or does not fit."""
        ids = (client.peer.uid, client.peer.pid, client.peer.name)
        self._audit.record(Act(time.time_ns(), event, key, purpose, "", *ids, result, 0))


def _result(get: Get) -> Any:
    return get()
