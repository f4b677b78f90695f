"""Messages in, answers out, through a worker's service and the zygote's authority, with real keys."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from kit.agent import extension, wire
from kit.agent.channels.messages import End
from kit.agent.encoding import Reader, mpint, string, uint32
from kit.agent.extension import Status
from kit.agent.forms import key_id
from kit.core.errors import ProtocolError
from tests.agent.joined import Agent
from tests.agent.samples import TLS_1_3_HEAD, private_key, pss_block

CERTIFICATE_VERIFY = TLS_1_3_HEAD + bytes(32)
SSHSIG = b"SSHSIG" + string("file") + string("") + string("sha512") + string(bytes(64))


@pytest.fixture
def agent() -> Agent:
    return Agent()


def _ssh_private(kind: str, which: int = 0) -> bytes:
    """The key's part of an add message."""
    key = private_key(kind, which)
    if isinstance(key, rsa.RSAPrivateKey):
        n = key.private_numbers()
        numbers = (n.public_numbers.n, n.public_numbers.e, n.d, n.iqmp, n.p, n.q)
        return string("ssh-rsa") + b"".join(map(mpint, numbers))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        public = key.public_key().public_bytes_raw()
        return string("ssh-ed25519") + string(public) + string(key.private_bytes_raw() + public)
    size = key.key_size
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    scalar = mpint(key.private_numbers().private_value)
    curve = f"nistp{size}"
    return string(f"ecdsa-sha2-{curve}") + string(curve) + string(point) + scalar


def _ssh_add(kind: str, which: int = 0) -> bytes:
    return bytes([wire.ADD_IDENTITY]) + _ssh_private(kind, which) + string("a comment")


def _blob(kind: str, which: int = 0) -> bytes:
    line = private_key(kind, which).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(line.split()[1])


def _ssh_sign(kind: str, content: bytes, flags: int = 0) -> bytes:
    return bytes([wire.SIGN_REQUEST]) + string(_blob(kind)) + string(content) + uint32(flags)


def test_a_generated_key_signs_a_certificate_verify(agent: Agent) -> None:
    key = agent.make()
    assert key.purposes == ("tls-server", "csr", "self-signed")
    signature = agent.sign(key.spki, 0x0403, CERTIFICATE_VERIFY).signature
    public = load_der_public_key(key.spki)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, CERTIFICATE_VERIFY, ec.ECDSA(hashes.SHA256()))
    assert agent.ask(extension.List()).keys[0].signed == 1


def test_what_the_purposes_do_not_allow_is_refused_counted_and_logged(agent: Agent) -> None:
    key = agent.make(name="web")
    refusal = agent.sign(key.spki, 0x0403, SSHSIG)
    assert (refusal.status, refusal.purpose) == (Status.REFUSED, "ssh")
    (listed,) = agent.ask(extension.List()).keys
    assert (listed.refused, listed.refused_for) == (1, "ssh")
    assert agent.ask(extension.GetStatus(), extension.AgentStatus).refused == 1
    (fields,) = agent.log.of("refuse")
    assert fields["key"] == "web"
    assert fields["purpose"] == "ssh"


def ask_digest(agent: Agent, spki: bytes, scheme: int, digest: bytes, purpose: str = "") -> Any:
    return agent.ask(extension.SignDigest(key_id(spki), scheme, purpose, digest), extension.Signature)


def test_a_digest_is_signed_by_a_key_that_says_so(agent: Agent) -> None:
    key = agent.make(purposes=["tls-digest"], name="mail")
    public = load_der_public_key(key.spki)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    for digest in (b"d" * 32, b"e" * 32):
        made = ask_digest(agent, key.spki, 0x0403, digest)
        public.verify(made.signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    assert agent.ask(extension.List()).keys[0].signed == 2
    acts = [act for act in agent.audit.acts if act.event == "sign"]
    assert {(act.purpose, act.scheme) for act in acts} == {("tls-digest", "ecdsa_secp256r1_sha256")}
    refusal = ask_digest(agent, key.spki, 0x0503, b"d" * 48)
    assert (refusal.status, refusal.purpose) == (Status.REFUSED, "digest")


def test_a_digest_is_refused_counted_and_logged_like_anything_else(agent: Agent) -> None:
    key = agent.make(purposes=["tls-server", "any"], name="web")
    refusal = ask_digest(agent, key.spki, 0x0403, b"d" * 32)
    assert (refusal.status, refusal.purpose) == (Status.REFUSED, "tls-digest")
    assert refusal.message.startswith("only a digest arrives (tls-digest), and the key may sign tls-server")
    (listed,) = agent.ask(extension.List()).keys
    assert (listed.refused, listed.refused_for) == (1, "tls-digest")
    assert agent.log.of("refuse") == [{"key": "web", "purpose": "tls-digest", "why": refusal.message}]
    assert agent.audit.of("sign") == ["refused"]


@pytest.mark.parametrize("size", [0, 20, 31, 33, 48, 64])
def test_a_digest_of_another_length_than_the_schemes_is_malformed(agent: Agent, size: int) -> None:
    key = agent.make(purposes=["digest"])
    assert ask_digest(agent, key.spki, 0x0403, bytes(size)).status is Status.MALFORMED
    assert not agent.client.repeats


def test_a_block_is_signed_by_a_key_that_says_so_and_nothing_but_a_block(agent: Agent) -> None:
    key = agent.make("rsa-2048", purposes=["tls-digest"], name="mail")
    other = private_key("rsa-2048")
    assert isinstance(other, rsa.RSAPrivateKey)
    block = pss_block(other, b"content", hashes.SHA256())  # it would be the same for any key of this size
    answer = agent.ask(extension.SignBlock(key_id(key.spki), "", block), extension.Signature)
    public = load_der_public_key(key.spki)
    assert isinstance(public, rsa.RSAPublicKey)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    public.verify(answer.signature, b"content", pss, hashes.SHA256())
    assert [(act.purpose, act.scheme) for act in agent.audit.acts if act.event == "sign"] == [
        ("tls-digest", "rsa_pss_rsae_sha256")
    ]
    secret = public.encrypt(b"what nobody may read", padding.PKCS1v15())
    refusal = agent.ask(extension.SignBlock(key_id(key.spki), "", secret), extension.Signature)
    assert (refusal.status, refusal.purpose) == (Status.REFUSED, "tls-digest")


def test_a_block_for_a_key_of_another_purpose_or_type_is_refused(agent: Agent) -> None:
    for kind, purposes in (("rsa-2048", ["tls-server", "any", "decrypt"]), ("p-256", ["digest"])):
        key = agent.make(kind, purposes=purposes, name=kind)
        answer = agent.ask(extension.SignBlock(key_id(key.spki), "", b"\0" * 256), extension.Signature)
        assert answer.status is Status.REFUSED


def test_a_scheme_that_there_is_not_is_malformed(agent: Agent) -> None:
    assert agent.sign(agent.make().spki, 0x0203, CERTIFICATE_VERIFY).status is Status.MALFORMED


def test_a_key_that_there_is_not_is_unknown(agent: Agent) -> None:
    assert agent.sign(b"nothing", 0x0403, CERTIFICATE_VERIFY).status is Status.UNKNOWN_KEY
    assert agent.ask(extension.Remove(b"nothing"), extension.Done).status is Status.UNKNOWN_KEY


def test_an_added_key_gets_the_usual_purposes_of_one(agent: Agent) -> None:
    der = private_key("p-384").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    (key,) = agent.ask(extension.Add("web", (), 0, memoryview(der))).keys
    assert (key.key_name, key.kind, key.purposes) == ("web", "p-384", ("tls-server", "csr"))


@pytest.mark.parametrize("der", [b"", b"garbage", bytes(8000)])
def test_an_added_key_that_is_none_is_malformed(agent: Agent, der: bytes) -> None:
    failure = agent.ask(extension.Add("web", (), 0, memoryview(der)))
    assert failure.status is Status.MALFORMED
    assert not agent.ask(extension.List()).keys


def test_an_unknown_purpose_is_malformed(agent: Agent) -> None:
    failure = agent.make(purposes=("everything",))
    assert failure.status is Status.MALFORMED
    assert "everything" in failure.message


def test_an_unknown_kind_is_malformed(agent: Agent) -> None:
    assert agent.make("rsa-1024").status is Status.MALFORMED


def test_two_keys_of_kit_cannot_share_a_name(agent: Agent) -> None:
    agent.make(name="web")
    assert agent.make(name="web").status is Status.MALFORMED
    assert len(agent.ask(extension.List()).keys) == 1


def test_a_key_decrypts_only_if_that_was_said(agent: Agent) -> None:
    key = agent.make("rsa-2048", ("any",), "any")
    other = agent.make("rsa-2048", ("decrypt",), "decrypt")
    for spki, expected in ((key.spki, None), (other.spki, b"secret")):
        public = load_der_public_key(spki)
        assert isinstance(public, rsa.RSAPublicKey)
        ciphertext = public.encrypt(b"secret", padding.PKCS1v15())
        answer = agent.ask(extension.Decrypt(key_id(spki), ciphertext), extension.Plaintext)
        if expected is None:
            assert (answer.status, answer.purpose) == (Status.REFUSED, "decrypt")
        else:
            assert bytes(answer.plaintext) == expected
    short = agent.ask(extension.Decrypt(key_id(other.spki), b"short"), extension.Plaintext)
    assert short.status is Status.MALFORMED


def test_only_an_rsa_key_may_be_for_decrypting(agent: Agent) -> None:
    assert agent.make("p-256", ("decrypt",)).status is Status.MALFORMED


def test_a_removed_key_is_gone(agent: Agent) -> None:
    key = agent.make()
    assert agent.ask(extension.Remove(key_id(key.spki)), extension.Done) == extension.Done()
    assert agent.ask(extension.List()).keys == ()


def test_a_key_with_a_lifetime_is_forgotten_in_time(agent: Agent) -> None:
    agent.ask(extension.Generate("short", "p-256", ("any",), 60))
    agent.make("ed25519", name="long")
    agent.now_s += 59
    assert agent.holding.expire() == []
    agent.authority.expire()
    assert len(agent.ask(extension.List()).keys) == 2
    assert agent.holding.until_expiry_s() == agent.authority.until_next_s() == 1
    agent.now_s += 1
    assert [k.key_name for k in agent.ask(extension.List()).keys] == ["long"]
    assert [entry.name for entry in agent.holding.expire()] == ["short"]
    agent.authority.expire()
    for holding in (agent.holding, agent.authority.holding):
        assert len(holding.store) == 1
        assert holding.until_expiry_s() is None
    assert agent.log.of("expire") == [{"key": "short"}]
    assert agent.audit.of("expire") == ["done"]


@pytest.mark.parametrize("kind", ["p-256", "p-384", "p-521", "ed25519", "rsa-2048"])
def test_what_ssh_add_sends_is_listed_and_signs_an_sshsig(agent: Agent, kind: str) -> None:
    assert agent.ssh_ok(_ssh_add(kind))
    assert agent.say([wire.REQUEST_IDENTITIES]) == wire.identities_answer([(_blob(kind), "a comment")])
    answer = Reader(agent.say(_ssh_sign(kind, SSHSIG, 2)))
    assert answer.byte() == wire.SIGN_RESPONSE
    signature = Reader(answer.string())
    _verify_ssh(kind, signature.text(), bytes(signature.string()))


def _verify_ssh(kind: str, form: str, blob: bytes) -> None:
    key = private_key(kind).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        assert form == "rsa-sha2-256"
        key.verify(blob, SSHSIG, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ed25519.Ed25519PublicKey):
        assert form == "ssh-ed25519"
        key.verify(blob, SSHSIG)
    else:
        assert form == f"ecdsa-sha2-nistp{key.key_size}"
        reader = Reader(blob)
        r, s = (int.from_bytes(reader.mpint(), "big") for _ in range(2))
        reader.end()
        algorithm = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.key_size]
        key.verify(utils.encode_dss_signature(r, s), SSHSIG, ec.ECDSA(algorithm))


@pytest.mark.parametrize("flags", [0, 1, 6, 8])
def test_rsa_without_one_sha2_flag_is_refused_and_logged(agent: Agent, flags: int) -> None:
    agent.ssh_ok(_ssh_add("rsa-2048"))
    assert not agent.ssh_ok(_ssh_sign("rsa-2048", SSHSIG, flags))
    assert "SHA-1" in str(agent.log.events[-1])


def test_an_ssh_key_signs_no_handshake(agent: Agent) -> None:
    agent.ssh_ok(_ssh_add("p-256"))
    assert not agent.ssh_ok(_ssh_sign("p-256", CERTIFICATE_VERIFY))


@pytest.mark.parametrize("kind", ["p-256", "ed25519", "rsa-2048"])
def test_an_ssh_key_whose_halves_do_not_fit_is_not_taken(agent: Agent, kind: str) -> None:
    mine, other = _ssh_private(kind), _ssh_private(kind, 1)
    fields = {"p-256": 3, "ed25519": 2, "rsa-2048": 2}[kind]  # type, public parts
    head = _first(other, fields)
    mixed = head + mine[len(_first(mine, fields)) :]
    assert not agent.ssh_ok([wire.ADD_IDENTITY], mixed, string("mixed"))
    assert not agent.ask(extension.List()).keys


def _first(message: bytes, fields: int) -> bytes:
    reader = Reader(message)
    for _ in range(fields):
        reader.string()
    return message[: len(message) - reader.left]


@pytest.mark.parametrize(
    "key",
    [
        string("ssh-rsa") + b"".join(map(mpint, (15, 3, 3, 2, 5, 3))),
        string("ssh-rsa") + b"".join(map(mpint, (1, 1, 1, 1, 1, 1))),
        string("ssh-rsa") + b"".join(map(mpint, (1 << 70000, 3, 5, 7, 11, 13))),
        string("ecdsa-sha2-nistp256") + string("nistp384") + string(bytes(65)) + mpint(5),
        string("ecdsa-sha2-nistp256") + string("nistp256") + string(bytes(65)) + mpint(5),
        string("ecdsa-sha2-nistp224") + string("nistp224") + string(bytes(57)) + mpint(5),
        string("ssh-ed25519") + string(bytes(3)) + string(bytes(3)),
        string("ssh-ed25519-cert-v01@openssh.com") + string(b"certificate"),
    ],
    ids=["tiny RSA", "RSA of ones", "huge RSA", "two curves", "no point", "P-224", "short", "certificate"],
)
def test_an_ssh_key_that_is_none_is_a_clear_failure(agent: Agent, key: bytes) -> None:
    assert not agent.ssh_ok([wire.ADD_IDENTITY], key, string(""))
    assert agent.log.events[-1][0] == "fail"


def test_two_ssh_keys_may_share_a_comment(agent: Agent) -> None:
    assert agent.ssh_ok(_ssh_add("p-256"))
    assert agent.ssh_ok(_ssh_add("ed25519"))


def test_ssh_keys_are_removed_one_by_one_and_all_at_once(agent: Agent) -> None:
    for kind in ("p-256", "p-384", "ed25519"):
        agent.ssh_ok(_ssh_add(kind))
    assert agent.ssh_ok([wire.REMOVE_IDENTITY], string(_blob("p-384")))
    assert not agent.ssh_ok([wire.REMOVE_IDENTITY], string(_blob("p-384")))
    assert len(agent.ask(extension.List()).keys) == 2
    assert agent.ssh_ok([wire.REMOVE_ALL_IDENTITIES])
    assert not agent.ask(extension.List()).keys


def test_a_constrained_key_keeps_its_lifetime(agent: Agent) -> None:
    constraint = bytes([1]) + uint32(30)
    assert agent.ssh_ok([wire.ADD_ID_CONSTRAINED], _ssh_private("p-256"), string(""), constraint)
    assert agent.ask(extension.List()).keys[0].expires_s == 1030


def test_a_constraint_that_cannot_be_kept_is_a_failure(agent: Agent) -> None:
    assert not agent.ssh_ok([wire.ADD_ID_CONSTRAINED], _ssh_private("p-256"), string(""), [2])


LOCK, UNLOCK = bytes([wire.LOCK]), bytes([wire.UNLOCK])


def test_a_locked_agent_shows_and_does_nothing(agent: Agent) -> None:
    key = agent.make()
    assert agent.ssh_ok(LOCK, string("passphrase"))
    assert agent.say([wire.REQUEST_IDENTITIES]) == wire.identities_answer([])
    assert not agent.ssh_ok(_ssh_add("p-256"))
    assert not agent.ssh_ok([wire.REMOVE_ALL_IDENTITIES])
    assert not agent.ssh_ok(LOCK, string("passphrase"))
    der = private_key("p-384").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for request in (
        extension.Sign(key_id(key.spki), 0x0403, "", CERTIFICATE_VERIFY),
        extension.Decrypt(key_id(key.spki), b""),
        extension.Generate("x", "p-256", (), 0),
        extension.Add("x", (), 0, memoryview(der)),
        extension.List(),
        extension.Remove(key_id(key.spki)),
    ):
        assert agent.ask(request).status is Status.LOCKED
    assert agent.ask(extension.GetStatus(), extension.AgentStatus).locked
    assert agent.ssh_ok(UNLOCK, string("passphrase"))
    assert len(agent.ask(extension.List()).keys) == 1


def test_wrong_passphrases_wait_longer_each_time(agent: Agent) -> None:
    agent.ssh_ok(LOCK, string("right"))
    waits = []
    for guess in ("wrong", "wrong", "wrong", "wrong", "right"):
        before_s = agent.now_s
        assert agent.ssh_ok(UNLOCK, string(guess)) == (guess == "right")
        waits.append(round(agent.now_s - before_s, 6))
    assert waits == [0, 0.1, 0.2, 0.4, 0.8]
    assert agent.audit.of("unlock") == ["refused"] * 4 + ["done"]
    assert not agent.ssh_ok(UNLOCK, string("right")), "it is not locked any more"


def test_no_wait_for_an_unlock_is_longer_than_ten_seconds(agent: Agent) -> None:
    agent.ssh_ok(LOCK, string("right"))
    for _ in range(12):
        before_s = agent.now_s
        agent.ssh_ok(UNLOCK, string("wrong"))
    assert agent.now_s - before_s == 10


def test_query_names_every_extension(agent: Agent) -> None:
    answer = agent.say([wire.EXTENSION], string("query"))
    assert answer == wire.query_response()


def test_stop_is_the_supervisors_and_answered(agent: Agent) -> None:
    assert agent.ask(extension.Stop(), extension.Done) == extension.Done()
    assert agent.asked == [End(7, agent.client.slot)]


@pytest.mark.parametrize("message", [b"\x63", b"\x1b" + string("x@y") + b"fields", b"\x14anything"])
def test_what_the_agent_does_not_know_is_a_failure(agent: Agent, message: bytes) -> None:
    assert agent.say(message) == wire.failure()


@pytest.mark.parametrize(
    "message", [b"\x0b\0", b"\x0d\0\0", b"\x11" + uint32(99), b"\x1b" + string("list@kit") + b"x"]
)
def test_broken_encoding_is_the_servers_business(agent: Agent, message: bytes) -> None:
    with pytest.raises(ProtocolError):
        agent.say(message)


def test_the_log_holds_no_content_and_no_key(agent: Agent) -> None:
    key = agent.make()
    agent.sign(key.spki, 0x0403, b"secret content")
    agent.ssh_ok(LOCK, string("a passphrase"))
    agent.ssh_ok(UNLOCK, string("another one"))
    agent.ssh_ok(UNLOCK, string("a passphrase"))
    written = str(agent.log.events) + str(agent.audit.acts)
    assert "secret content" not in written
    assert "a passphrase" not in written
    assert "another" not in written
