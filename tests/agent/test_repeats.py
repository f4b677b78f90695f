"""What is permitted once is permitted again without a second look, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given
from hypothesis import strategies as st

from kit.agent import extension, wire
from kit.agent.content import open_end, readings
from kit.agent.encoding import string
from kit.agent.extension import Failure, Status
from kit.agent.forms import key_id
from kit.agent.keystore import Entry
from kit.agent.public import load_spki
from tests.agent.joined import Agent
from tests.agent.samples import KINDS, TLS_1_3_HEAD, public_key

SCHEME = 0x0403
CLIENT_HEAD = TLS_1_3_HEAD.replace(b"server", b"client")


def sshsig(namespace: str, hash_name: str, digest: bytes) -> bytes:
    return b"SSHSIG" + string(namespace) + string("") + string(hash_name) + string(digest)


def contents() -> st.SearchStrategy[bytes]:
    """Contents with an open end, and some that only look like it."""
    heads = st.sampled_from([TLS_1_3_HEAD, CLIENT_HEAD, TLS_1_3_HEAD[:-1] + b"\1"])
    tls = st.tuples(
        heads, st.sampled_from([31, 32, 48, 64]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
    )
    digests = st.one_of(
        st.tuples(st.just("sha256"), st.binary(min_size=32, max_size=32)),
        st.tuples(st.just("sha512"), st.binary(min_size=64, max_size=64)),
        st.tuples(st.just("sha512"), st.binary(min_size=32, max_size=32)),
    )
    # Lengths around those of a key exchange, whose marks then lie in the digest.
    names = st.integers(0, 150).map(lambda n: "n" * n)
    signatures = st.builds(lambda name, digest: sshsig(name, *digest), names, digests)
    return st.one_of(tls.map(b"".join), signatures, st.binary(max_size=200))


@given(contents(), st.data())
def test_nothing_that_is_read_depends_on_an_open_end(content: bytes, data: st.DataObject) -> None:
    size = open_end(content)
    other = data.draw(st.binary(min_size=size, max_size=size))
    changed = content[: len(content) - size] + other
    for kind in KINDS:
        key = public_key(kind)
        assert readings(key, changed) == readings(key, content)


def test_a_digest_with_the_marks_of_a_key_exchange_is_no_open_end() -> None:
    """The digest is chosen so that the whole is a ServerKeyExchange, too, which only x448 fits."""
    plain = sshsig("n" * 32, "sha512", bytes(64))
    forged = plain[:64] + b"\x03\x00\x1e\x38" + plain[68:]
    assert readings(public_key("p-256"), forged) != readings(public_key("p-256"), plain)
    assert open_end(plain) == open_end(forged) == 0
    assert open_end(sshsig("n" * 33, "sha512", bytes(64))) == 64


@pytest.fixture
def agent() -> Iterator[Agent]:
    made = Agent()
    yield made


def looked_at(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The contents about which the policy is asked from now on."""
    from kit.agent import policy

    asked: list[bytes] = []
    decide = policy.decide

    def noted(key: object, allowed: object, claimed: str, scheme: object, content: bytes) -> object:
        asked.append(content)
        return decide(key, allowed, claimed, scheme, content)  # type: ignore[arg-type]

    monkeypatch.setattr(policy, "decide", noted)
    return asked


def test_the_second_request_is_permitted_without_another_look(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = agent.make(purposes=["tls-server"])
    asked = looked_at(agent, monkeypatch)
    for number in range(5):
        answer = agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes([number]) * 32)
        public = public_of(agent)
        assert_signed(public, answer.signature, TLS_1_3_HEAD + bytes([number]) * 32)
    assert len(asked) == 1
    assert agent.audit.of("sign") == ["done"] * 5


def test_another_length_purpose_scheme_or_head_is_looked_at(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = agent.make(purposes=["tls-server"])
    agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes(32))
    asked = looked_at(agent, monkeypatch)
    agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes(48))
    agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes(32), "tls-server")
    refused = agent.sign(key.spki, SCHEME, CLIENT_HEAD + bytes(32))
    wrong = agent.sign(key.spki, 0x0503, TLS_1_3_HEAD + bytes(32))
    assert len(asked) == 4
    assert isinstance(refused, Failure) and refused.status is Status.REFUSED
    assert isinstance(wrong, Failure) and wrong.status is Status.REFUSED


def test_a_second_digest_is_permitted_without_another_look_and_one_of_another_length_is_not(
    agent: Agent,
) -> None:
    key = agent.make(purposes=["digest"])
    for digest in (b"a" * 32, b"b" * 32):
        request = extension.SignDigest(key_id(key.spki), SCHEME, "", digest)
        signature = agent.ask(request, extension.Signature).signature
        public = load_spki(public_of(agent))
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    assert len(agent.client.repeats) == 1
    longer = extension.SignDigest(key_id(key.spki), SCHEME, "", b"c" * 33)
    assert agent.ask(longer, extension.Signature).status is Status.MALFORMED


def test_what_was_refused_is_not_remembered(agent: Agent) -> None:
    key = agent.make(purposes=["csr"])
    for _ in range(3):
        answer = agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes(32))
        assert isinstance(answer, Failure) and answer.status is Status.REFUSED
    assert not agent.client.repeats


def test_a_removed_key_is_not_used_again(agent: Agent) -> None:
    key = agent.make()
    agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes(32))
    assert agent.client.repeats
    agent.ask(extension.Remove(key_id(key.spki)), extension.Done)
    answer = agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes(32))
    assert isinstance(answer, Failure) and answer.status is Status.UNKNOWN_KEY


def test_a_locked_agent_repeats_nothing(agent: Agent) -> None:
    key = agent.make()
    agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes(32))
    assert agent.ssh_ok(*wire.lock_request(wire.LOCK, b"secret"))
    answer = agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes(32))
    assert isinstance(answer, Failure) and answer.status is Status.LOCKED


def test_a_key_whose_time_has_come_is_not_used_again(agent: Agent) -> None:
    key = agent.ask(extension.Generate("short", "p-256", (), 60)).keys[0]
    agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes(32))
    agent.now_s += 61  # and the loop has not looked for expired keys yet
    answer = agent.sign(key.spki, SCHEME, TLS_1_3_HEAD + bytes(32))
    assert isinstance(answer, Failure) and answer.status is Status.UNKNOWN_KEY


def test_the_ssh_dialect_repeats_too_but_not_with_other_flags(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = agent.make("rsa-2048", purposes=["ssh"])
    entry = entry_of(agent)
    asked = looked_at(agent, monkeypatch)
    answers = set()
    for number, flags in enumerate((2, 2, 4, 4)):
        content = sshsig("git", "sha512", bytes([number]) * 64)
        request = (
            bytes([wire.SIGN_REQUEST]) + string(key.ssh_blob) + string(content) + bytes([0, 0, 0, flags])
        )
        answer = bytes(agent.say(request))
        assert answer[0] == wire.SIGN_RESPONSE
        assert (b"rsa-sha2-256" in answer) == (flags == 2)
        answers.add(answer)
    assert len(answers) == 4
    assert len(asked) == 2
    assert agent.service._state.counts(entry)[0] == 4


def entry_of(agent: Agent) -> Entry:
    return agent.holding.alive()[0]


def public_of(agent: Agent) -> bytes:
    return entry_of(agent).public.spki


def assert_signed(spki: bytes, signature: bytes, content: bytes) -> None:
    public = load_spki(spki)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, content, ec.ECDSA(hashes.SHA256()))
