"""Every change is made by every worker before it is answered, and by the zygote before them."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kit.agent import extension, wire
from kit.agent.channels.messages import Change, Drop, Hold, Shut
from kit.agent.channels.tallies import REFUSED, SIGNED, Tallies
from kit.agent.encoding import Buffer, string
from kit.agent.extension import Status
from kit.agent.holding import Holding
from kit.agent.keeper import Keeper
from kit.agent.keystore import KeyStore
from kit.agent.peers import Allowed, Peer
from kit.agent.processes.authority import Authority, Means, Wish
from kit.agent.processes.loop import Loop
from kit.agent.processes.offspring import Offspring
from tests.agent.joined import ITSELF, Acts, Lines, over_the_wire
from tests.agent.samples import private_key, public_key

ADMIN = Peer(1000, 1000, frozenset(), 4321, "admin")


def der_of(kind: str, which: int = 0) -> bytearray:
    key = private_key(kind, which)
    return bytearray(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


class Zygote:
    """An authority whose workers and clients write down what reaches them, in one order."""

    def __init__(self, workers: int = 2) -> None:
        self.now_s, self.order = 1000.0, list[str]()
        self.loop, self.audit, self.log = Loop(), Acts(), Lines()
        self.tallies = Tallies(2, 16, 4)
        self.workers = [Holding(KeyStore(), Keeper(), self.clock) for _ in range(workers)]
        means = Means(self.spread, Offspring(self.loop, 2), self.tallies, self.audit, self.log, ITSELF)
        self.authority = Authority(Holding(KeyStore(16), Keeper(), self.clock), means)

    def clock(self) -> float:
        return self.now_s

    def spread(self, change: Change) -> None:
        for worker in self.workers:
            worker.apply(over_the_wire(change))
        self.order.append(type(change).__name__)

    def ask(self, *parts: Buffer) -> bytes:
        """The answer, without its length; what the caller wiped meanwhile must not matter."""
        message, answers = bytearray(b"".join(bytes(part) for part in parts)), list[bytes]()

        def reply(answer: Buffer) -> None:
            self.order.append("answer")
            answers.append(bytes(answer)[4:])

        self.authority.handle(message, ADMIN, reply)
        message[:] = bytes(len(message))
        while not answers and not self.authority.until_next_s():
            self.authority.guess()
            if not answers:
                self.loop.once()
        while not answers:
            self.now_s += self.authority.until_next_s() or 0
            self.authority.guess()
        (answer,) = answers
        return answer

    def kit(self, request: extension.Request, kind: Any = extension.KeyList) -> Any:
        answer = self.ask(wire.extension_request(request.name), *extension.encode(request))
        reader = wire.read_extension_response(answer, request.name)
        assert reader
        return extension.parse_answer(kind, reader)

    def add(self, kind: str = "p-256", name: str = "key", **fields: Any) -> Any:
        return self.kit(extension.Add(name, (), fields.get("lifetime_s", 0), memoryview(der_of(kind))))

    def same_everywhere(self) -> bool:
        held = [
            [(entry.name, entry.public.key_id, entry.purposes, entry.slot) for entry in holding.store]
            for holding in (self.authority.holding, *self.workers)
        ]
        return all(one == held[0] for one in held)


@pytest.fixture
def zygote() -> Zygote:
    return Zygote()


def test_a_key_is_in_every_worker_before_whoever_brought_it_knows(zygote: Zygote) -> None:
    assert zygote.add().keys[0].kind == "p-256"
    assert zygote.kit(extension.Generate("made", "ed25519", (), 0)).keys[0].kind == "ed25519"
    assert zygote.order == ["Hold", "answer"] * 2
    assert zygote.same_everywhere()


def test_a_removal_is_in_every_worker_before_it_is_answered(zygote: Zygote) -> None:
    for kind in ("p-256", "p-384"):
        zygote.add(kind, kind)
    zygote.order.clear()
    assert zygote.kit(extension.Remove(public_key("p-256").key_id), extension.Done) == extension.Done()
    assert zygote.ask([wire.REMOVE_ALL_IDENTITIES]) == wire.success()
    assert zygote.order == ["Drop", "answer"] * 2
    assert [len(worker.store) for worker in zygote.workers] == [0, 0]


def test_lock_and_unlock_are_in_every_worker_before_they_are_answered(zygote: Zygote) -> None:
    zygote.add()
    zygote.order.clear()
    for number, locked in ((wire.LOCK, True), (wire.UNLOCK, False)):
        assert zygote.ask([number], string("passphrase")) == wire.success()
        assert [worker.locked for worker in zygote.workers] == [locked] * 2
    assert zygote.order == ["Shut", "answer"] * 2


def test_a_wrong_passphrase_is_told_to_no_worker(zygote: Zygote) -> None:
    zygote.ask([wire.LOCK], string("right"))
    zygote.order.clear()
    assert zygote.ask([wire.UNLOCK], string("wrong")) == wire.failure()
    assert zygote.order == ["answer"]
    assert all(worker.locked for worker in zygote.workers)


@pytest.mark.parametrize(
    "request_",
    [
        extension.Add("key", (), 0, memoryview(b"garbage")),
        extension.Add("n" * 256, (), 0, memoryview(der_of("p-384"))),
        extension.Add("taken", (), 0, memoryview(der_of("p-384"))),
        extension.Add("key", ("decrypt",), 0, memoryview(der_of("p-384"))),
        extension.Generate("taken", "p-256", (), 0),
        extension.Generate("key", "dsa", (), 0),
        extension.Generate("key", "p-256", ("nonsense",), 0),
        extension.Remove(bytes(32)),
    ],
    ids=lambda request: type(request).__name__,
)
def test_what_cannot_be_done_changes_nothing_anywhere(zygote: Zygote, request_: Any) -> None:
    zygote.add(name="taken")
    zygote.order.clear()
    assert zygote.kit(request_).status in (Status.MALFORMED, Status.UNKNOWN_KEY)
    assert zygote.order == ["answer"]
    assert zygote.same_everywhere()
    assert zygote.audit.acts[-1].result == "failed"
    assert zygote.audit.acts[-1].event in ("add", "generate", "remove")


def test_one_key_too_many_is_told_to_nobody(zygote: Zygote) -> None:
    for number in range(16):
        wish = Wish(f"key {number}", ("ssh",), Allowed())
        zygote.authority.hold(wish, der_of("p-256", 100 + number), ITSELF, "add")
    zygote.order.clear()
    assert zygote.add("ed25519").status is Status.UNAVAILABLE
    assert zygote.order == ["answer"]
    assert zygote.same_everywhere()


def test_a_key_that_is_made_while_the_agent_gets_locked_is_not_held(zygote: Zygote) -> None:
    answers: list[bytes] = []
    request = extension.Generate("late", "p-256", (), 0)
    message = b"".join(map(bytes, (wire.extension_request(request.name), *extension.encode(request))))
    zygote.authority.handle(message, ADMIN, lambda answer: answers.append(bytes(answer)))
    assert zygote.ask([wire.LOCK], string("x")) == wire.success()
    while not answers:
        zygote.loop.once()
    reader = wire.read_extension_response(answers[0][4:], request.name)
    assert reader
    assert reader.byte() == Status.LOCKED
    assert [len(worker.store) for worker in zygote.workers] == [0, 0]


def test_a_new_key_in_a_slot_begins_to_count_and_the_same_key_goes_on(zygote: Zygote) -> None:
    zygote.add()
    zygote.tallies.row(1).key(0)[SIGNED] = zygote.tallies.row(0).key(0)[REFUSED] = 5
    assert zygote.add(name="again").keys[0].signed == 5
    zygote.kit(extension.Remove(public_key("p-256").key_id), extension.Done)
    assert zygote.add("p-384").keys[0].signed == 0


def test_expiry_is_the_workers_own_and_written_down_once(zygote: Zygote) -> None:
    zygote.add(lifetime_s=10)
    zygote.order.clear()
    zygote.now_s += 10
    for _ in range(2):
        zygote.authority.expire()
        for worker in zygote.workers:
            worker.expire()
    assert zygote.order == []
    assert zygote.same_everywhere()
    (act,) = [act for act in zygote.audit.acts if act.event == "expire"]
    assert (act.key, act.uid, act.pid) == ("key", ITSELF.uid, ITSELF.pid)


def test_a_forked_process_can_overwrite_its_copies_of_passphrases(zygote: Zygote) -> None:
    zygote.ask(*wire.lock_request(wire.LOCK, b"secret"))
    message = b"".join(bytes(part) for part in wire.lock_request(wire.UNLOCK, b"secret"))
    zygote.authority.handle(message, ITSELF, lambda _answer: None)
    ((_, passphrase),) = zygote.authority._guesses
    assert passphrase == b"secret"
    zygote.authority.wipe()
    assert passphrase == bytes(6)


def test_guesses_wait_in_a_line_that_has_an_end(zygote: Zygote) -> None:
    zygote.ask([wire.LOCK], string("right"))
    answers: list[bytes] = []
    for _ in range(20):
        message = bytearray(bytes([wire.UNLOCK]) + string("wrong"))
        zygote.authority.handle(message, ADMIN, lambda answer: answers.append(bytes(answer)[4:]))
    assert answers == [wire.failure()] * 4, "sixteen wait"
    while (wait_s := zygote.authority.until_next_s()) is not None:
        zygote.now_s += wait_s
        zygote.authority.guess()
    assert len(answers) == 20
    assert all(worker.locked for worker in zygote.workers)


def test_the_audit_log_names_whoever_asked(zygote: Zygote) -> None:
    zygote.add()
    zygote.kit(extension.Remove(public_key("p-256").key_id), extension.Done)
    zygote.ask([wire.LOCK], string("x"))
    assert [(act.event, act.key, act.uid, act.pid, act.peer) for act in zygote.audit.acts] == [
        ("add", "key", 1000, 4321, "admin"),
        ("remove", "key", 1000, 4321, "admin"),
        ("lock", "", 1000, 4321, "admin"),
    ]


def test_a_worker_can_make_a_change_only_as_the_zygote_said_it() -> None:
    kinds = {Hold, Drop, Shut}
    assert set(Change.__args__) == kinds  # type: ignore[attr-defined]
