"""A worker's answers: a message in, its answer out, in both dialects of the protocol.

Who may ask what, whether while the agent is locked, and who answers stands in the table at the end of this
file, and nowhere else. What breaks the encoding raises ProtocolError, and the server ends that connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from kit.agent import answers, extension, wire
from kit.agent.answers import Locked, NotAdministrator
from kit.agent.channels import messages
from kit.agent.content import open_end
from kit.agent.keystore import Entry
from kit.agent.later import Get, Later, Wait, then
from kit.agent.operations import Operations
from kit.agent.queue import answering
from kit.agent.queue.messages import BeginOpening, BeginSealing, Continue, EndStream
from kit.agent.repeats import recall, remember
from kit.agent.schemes import BY_NAME, SCHEMES, SSH_EC_SCHEMES, SSH_RSA_FLAGS, KeyType, Scheme
from kit.agent.state import State
from kit.agent.uses import Client, Repeat
from kit.core.errors import KitError, Unavailable, UsageError
from kit.core.framing import frame

# A key of RSA's largest size with its names takes 8 KiB, a passphrase 4.
_FORWARD_LIMIT = 16 * 1024


class Service:
    """Answers messages; knows no socket."""

    def __init__(self, operations: Operations, state: State) -> None:
        self.operations = operations
        self._holding = operations.holding
        self._state = state

    def handle(self, message: bytearray, client: Client) -> bytearray | Later:
        """The framed answer, or work whose `finish` makes it. `message` must live until then."""
        if client.repeats:
            holding = self._holding
            repeat = recall(message, client, holding.generation, holding.clock)
            if repeat:
                return self._repeat(repeat, message)
        request = wire.parse_request(message)
        rule = _RULES[type(request)]
        if self._holding.locked and not rule.while_locked:
            return answers.failed(request, Locked("the agent is locked"))
        if rule.administrator and not client.admin:
            return self._conclude(request, partial(_not_permitted, request))
        if rule.answer is None:
            return self._conclude(request, partial(_forward, message, client))
        step = partial(rule.answer, self, request, client)
        return self._conclude(request, partial(step, message) if rule.remembers else step)

    def refuse(self, message: bytearray, error: KitError) -> bytearray:
        """The answer that says this error to whoever sent the message."""
        return answers.failed(wire.parse_request(message), error)

    def _conclude(self, request: wire.Request, step: Get) -> bytearray | Later:
        try:
            outcome = step()
        except KitError as error:
            self.operations.note_failure(type(request).__name__, error)
            return answers.failed(request, error)
        if isinstance(outcome, Later):
            finish = outcome.finish
            return Later(outcome.wait, outcome.work, lambda get: self._conclude(request, lambda: finish(get)))
        return outcome if isinstance(outcome, bytearray) else frame(*outcome)

    def _repeat(self, repeat: Repeat, message: bytearray) -> bytearray | Later:
        """Like `_conclude`, for a request that was read and permitted before."""
        return self._conclude_repeat(
            repeat, message, self.operations.perform, repeat.use, repeat.content(message)
        )

    def _conclude_repeat(
        self, repeat: Repeat, message: bytearray, step: Callable[..., Any], *arguments: Any
    ) -> bytearray | Later:
        try:
            outcome = step(*arguments)
        except KitError as error:
            request = wire.parse_request(message)
            self.operations.note_failure(type(request).__name__, error)
            return answers.failed(request, error)
        if isinstance(outcome, Later):
            finish = outcome.finish
            return Later(
                outcome.wait,
                outcome.work,
                lambda get: self._conclude_repeat(repeat, message, finish, get),
            )
        return repeat.answer(outcome)

    # kit's own messages.

    def sign(self, request: extension.Sign, client: Client, message: bytearray) -> Any:
        scheme = _scheme(request.scheme)
        entry = self.operations.find(client, partial(self._holding.by_id, request.key_id), "sign")
        use = self.operations.permit_sign(client, entry, scheme, request.purpose, request.content)
        remember(message, request.content, open_end(request.content), use, answers.signature)
        return then(self.operations.perform(use, request.content), answers.signature)

    def sign_digest(self, request: extension.SignDigest, client: Client, message: bytearray) -> Any:
        scheme = _scheme(request.scheme)
        entry = self.operations.find(client, partial(self._holding.by_id, request.key_id), "sign")
        use = self.operations.permit_digest(client, entry, scheme, request.purpose, request.digest)
        remember(message, request.digest, len(request.digest), use, answers.digest_signature)
        return then(self.operations.perform(use, request.digest), answers.digest_signature)

    def sign_block(self, request: extension.SignBlock, client: Client) -> Any:
        entry = self.operations.find(client, partial(self._holding.by_id, request.key_id), "sign")
        use = self.operations.permit_block(client, entry, request.purpose, request.block)
        outcome = self.operations.perform(use, request.block)
        return then(outcome, lambda made: answers.done(request, extension.Signature(made)))

    def decrypt(self, request: extension.Decrypt, client: Client) -> Any:
        entry = self.operations.find(client, partial(self._holding.by_id, request.key_id), "decrypt")
        use = self.operations.permit_decrypt(client, entry, request.ciphertext)
        outcome = self.operations.perform(use, request.ciphertext)
        return then(outcome, lambda plain: answers.done(request, extension.Plaintext(memoryview(plain))))

    def list(self, request: extension.List, client: Client) -> Any:
        """An administrator sees every key, others those that name them."""
        return answers.listed(request, self._seen_by(client), self._state.counts)

    def certificates(self, request: extension.GetCertificates, client: Client) -> Any:
        return answers.certificates(request, self._seen_by(client))

    def _seen_by(self, client: Client) -> Sequence[Entry]:
        alive = self._holding.alive()
        return [entry for entry in alive if client.admin or entry.peers.admits(client.peer)]

    def status(self, request: extension.GetStatus, _client: Client) -> Any:
        return answers.done(request, self._state.status(len(self._holding.alive()), self._holding.locked))

    def metrics(self, request: extension.GetMetrics, _client: Client) -> Any:
        return answers.done(request, self._state.metrics(self._holding.alive(), self._holding.locked))

    def peers(self, request: extension.GetPeers, client: Client) -> Any:
        question = partial(messages.Who, slot=client.slot)
        return _ask(question, lambda reply: answers.done(request, _peer_list(reply)))

    def reload(self, request: extension.Reload, client: Client) -> Any:
        question = partial(messages.ReadAgain, slot=client.slot)
        return _ask(question, lambda reply: answers.done(request, _report(reply)))

    def stop(self, request: extension.Stop, client: Client) -> Any:
        """Answered when the socket is free for another agent."""
        question = partial(messages.End, slot=client.slot)
        return _ask(question, lambda _reply: answers.done(request, extension.Done()))

    # The SSH agent protocol's.

    def identities(self, _request: wire.RequestIdentities, client: Client) -> Any:
        """Those that the client may use and SSH has a type for; none while the agent is locked."""
        alive = [] if self._holding.locked else self._holding.alive()
        mine = [entry for entry in alive if entry.public.ssh_blob and entry.peers.admits(client.peer)]
        return [wire.identities_answer([(entry.public.ssh_blob, entry.name) for entry in mine])]

    def ssh_sign(self, request: wire.SignRequest, client: Client, message: bytearray) -> Any:
        entry = self.operations.find(client, partial(self._holding.by_blob, request.key_blob), "sign")
        scheme = _ssh_scheme(entry, request.flags)
        use = self.operations.permit_sign(client, entry, scheme, "", request.content)
        answer = partial(answers.ssh_signature, entry.public, scheme)
        remember(message, request.content, open_end(request.content), use, answer)
        return then(self.operations.perform(use, request.content), answer)

    def query(self, _request: wire.Query, _client: Client) -> Any:
        return [wire.query_response()]

    def unsupported(self, request: wire.Unsupported, _client: Client) -> Any:
        raise UsageError(request.why)


def _not_permitted(_request: wire.Request) -> Any:
    raise NotAdministrator("only an administrator of the agent may ask for this")


def _forward(message: bytearray, client: Client) -> Later:
    """Have the zygote answer, word for word."""
    if len(message) > _FORWARD_LIMIT:
        raise UsageError(f"a message of {len(message)} bytes, where {_FORWARD_LIMIT} are enough for any key")

    def question(number: int) -> messages.Forward:
        return messages.Forward(number, client.slot, memoryview(message))

    return Later(Wait.ZYGOTE, question, lambda get: bytearray(get().message))


def _ask(question: Callable[..., Any], step: Callable[[messages.Reply], Any]) -> Later:
    """Ask the supervisor."""

    def finish(get: Get) -> Any:
        reply: messages.Reply = get()
        if not reply.good:
            raise Unavailable(bytes(reply.message).decode(errors="replace"))
        return step(reply)

    return Later(Wait.SUPERVISOR, question, finish)


def _peer_list(reply: messages.Reply) -> extension.PeerList:
    return extension.PeerList(messages.parse(reply.message).peers)


def _report(reply: messages.Reply) -> extension.ReloadReport:
    return extension.ReloadReport(messages.parse(reply.message).keys)


def _scheme(code: int) -> Scheme:
    if code not in SCHEMES:
        raise UsageError(f"no signature scheme {code:#06x}")
    return SCHEMES[code]


def _ssh_scheme(entry: Entry, flags: int) -> Scheme:
    public = entry.public
    if public.key_type is KeyType.EC:
        return SSH_EC_SCHEMES[public.curve]
    if public.key_type is KeyType.ED25519:
        return BY_NAME["ed25519"]
    if flags not in SSH_RSA_FLAGS:
        raise UsageError("an RSA signature with SHA-1")
    return SSH_RSA_FLAGS[flags][1]


class _Rule(NamedTuple):
    """Who answers a request (None: the zygote), whether while the agent is locked, and who may ask.

    What is remembered for its repetition is told the message as it came.
    """

    answer: Callable[..., Any] | None
    while_locked: bool
    administrator: bool
    remembers: bool = False


_RULES: dict[type[object], _Rule] = {
    extension.Sign: _Rule(Service.sign, False, False, remembers=True),
    extension.SignDigest: _Rule(Service.sign_digest, False, False, remembers=True),
    extension.SignBlock: _Rule(Service.sign_block, False, False),
    extension.Decrypt: _Rule(Service.decrypt, False, False),
    extension.Generate: _Rule(None, False, True),
    extension.Add: _Rule(None, False, True),
    extension.List: _Rule(Service.list, False, False),
    extension.GetCertificates: _Rule(Service.certificates, False, False),
    extension.Remove: _Rule(None, False, True),
    extension.GetStatus: _Rule(Service.status, True, True),
    extension.GetMetrics: _Rule(Service.metrics, True, True),
    extension.GetPeers: _Rule(Service.peers, True, True),
    extension.Reload: _Rule(Service.reload, False, True),
    BeginSealing: _Rule(answering.begin_sealing, False, False),
    BeginOpening: _Rule(answering.begin_opening, False, False),
    Continue: _Rule(answering.continue_stream, False, False),
    EndStream: _Rule(answering.end_stream, False, False),
    extension.Stop: _Rule(Service.stop, True, True),
    wire.RequestIdentities: _Rule(Service.identities, True, False),  # and answers with none
    wire.SignRequest: _Rule(Service.ssh_sign, False, False, remembers=True),
    wire.AddIdentity: _Rule(None, False, True),
    wire.RemoveIdentity: _Rule(None, False, True),
    wire.RemoveAllIdentities: _Rule(None, False, True),
    wire.Lock: _Rule(None, False, True),
    wire.Unlock: _Rule(None, True, True),
    wire.Query: _Rule(Service.query, True, False),
    wire.Unsupported: _Rule(Service.unsupported, True, False),
}
