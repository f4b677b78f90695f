"""Who may do what with which key: users, administrators, rates, confirmation, an audit log that must be."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kit.agent import extension, wire
from kit.agent.channels.messages import Confirm, Drop, Hold
from kit.agent.encoding import string, uint32
from kit.agent.extension import AgentMetrics, AgentStatus, Failure, PeerList, Status
from kit.agent.forms import key_id
from kit.agent.later import Later, Wait
from kit.agent.peers import Allowed
from kit.agent.processes.authority import Wish
from kit.agent.rate import Bucket
from tests.agent.joined import ITSELF, Agent
from tests.agent.samples import TLS_1_3_HEAD, private_key, public_key, sshsig

ALICE, BOB, STAFF = 2001, 2002, 3000
VERIFY = TLS_1_3_HEAD + bytes(32)
P256 = 0x0403


@pytest.fixture
def agent() -> Agent:
    """Alice's key, one of a group's, and nobody else's."""
    agent = Agent()
    hold(agent, "alice", "p-256", Allowed(frozenset({ALICE})))
    hold(agent, "staff", "p-384", Allowed(frozenset(), frozenset({STAFF})))
    return agent


def der_of(kind: str, which: int = 0) -> bytearray:
    key = private_key(kind, which)
    return bytearray(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def hold(agent: Agent, name: str, kind: str, peers: Allowed, which: int = 0, **rules: Any) -> bytes:
    """Hold a key as a configuration would; its SubjectPublicKeyInfo."""
    wish = Wish(name, ("tls-server", "ssh"), peers, **rules)
    return agent.authority.hold(wish, der_of(kind, which), ITSELF, "add").public.spki


def listed(agent: Agent) -> set[str]:
    return {key.key_name for key in agent.ask(extension.List()).keys}


def ssh_sees(agent: Agent, *kinds_and_names: tuple[str, str]) -> bool:
    expected = [(public_key(kind).ssh_blob, name) for kind, name in kinds_and_names]
    return agent.say([wire.REQUEST_IDENTITIES]) == wire.identities_answer(expected)


def ssh_sign(agent: Agent, kind: str, which: int = 0) -> bytearray:
    blob = string(public_key(kind, which).ssh_blob)
    return agent.say([wire.SIGN_REQUEST], blob, string(sshsig()), uint32(0))


def test_each_user_sees_and_uses_the_keys_that_name_him_or_a_group_of_his(agent: Agent) -> None:
    seen = {}
    for who, groups in ((ALICE, ()), (BOB, (5, STAFF)), (ALICE, (STAFF,)), (STAFF, ())):
        agent.as_peer(who, *groups)
        seen[who, groups] = listed(agent)
        signed = [kind for kind in ("p-256", "p-384") if ssh_sign(agent, kind)[0] == wire.SIGN_RESPONSE]
        assert signed == [{"alice": "p-256", "staff": "p-384"}[name] for name in sorted(seen[who, groups])]
        kinds = {"alice": ("p-256", "alice"), "staff": ("p-384", "staff")}
        assert ssh_sees(agent, *(kinds[name] for name in sorted(seen[who, groups])))
    assert seen == {
        (ALICE, ()): {"alice"},
        (BOB, (5, STAFF)): {"staff"},
        (ALICE, (STAFF,)): {"alice", "staff"},
        (STAFF, ()): {"staff"},  # his own group has his number, in this harness
    }


def test_each_user_is_told_the_certificates_of_the_keys_that_name_him(agent: Agent) -> None:
    named = hold(agent, "named", "rsa-2048", Allowed(frozenset({ALICE})), certificate=b"certificate")
    told = extension.CertificateList((extension.CertificateRecord(key_id(named), b"certificate"),))
    for who, answer in ((ALICE, told), (BOB, extension.CertificateList(()))):
        agent.as_peer(who)
        assert agent.ask(extension.GetCertificates(), extension.CertificateList) == answer


def test_of_more_certificates_than_a_message_holds_there_are_as_many_as_fit(agent: Agent) -> None:
    for number, kind in enumerate(("rsa-2048", "ed25519", "p-521")):
        hold(agent, kind, kind, Allowed(frozenset({ALICE})), certificate=bytes(100_000 + number))
    agent.as_peer(ALICE)
    rows = agent.ask(extension.GetCertificates(), extension.CertificateList).certificates
    assert [len(row.certificate) for row in rows] == [100_000, 100_001]


def test_an_administrator_sees_every_key_and_uses_only_those_that_name_him(agent: Agent) -> None:
    spki = public_key("p-256").spki
    assert listed(agent) == {"alice", "staff"}
    assert ssh_sees(agent)
    assert agent.sign(spki, P256, VERIFY).status is Status.UNKNOWN_KEY
    assert agent.make(name="mine").peers == ("uid:0", "uid:1000")
    assert listed(agent) == {"alice", "staff", "mine"}


def test_a_key_that_does_not_name_the_client_is_answered_like_none_and_logged_as_denied(agent: Agent) -> None:
    agent.as_peer(BOB)
    denied, unknown = public_key("p-256"), public_key("p-256", 1)
    for ask in (
        lambda key: agent.say(*request(extension.Sign(key.key_id, P256, "", VERIFY))),
        lambda key: agent.say(*request(extension.Sign(key.key_id, P256, "nonsense", b""))),
        lambda key: agent.say(*request(extension.Decrypt(key.key_id, bytes(256)))),
        lambda key: agent.say([wire.SIGN_REQUEST], string(key.ssh_blob), string(sshsig()), uint32(0)),
    ):
        agent.audit.acts.clear()
        assert ask(denied) == ask(unknown)
        assert [(act.result, act.key, act.uid) for act in agent.audit.acts] == [
            ("denied", "alice", BOB),
            ("unknown", "", BOB),
        ]
    assert {event for event, _ in agent.log.events} == {"add", "refuse", "fail"}


def request(message: extension.Request) -> list[Any]:
    return [wire.extension_request(message.name), *extension.encode(message)]


def status_of(agent: Agent, message: extension.Request) -> int:
    reader = wire.read_extension_response(agent.say(*request(message)), message.name)
    assert reader
    return reader.byte()


ADMINISTRATIVE = [
    extension.Generate("x", "p-256", (), 0),
    extension.Add("x", (), 0, memoryview(b"")),
    extension.Remove(public_key("p-256").key_id),
    extension.Remove(bytes(32)),
    extension.GetStatus(),
    extension.GetMetrics(),
    extension.GetPeers(),
    extension.Reload(),
    extension.Stop(),
]


@pytest.mark.parametrize("message", ADMINISTRATIVE, ids=lambda message: message.name)
def test_only_an_administrator_may_ask_for(agent: Agent, message: Any) -> None:
    agent.as_peer(ALICE)
    assert status_of(agent, message) == Status.NOT_PERMITTED
    assert agent.asked == []
    assert not isinstance(agent.changes[-1], Drop)
    agent.as_peer(0, admin=True)
    assert status_of(agent, message) != Status.NOT_PERMITTED


SSH_ADMINISTRATIVE = {
    "add": bytes([wire.ADD_IDENTITY])
    + string("ssh-ed25519")
    + string(bytes(32))
    + string(bytes(64))
    + string(""),
    "remove": bytes([wire.REMOVE_IDENTITY]) + string(public_key("p-256").ssh_blob),
    "remove all": bytes([wire.REMOVE_ALL_IDENTITIES]),
    "lock": bytes([wire.LOCK]) + string("x"),
    "unlock": bytes([wire.UNLOCK]) + string("x"),
}


@pytest.mark.parametrize("message", SSH_ADMINISTRATIVE.values(), ids=SSH_ADMINISTRATIVE)
def test_in_the_ssh_dialect_too(agent: Agent, message: bytes) -> None:
    agent.as_peer(ALICE)
    assert not agent.ssh_ok(message)
    assert ssh_sees(agent, ("p-256", "alice"))
    assert len(agent.changes) == 2, "the two of the start"


def test_whoever_may_only_use_keys_cannot_unlock_what_an_administrator_locked(agent: Agent) -> None:
    assert agent.ssh_ok([wire.LOCK], string("x"))
    agent.as_peer(ALICE)
    assert ssh_sees(agent)
    assert not agent.ssh_ok([wire.UNLOCK], string("x"))
    assert agent.ask(extension.List()).status is Status.LOCKED


def test_a_limited_key_signs_as_often_as_its_rate_allows(agent: Agent) -> None:
    spki = hold(agent, "limited", "ed25519", Allowed(frozenset({ALICE})), limited=True)
    agent.configured._buckets[key_id(spki)] = Bucket(2, 3, agent.now_s)
    agent.as_peer(ALICE)
    verify = [agent.sign(spki, 0x0807, VERIFY) for _ in range(5)]
    assert [getattr(answer, "status", None) for answer in verify] == [None] * 3 + [Status.REFUSED] * 2
    assert "rate" in verify[-1].message
    agent.now_s += 0.5
    assert ssh_sign(agent, "ed25519")[0] == wire.SIGN_RESPONSE
    assert ssh_sign(agent, "ed25519")[0] == wire.FAILURE
    assert agent.audit.of("sign") == ["done"] * 3 + ["refused"] * 2 + ["done", "refused"]


def test_a_key_with_a_question_is_used_after_a_yes_and_not_after_a_no(agent: Agent) -> None:
    spki = hold(agent, "asks", "ed25519", Allowed(frozenset({ALICE})), confirm=True)
    agent.as_peer(ALICE, slot=3)
    assert agent.sign(spki, 0x0807, VERIFY).signature
    agent.confirms = False
    refusal = agent.sign(spki, 0x0807, VERIFY)
    assert (refusal.status, refusal.purpose) == (Status.REFUSED, "tls-server")
    assert agent.asked == [Confirm(7, "asks", "tls-server", 3)] * 2
    assert agent.audit.of("sign") == ["done", "refused"]


def test_nobody_is_asked_about_what_the_purposes_do_not_allow(agent: Agent) -> None:
    spki = hold(agent, "asks", "ed25519", Allowed(frozenset({ALICE})), confirm=True, limited=True)
    agent.as_peer(ALICE)
    assert agent.sign(spki, 0x0807, b"what is this?").status is Status.REFUSED
    assert agent.asked == []


@pytest.mark.parametrize("change", ["removed", "replaced", "locked"])
def test_a_use_that_waits_is_not_made_by_rules_that_changed_meanwhile(agent: Agent, change: str) -> None:
    spki = hold(agent, "asks", "ed25519", Allowed(frozenset({ALICE})), confirm=True)
    message = bytearray(b"".join(map(bytes, request(extension.Sign(key_id(spki), 0x0807, "", VERIFY)))))
    agent.as_peer(ALICE)
    waiting = agent.service.handle(message, agent.client)
    assert isinstance(waiting, Later)
    assert waiting.wait is Wait.SUPERVISOR
    if change == "removed":
        agent.authority.drop(agent.authority.holding.known(key_id(spki)), ITSELF)
    elif change == "replaced":
        hold(agent, "asks", "ed25519", Allowed(frozenset({BOB})))
    else:
        agent.as_peer(0, admin=True)
        agent.ssh_ok([wire.LOCK], string("x"))
    answer = waiting.finish(lambda: type("Reply", (), {"good": True}))
    while isinstance(answer, Later):
        answer = answer.finish(answer.work)
    assert agent.audit.of("sign") == ["failed"]
    reader = wire.read_extension_response(answer[4:], "sign@kit")
    assert reader
    assert isinstance(extension.parse_answer(extension.Signature, reader), Failure)


def test_without_the_audit_log_that_must_be_no_key_is_used(agent: Agent) -> None:
    agent.as_peer(ALICE)
    spki = public_key("p-256").spki
    assert agent.sign(spki, P256, VERIFY).signature
    agent.audit.working = False
    for _ in range(2):  # the second one repeats what was permitted
        assert agent.sign(spki, P256, VERIFY).status is Status.UNAVAILABLE
    assert ssh_sign(agent, "p-256") == wire.failure()
    assert listed(agent) == {"alice"}
    agent.audit.working = True
    assert agent.sign(spki, P256, VERIFY).signature


def test_a_message_longer_than_any_key_is_not_handed_on(agent: Agent) -> None:
    long = [bytes([wire.ADD_IDENTITY]), string("ssh-ed25519"), string(bytes(9)), string(bytes(20_000))]
    assert not agent.ssh_ok(*long, string("comment"))
    assert agent.ask(extension.Add("x", (), 0, memoryview(bytes(20_000)))).status is Status.MALFORMED


def test_a_change_is_the_same_in_the_zygote_and_in_its_worker(agent: Agent) -> None:
    agent.ask(extension.Generate("mine", "p-256", ("ca",), 60))
    change = agent.changes[-1]
    assert isinstance(change, Hold)
    here, there = (holding.store.by_name("mine", 0) for holding in (agent.authority.holding, agent.holding))
    assert here is not there
    assert here
    assert there
    assert vars(here) == vars(there)


def test_status_and_metrics_and_peers_tell_what_was_counted(agent: Agent) -> None:
    agent.as_peer(ALICE)
    spki = public_key("p-256").spki
    for content in (VERIFY, VERIFY, b"nonsense"):
        agent.sign(spki, P256, content)
    agent.as_peer(1000, admin=True)
    status = agent.ask(extension.GetStatus(), AgentStatus)
    assert (status.keys, status.signed, status.refused, status.pid) == (2, 2, 1, 1)
    by_key = {key.key_name: key for key in agent.ask(extension.GetMetrics(), AgentMetrics).by_key}
    assert (by_key["alice"].signed, by_key["alice"].refused, sum(by_key["alice"].durations)) == (2, 1, 2)
    assert by_key["staff"].signed == 0
    (peer,) = agent.ask(extension.GetPeers(), PeerList).peers
    assert (peer.uid, peer.pid, peer.peer_name) == (1000, 4321, "admin")


def test_a_reload_that_fails_says_why(agent: Agent) -> None:
    failure = agent.ask(extension.Reload())
    assert (failure.status, failure.message) == (Status.UNAVAILABLE, "'agent.toml' cannot be read")
