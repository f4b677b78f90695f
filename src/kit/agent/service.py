"""A message in, its answer out: typed request, operation, encoded answer, in both dialects of the protocol.

What may be asked while the agent is locked stands in the table at the end of this file, and nowhere else.
What breaks the encoding raises ProtocolError, and the server ends that connection.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from kit import __version__
from kit.agent import extension, keeper, ssh_keys, wire
from kit.agent.conversion import rsa_to_der
from kit.agent.encoding import Buffer
from kit.agent.extension import Failure, Measure, Status
from kit.agent.keeper import Candidate, NoSuchKey, OperationFailed
from kit.agent.keystore import Entry, StoreFull
from kit.agent.operations import Later, Operations, Refused, Wish, then
from kit.agent.policy import ADDED_DEFAULT, GENERATED_DEFAULT, SSH_ADDED
from kit.agent.schemes import BY_NAME, SCHEMES, SSH_EC_SCHEMES, SSH_RSA_FLAGS, KeyType, Scheme
from kit.core.errors import KitError, Unavailable, UsageError
from kit.core.framing import frame


class Locked(KitError):
    """The agent is locked."""


@dataclass
class Traffic:
    """What the server counts, for the status."""

    connections: int = 0
    accepted: int = 0
    malformed: int = 0
    rejected: int = 0


class Service:
    """Answers messages; knows no socket."""

    def __init__(self, operations: Operations, started_s: float, measures: tuple[Measure, ...]) -> None:
        self.operations = operations
        self.traffic = Traffic()
        self.stopping = False
        self._started_s, self._measures = started_s, measures

    def handle(self, message: bytearray) -> bytearray | Later:
        """The framed answer, or work whose `finish` makes it. `message` must live until then."""
        request = wire.parse_request(message)
        rule = _RULES[type(request)]
        if self.operations.lock.closed and not rule.while_locked:
            return _failed(request, Locked("the agent is locked"))
        return self._conclude(request, partial(rule.answer, self, request))

    def _conclude(self, request: wire.Request, step: Callable[[], Any]) -> bytearray | Later:
        try:
            outcome = step()
        except KitError as error:
            self.operations.note_failure(type(request).__name__, error)
            return _failed(request, error)
        if isinstance(outcome, Later):
            finish = outcome.finish
            return Later(outcome.lane, outcome.work, lambda get: self._conclude(request, lambda: finish(get)))
        return frame(*outcome)

    # kit's own messages.

    def sign(self, request: extension.Sign) -> Any:
        entry = self.operations.by_id(request.key_id)
        if request.scheme not in SCHEMES:
            raise UsageError(f"no signature scheme {request.scheme:#06x}")
        scheme = SCHEMES[request.scheme]
        outcome = self.operations.sign(entry, scheme, request.purpose, request.content)
        return then(outcome, lambda signature: _answer(request, extension.Signature(signature)))

    def decrypt(self, request: extension.Decrypt) -> Any:
        entry = self.operations.by_id(request.key_id)
        outcome = self.operations.decrypt(entry, request.ciphertext)
        return then(outcome, lambda plain: _answer(request, extension.Plaintext(memoryview(plain))))

    def generate(self, request: extension.Generate) -> Any:
        wish = Wish(request.key_name, request.purposes or GENERATED_DEFAULT, request.lifetime_s)
        return then(self.operations.generate(wish, request.kind), partial(_listed, request))

    def add(self, request: extension.Add) -> Any:
        wish = Wish(request.key_name, request.purposes or ADDED_DEFAULT, request.lifetime_s)
        outcome = self.operations.add(wish, partial(keeper.load, request.private_key))
        return then(outcome, partial(_listed, request))

    def list(self, request: extension.List) -> Any:
        return _listed(request, *self.operations.alive())

    def remove(self, request: extension.Remove) -> Any:
        self.operations.remove(self.operations.by_id(request.key_id))
        return _answer(request, extension.Done())

    def status(self, request: extension.GetStatus) -> Any:
        counters, traffic = self.operations.counters, self.traffic
        answer = extension.AgentStatus(
            version=__version__,
            pid=os.getpid(),
            started_s=int(self._started_s),
            locked=self.operations.lock.closed,
            keys=len(self.operations.alive()),
            connections=traffic.connections,
            accepted=traffic.accepted,
            signed=counters.signed,
            decrypted=counters.decrypted,
            refused=counters.refused,
            failed=counters.failed,
            malformed=traffic.malformed,
            rejected=traffic.rejected,
            measures=self._measures,
        )
        return _answer(request, answer)

    def stop(self, request: extension.Stop) -> Any:
        self.stopping = True
        return _answer(request, extension.Done())

    # The SSH agent protocol's.

    def identities(self, _request: wire.RequestIdentities) -> Any:
        entries = [] if self.operations.lock.closed else self.operations.alive()
        return [wire.identities_answer([(entry.public.ssh_blob, entry.name) for entry in entries])]

    def ssh_sign(self, request: wire.SignRequest) -> Any:
        entry = self.operations.by_blob(request.key_blob)
        scheme = _ssh_scheme(entry, request.flags)
        name = ssh_keys.signature_format(entry.public, scheme)
        outcome = self.operations.sign(entry, scheme, "", request.content)
        return then(outcome, lambda s: [wire.sign_response(name, ssh_keys.signature_blob(entry.public, s))])

    def ssh_add(self, request: wire.AddIdentity) -> Any:
        wish = Wish(request.comment, SSH_ADDED, request.lifetime_s, name_is_unique=False)
        return then(self.operations.add(wish, partial(_load_ssh, request)), _success)

    def ssh_remove(self, request: wire.RemoveIdentity) -> Any:
        self.operations.remove(self.operations.by_blob(request.key_blob))
        return _success()

    def ssh_remove_all(self, _request: wire.RemoveAllIdentities) -> Any:
        for entry in self.operations.alive():
            self.operations.remove(entry)
        return _success()

    def ssh_lock(self, request: wire.Lock) -> Any:
        return then(self.operations.close_lock(request.passphrase), _success)

    def ssh_unlock(self, request: wire.Unlock) -> Any:
        fits = self.operations.open_lock(request.passphrase)
        return then(fits, lambda fits: [wire.success() if fits else wire.failure()])

    def query(self, _request: wire.Query) -> Any:
        return [wire.query_response()]

    def unsupported(self, request: wire.Unsupported) -> Any:
        raise UsageError(request.why)


def _answer(request: extension.Request, answer: extension.Answer) -> list[Buffer]:
    return [wire.extension_response(request.name, b""), *extension.encode_answer(answer)]


def _listed(request: extension.Request, *entries: Entry) -> list[Buffer]:
    rows = tuple(
        extension.KeyRecord(
            key_name=entry.name,
            kind=entry.public.kind,
            spki=entry.public.spki,
            ssh_blob=entry.public.ssh_blob,
            purposes=entry.purposes,
            added_s=int(entry.added_s),
            expires_s=int(entry.expires_s),
            signed=entry.signed,
            decrypted=entry.decrypted,
            refused=entry.refused,
        )
        for entry in entries
    )
    return _answer(request, extension.KeyList(rows))


def _success(_result: object = None) -> list[Buffer]:
    return [wire.success()]


def _ssh_scheme(entry: Entry, flags: int) -> Scheme:
    public = entry.public
    if public.key_type is KeyType.EC:
        return SSH_EC_SCHEMES[public.curve]
    if public.key_type is KeyType.ED25519:
        return BY_NAME["ed25519"]
    if flags not in SSH_RSA_FLAGS:
        raise UsageError("an RSA signature with SHA-1")
    return SSH_RSA_FLAGS[flags][1]


def _load_ssh(request: wire.AddIdentity) -> Candidate:
    """The key of an SSH message; its private half must make the public one that the message names."""
    der = ssh_keys.enclose(request)
    if der is None:
        with rsa_to_der(request.parts) as converted:
            candidate = keeper.load(converted)
    else:
        try:
            candidate = keeper.load(der)
        finally:
            der[:] = bytes(len(der))
    if candidate.public.ssh_blob != ssh_keys.named_public(request):
        raise UsageError("the private and the public half of this key do not fit")
    return candidate


# In this order: the first class that an error is an instance of tells its status on the wire.
_STATUS: tuple[tuple[type[KitError], Status], ...] = (
    (Refused, Status.REFUSED),
    (Locked, Status.LOCKED),
    (NoSuchKey, Status.UNKNOWN_KEY),
    (OperationFailed, Status.FAILED),
    (StoreFull, Status.UNAVAILABLE),
    (Unavailable, Status.UNAVAILABLE),
    (KitError, Status.MALFORMED),
)


def _failed(request: wire.Request, error: KitError) -> bytearray:
    if isinstance(request, wire.Unsupported) and request.is_extension:
        # The draft: an extension that is not known is answered as a message that is not known.
        return frame(wire.failure())
    if not isinstance(request, extension.Request):
        return frame(wire.failure())
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    failure = Failure(status, str(error), getattr(error, "purpose", ""))
    return frame(wire.extension_response(request.name, b""), *extension.encode_answer(failure))


class _Rule(NamedTuple):
    """Who answers a request, and whether that is so while the agent is locked."""

    answer: Callable[[Service, Any], Any]
    while_locked: bool


_RULES: dict[type[object], _Rule] = {
    extension.Sign: _Rule(Service.sign, False),
    extension.Decrypt: _Rule(Service.decrypt, False),
    extension.Generate: _Rule(Service.generate, False),
    extension.Add: _Rule(Service.add, False),
    extension.List: _Rule(Service.list, False),
    extension.Remove: _Rule(Service.remove, False),
    extension.GetStatus: _Rule(Service.status, True),
    extension.Stop: _Rule(Service.stop, True),
    wire.RequestIdentities: _Rule(Service.identities, True),  # and answers with none
    wire.SignRequest: _Rule(Service.ssh_sign, False),
    wire.AddIdentity: _Rule(Service.ssh_add, False),
    wire.RemoveIdentity: _Rule(Service.ssh_remove, False),
    wire.RemoveAllIdentities: _Rule(Service.ssh_remove_all, False),
    wire.Lock: _Rule(Service.ssh_lock, False),
    wire.Unlock: _Rule(Service.ssh_unlock, True),
    wire.Query: _Rule(Service.query, True),
    wire.Unsupported: _Rule(Service.unsupported, True),
}
