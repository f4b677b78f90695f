"""Whose signature smtpd gets, and how soon it is told that there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from kit.agent.errors import AgentTimeout, AgentUnavailable, UnknownKey
from kit.agent.extension import KeyRecord
from kit.agent.forms import key_id
from kit.agent.smtpd.imsg import Kind
from kit.agent.smtpd.keys import Keys
from kit.agent.smtpd.names import hash_name
from kit.agent.smtpd.requests import Request
from kit.core.errors import KitError, NegativeAnswer, Unavailable
from tests.agent.samples import public_key

RSA, EC, ED25519 = (public_key(kind) for kind in ("rsa-2048", "p-256", "ed25519"))


def record(kind: str, name: str) -> KeyRecord:
    public = public_key(kind)
    return KeyRecord(name, kind, public.spki, public.ssh_blob, ("tls-digest",), 0, 0, 0, 0, 0, (), "")


@dataclass
class Agent:
    """An agent that a test can fill, break and read; `now_s` is everybody's clock."""

    records: list[KeyRecord] = field(default_factory=list)
    error: KitError | None = None
    asked: list[tuple[object, ...]] = field(default_factory=list)
    now_s: float = 100.0

    def list_keys(self) -> tuple[KeyRecord, ...]:
        self._note("list")
        return tuple(self.records)

    def sign_digest(self, key_id: bytes, scheme_code: int, digest: bytes, purpose: str = "") -> bytes:
        self._note("digest", key_id, scheme_code, digest, purpose)
        return self._signature(key_id)

    def sign_block(self, key_id: bytes, block: bytes, purpose: str = "") -> bytes:
        self._note("block", key_id, block, purpose)
        return self._signature(key_id)

    def _note(self, *asked: object) -> None:
        self.asked.append(asked)
        if self.error:
            raise self.error

    def _signature(self, wanted: bytes) -> bytes:
        if wanted not in [key_id(record.spki) for record in self.records]:
            raise UnknownKey("the agent does not hold this key")
        return b"signature"


@pytest.fixture
def agent() -> Agent:
    return Agent([record("rsa-2048", "rsa.test"), record("p-256", "ec.test"), record("ed25519", "ed.test")])


@pytest.fixture
def keys(agent: Agent) -> Keys:
    return Keys(agent, lambda: agent.now_s)


def ecdsa(name: str = hash_name(EC.spki), digest: bytes = bytes(32)) -> Request:
    return Request(Kind.ECDSA_SIGN, bytes(8), name, digest, 0)


def test_a_digest_and_a_block_are_asked_for_as_what_they_are(agent: Agent, keys: Keys) -> None:
    assert keys.sign(ecdsa()) == b"signature"
    assert keys.sign(Request(Kind.RSA_PRIVENC, bytes(8), hash_name(RSA.spki), b"b" * 256, 3)) == b"signature"
    assert agent.asked == [
        ("list",),
        ("digest", EC.key_id, 0x0403, bytes(32), "tls-digest"),
        ("block", RSA.key_id, b"b" * 256, "tls-digest"),
    ]


def test_smtpd_6_8_asks_by_the_name_that_the_key_has_in_the_agent(agent: Agent, keys: Keys) -> None:
    assert keys.sign(ecdsa("ec.test")) == b"signature"
    assert agent.asked[-1][1] == EC.key_id


def test_what_is_never_signed_is_not_asked_for(agent: Agent, keys: Keys) -> None:
    with pytest.raises(NegativeAnswer):
        keys.sign(Request(Kind.RSA_PRIVDEC, bytes(8), hash_name(RSA.spki), bytes(256), 1))
    assert agent.asked == []


def test_an_unknown_key_is_looked_for_once_a_second(agent: Agent, keys: Keys) -> None:
    for _ in range(3):
        with pytest.raises(UnknownKey, match="names this process's user"):
            keys.sign(ecdsa("SHA256:00"))
    assert agent.asked == [("list",)]
    agent.now_s += 1
    agent.records.append(record("p-384", "SHA256:00"))
    assert keys.sign(ecdsa("SHA256:00", bytes(48))) == b"signature"


def test_a_key_that_was_replaced_is_found_anew(agent: Agent, keys: Keys) -> None:
    keys.sign(ecdsa("ec.test"))
    agent.records[1] = record("p-384", "ec.test")
    agent.now_s += 1
    assert keys.sign(ecdsa("ec.test", bytes(48))) == b"signature"
    assert agent.asked[-1][1] == public_key("p-384").key_id


def test_an_agent_that_is_away_is_asked_each_time_and_found_when_it_is_back(agent: Agent, keys: Keys) -> None:
    agent.error = AgentUnavailable("no agent")
    for _ in range(3):
        with pytest.raises(AgentUnavailable):
            keys.sign(ecdsa())
    agent.error = None
    assert keys.sign(ecdsa()) == b"signature"


def test_an_agent_that_did_not_answer_in_time_is_left_alone_for_a_while(agent: Agent, keys: Keys) -> None:
    keys.sign(ecdsa())
    agent.error = AgentTimeout("too late")
    with pytest.raises(AgentTimeout):
        keys.sign(ecdsa())
    asked = len(agent.asked)
    agent.error = None
    with pytest.raises(Unavailable, match="a moment ago"):
        keys.sign(ecdsa())
    assert len(agent.asked) == asked
    agent.now_s += 2
    assert keys.sign(ecdsa()) == b"signature"
