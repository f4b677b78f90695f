"""A worker's service and the zygote's authority in one process: what they say to each other is real, the
channels between them are not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from kit.agent import extension, wire
from kit.agent.audit.act import Act
from kit.agent.channels import messages
from kit.agent.channels.messages import Change, Forward, Take
from kit.agent.channels.tallies import Tallies
from kit.agent.encoding import Buffer
from kit.agent.extension import Failure
from kit.agent.forms import key_id
from kit.agent.holding import Holding
from kit.agent.keeper import Keeper
from kit.agent.keystore import KeyStore
from kit.agent.later import Later, Wait
from kit.agent.operations import Operations
from kit.agent.peers import Peer
from kit.agent.processes.authority import Authority, Means
from kit.agent.processes.configured import Configured
from kit.agent.processes.loop import Loop
from kit.agent.processes.offspring import Offspring
from kit.agent.service import Service
from kit.agent.state import State
from kit.agent.uses import Client

ADMIN = Peer(1000, 1000, frozenset(), 4321, "admin")
ITSELF = Peer(0, 0, frozenset(), 2, "zygote")
SLOTS = 4


@dataclass
class Lines:
    """A log that a test can read."""

    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def event(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    def of(self, wanted: str) -> list[dict[str, object]]:
        return [fields for event, fields in self.events if event == wanted]


@dataclass
class Acts:
    """An audit log that a test can read, and break."""

    acts: list[Act] = field(default_factory=list)
    working: bool = True

    def record(self, act: Act) -> None:
        self.acts.append(act)

    def flush(self) -> None:
        pass

    def of(self, event: str) -> list[str]:
        """The results of this event, in their order."""
        return [act.result for act in self.acts if act.event == event]


def over_the_wire(message: Any) -> Any:
    """As it arrives at another process."""
    return messages.parse(joined(messages.encode(message)))


def joined(parts: Iterable[Buffer]) -> bytearray:
    return bytearray(b"".join(bytes(part) for part in parts))


class Agent:
    """One worker and its zygote, a clock that a test moves, and what they write."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.log, self.audit, self.loop = Lines(), Acts(), Loop()
        self.client = Client(ADMIN, 0, admin=True)
        self.asked: list[Any] = []  # of the supervisor
        self.confirms = True
        tallies = Tallies(1, 256, SLOTS)
        means = Means(self._spread, Offspring(self.loop, 2), tallies, self.audit, self.log, ITSELF)
        self.authority = Authority(Holding(KeyStore(), Keeper(), self._clock), means)
        self.configured = Configured(self.authority)
        self.holding = Holding(KeyStore(), Keeper(), self._clock)
        self.changes: list[Change] = []
        state = State(tallies, 1, 2, self.now_s, "", ())
        self.service = Service(Operations(self.holding, tallies, 0, self.audit, self.log), state)

    def as_peer(self, uid: int, *groups: int, admin: bool = False, slot: int = 1) -> None:
        """Whoever asks from now on is this user."""
        self.client = Client(Peer(uid, uid, frozenset(groups), 77, "prog"), slot, admin)

    def say(self, *parts: Any) -> bytearray:
        """The answer to a message, whoever gives it."""
        message = bytearray(b"".join(bytes(part) for part in parts))
        answer = self.service.handle(message, self.client)
        while isinstance(answer, Later):
            answer = answer.finish(self._get(answer))
        message[:] = bytes(len(message))  # as the server does: nobody may need it any more
        assert int.from_bytes(answer[:4], "big") == len(answer) - 4
        return answer[4:]

    def ask(self, request: extension.Request, answer: type[Any] = extension.KeyList) -> Any:
        got = self.say(wire.extension_request(request.name), *extension.encode(request))
        reader = wire.read_extension_response(got, request.name)
        assert reader
        return extension.parse_answer(answer, reader)

    def sign(self, spki: bytes, scheme: int, content: bytes, purpose: str = "") -> Any:
        return self.ask(extension.Sign(key_id(spki), scheme, purpose, content), extension.Signature)

    def make(self, kind: str = "p-256", purposes: Iterable[str] = (), name: str = "key") -> Any:
        answer = self.ask(extension.Generate(name, kind, tuple(purposes), 0))
        return answer if isinstance(answer, Failure) else answer.keys[0]

    def ssh_ok(self, *parts: Any) -> bool:
        return wire.read_success(self.say(*parts))

    def _clock(self) -> float:
        return self.now_s

    def _spread(self, change: Change) -> None:
        self.changes.append(change)
        self.holding.apply(over_the_wire(change))

    def _get(self, later: Later) -> Callable[[], Any]:
        if later.wait is Wait.TURN:
            return later.work
        replies: list[messages.Reply] = []
        question = over_the_wire(later.work(7))
        assert question.number == 7

        def reply(good: bool, answer: Buffer) -> None:
            replies.append(over_the_wire(messages.Reply(7, good, memoryview(answer))))

        if later.wait is Wait.SUPERVISOR:
            self._supervisor(question, reply)
        elif isinstance(question, Take):
            reply(self.configured.take(question.key_id, self.now_s), b"")
        else:
            self._zygote(question, replies, lambda answer: reply(True, answer))
        return replies.pop

    def _zygote(self, question: Forward, replies: list[Any], reply: Callable[[Buffer], None]) -> None:
        assert (question.slot, self.client.admin) == (self.client.slot, True)
        self.authority.handle(question.message, self.client.peer, reply)
        if question.message[0] == wire.UNLOCK and not replies:
            self.now_s += self.authority.until_next_s() or 0
            self.authority.guess()
        while not replies:
            self.loop.once()  # one of its children works

    def _supervisor(self, question: Any, reply: Callable[[bool, Buffer], None]) -> None:
        self.asked.append(question)
        if isinstance(question, messages.Confirm):
            reply(self.confirms, b"")
        elif isinstance(question, messages.Who):
            record = extension.PeerRecord(1000, 4321, "admin", 0, 0, 1000, 5, 6)
            reply(True, joined(messages.encode(messages.Connected((record,)))))
        elif isinstance(question, messages.ReadAgain):
            reply(False, b"'agent.toml' cannot be read")
        else:
            reply(True, b"")
