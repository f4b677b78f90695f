"""Signatures by every mechanism are right, content stays whole where it comes whole, and limits hold."""

from __future__ import annotations

import hashlib
from itertools import product

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils

from kit.agent.extension import Failure, Sign, Signature, SignDigest, Status
from kit.agent.pkcs11.sessions import CONTENT_LIMIT, KEPT_LIMIT, TOTAL_LIMIT
from kit.agent.pkcs11.signing import _side_by_side
from kit.agent.schemes import SCHEMES
from kit.agent.wire import MESSAGE_LIMIT, extension_request
from kit.core.errors import ProtocolError
from tests.agent.pkcs11.client import NULL, CallFailed, Client, ay, blob, failed, mechanism, ready, u, u32
from tests.agent.pkcs11.holder import HASHES, Holder, key_id, padding_of
from tests.agent.samples import certificate_verify, private_key

RSA, EC = ("rsa-2048",), ("p-256", "p-384", "p-521")
PSS = {"sha256": (0x250, 2, 32), "sha384": (0x260, 3, 48), "sha512": (0x270, 4, 64)}
DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
CONTENT = certificate_verify()
# (kinds, hash, mechanism, scheme)
WHOLE = [
    *((RSA, name, mechanism(0x40 + n), 0x0401 + 0x100 * n) for n, name in enumerate(HASHES)),
    *((RSA, name, mechanism(0x43 + n, *PSS[name]), 0x0804 + n) for n, name in enumerate(HASHES)),
    *((EC, name, mechanism(0x1044 + n), 0x0403 + 0x100 * n) for n, name in enumerate(HASHES)),
]
BARE = [
    *((RSA, name, mechanism(0x1), 0x0401 + 0x100 * n) for n, name in enumerate(HASHES)),
    *((RSA, name, mechanism(0xD, *PSS[name]), 0x0804 + n) for n, name in enumerate(HASHES)),
    *((EC, name, mechanism(0x1041), 0x0403 + 0x100 * n) for n, name in enumerate(HASHES)),
]


def cases(table: list[tuple[tuple[str, ...], str, bytes, int]]) -> list[tuple[str, str, bytes, int]]:
    return [(kind, *row[1:]) for row in table for kind in row[0]]


def opened(kind: str, agent: Holder | None = None) -> tuple[Client, int, int, Holder]:
    """A client, its session, the handle of the private key, and the agent."""
    holder = agent or Holder(kind)
    client, session = ready(holder.answer, 1)
    (handle,) = client.find(session, {0x0: 3, 0x3: kind.encode()})
    holder.asked.clear()
    return client, session, handle, holder


def verify(kind: str, scheme: int, signature: bytes | int, content: bytes) -> None:
    """As the client does, with r and s side by side."""
    assert isinstance(signature, bytes)
    public, known = private_key(kind).public_key(), SCHEMES[scheme]
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, content, padding_of(known), HASHES[known.hash_name])
        return
    assert isinstance(public, ec.EllipticCurvePublicKey)
    half = (public.curve.key_size + 7) // 8
    assert len(signature) == 2 * half
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    der = utils.encode_dss_signature(r, s)
    public.verify(der, content, ec.ECDSA(HASHES[known.hash_name]))


def bare_input(chosen: bytes, name: str, digest: bytes) -> bytes:
    return DIGEST_INFO[name] + digest if chosen == mechanism(0x1) else digest


@pytest.mark.parametrize(("kind", "name", "chosen", "scheme"), cases(WHOLE))
def test_whole_content_goes_to_the_agent_whole(kind: str, name: str, chosen: bytes, scheme: int) -> None:
    client, session, handle, holder = opened(kind)
    client.sign_init(session, chosen, handle)
    signature = client.sign(session, CONTENT)
    verify(kind, scheme, signature, CONTENT)
    assert SCHEMES[scheme].hash_name == name
    assert holder.asked == [Sign(key_id(kind), scheme, "", CONTENT)]


@pytest.mark.parametrize(("kind", "name", "chosen", "scheme"), cases(WHOLE))
def test_content_in_parts_goes_to_the_agent_whole(kind: str, name: str, chosen: bytes, scheme: int) -> None:
    client, session, handle, holder = opened(kind)
    client.sign_init(session, chosen, handle)
    for at in range(0, len(CONTENT), 50):
        client.sign_update(session, CONTENT[at : at + 50])
    # pkcs11-provider asks after each, and goes on without.
    assert failed(lambda: client.call(16, u(session) + u32(0))) == 0x54
    verify(kind, scheme, client.sign_final(session), CONTENT)
    assert holder.asked == [Sign(key_id(kind), scheme, "", CONTENT)]
    assert HASHES[name]


@pytest.mark.parametrize(("kind", "name", "chosen", "scheme"), cases(BARE))
def test_a_digest_goes_to_the_agent_as_one(kind: str, name: str, chosen: bytes, scheme: int) -> None:
    client, session, handle, holder = opened(kind)
    digest = hashlib.new(name, CONTENT).digest()
    client.sign_init(session, chosen, handle)
    verify(kind, scheme, client.sign(session, bare_input(chosen, name, digest)), CONTENT)
    assert holder.asked == [SignDigest(key_id(kind), scheme, "", digest)]


def test_an_ecdsa_digest_in_parts_is_put_together() -> None:
    """PKCS#11 knows no such thing, and pkcs11-tool 0.26 does it."""
    client, session, handle, holder = opened("p-256")
    digest = hashlib.sha256(CONTENT).digest()
    client.sign_init(session, mechanism(0x1041), handle)
    client.sign_update(session, digest[:10])
    client.sign_update(session, digest[10:])
    verify("p-256", 0x0403, client.sign_final(session), CONTENT)
    assert holder.asked == [SignDigest(key_id("p-256"), 0x0403, "", digest)]


@pytest.mark.parametrize("chosen", [mechanism(0x1041), mechanism(0x1044)])
def test_a_length_query_leaves_the_operation_active(chosen: bytes) -> None:
    client, session, handle, holder = opened("p-256")
    client.sign_init(session, chosen, handle)
    digest = hashlib.sha256(CONTENT).digest()
    assert [client.sign(session, digest, room) for room in (0, 1, 63)] == [64] * 3
    assert holder.asked == []
    signature = client.sign(session, digest, 64)
    verify("p-256", 0x0403, signature, CONTENT if chosen == mechanism(0x1041) else digest)
    assert failed(lambda: client.sign(session, digest)) == 0x91


def test_a_length_query_of_the_end_leaves_the_operation_active() -> None:
    client, session, handle, _ = opened("rsa-2048")
    client.sign_init(session, mechanism(0x40), handle)
    client.sign_update(session, CONTENT)
    assert [client.sign_final(session, room) for room in (0, 255)] == [256] * 2
    verify("rsa-2048", 0x0401, client.sign_final(session, 256), CONTENT)
    assert failed(lambda: client.sign_final(session)) == 0x91


def test_a_room_is_compared_and_never_made() -> None:
    client, session, handle, _ = opened("p-256")
    client.sign_init(session, mechanism(0x1044), handle)
    verify("p-256", 0x0403, client.sign(session, CONTENT, 0xFFFFFFFF), CONTENT)


@pytest.mark.parametrize(
    ("kind", "chosen", "data", "code"),
    [
        ("rsa-2048", mechanism(0x1), bytes(36), 0x20),  # as TLS 1.0: MD5 and SHA-1
        ("rsa-2048", mechanism(0x1), bytes.fromhex("3021300906052b0e03021a05000414") + bytes(20), 0x20),
        ("rsa-2048", mechanism(0x1), DIGEST_INFO["sha256"] + bytes(31), 0x20),
        ("rsa-2048", mechanism(0x1), DIGEST_INFO["sha256"] + bytes(33), 0x20),
        ("rsa-2048", mechanism(0x1), b"\x00\x01" + b"\xff" * 254, 0x20),
        ("rsa-2048", mechanism(0x1), b"", 0x20),
        ("rsa-2048", mechanism(0xD, *PSS["sha256"]), bytes(20), 0x21),
        ("rsa-2048", mechanism(0xD, *PSS["sha256"]), bytes(48), 0x21),
        ("p-256", mechanism(0x1041), bytes(20), 0x21),
        ("p-256", mechanism(0x1041), b"", 0x21),
        ("p-521", mechanism(0x1041), bytes(66), 0x21),
    ],
)
def test_a_digest_of_another_shape_ends_here(kind: str, chosen: bytes, data: bytes, code: int) -> None:
    client, session, handle, holder = opened(kind)
    client.sign_init(session, chosen, handle)
    assert failed(lambda: client.sign(session, data)) == code
    assert failed(lambda: client.sign(session, data)) == 0x91
    assert holder.asked == []


@pytest.mark.parametrize(
    ("kind", "chosen", "code"),
    [
        ("p-256", mechanism(0x1), 0x63),
        ("rsa-2048", mechanism(0x1041), 0x63),
        ("p-256", mechanism(0xD, *PSS["sha256"]), 0x63),
        ("rsa-2048", mechanism(0x6), 0x70),  # CKM_SHA1_RSA_PKCS
        ("rsa-2048", mechanism(0xE, 0x220, 1, 20), 0x70),  # CKM_SHA1_RSA_PKCS_PSS
        ("rsa-2048", mechanism(0x3), 0x70),  # CKM_RSA_X_509
        ("p-256", mechanism(0x1042), 0x70),  # CKM_ECDSA_SHA1
        ("rsa-2048", mechanism(0xD, 0x220, 1, 20), 0x71),
        ("rsa-2048", mechanism(0xD, 0x250, 1, 32), 0x71),
        ("rsa-2048", mechanism(0xD, 0x250, 2, 20), 0x71),
        ("rsa-2048", mechanism(0xD, 0x250, 2, 222), 0x71),
        ("rsa-2048", mechanism(0x43, *PSS["sha384"]), 0x71),
        ("rsa-2048", u32(0x40) + blob(b"parameter"), 0x71),
        ("p-256", u32(0x1041) + blob(u(0x250)), 0x71),
    ],
)
def test_a_mechanism_that_does_not_fit_is_refused_at_the_start(kind: str, chosen: bytes, code: int) -> None:
    client, session, handle, _ = opened(kind)
    assert failed(lambda: client.sign_init(session, chosen, handle)) == code
    assert failed(lambda: client.sign(session, bytes(32))) == 0x91


def test_an_empty_parameter_is_none() -> None:
    client, session, handle, _ = opened("p-256")
    client.sign_init(session, u32(0x1044) + blob(b""), handle)
    verify("p-256", 0x0403, client.sign(session, CONTENT), CONTENT)


def test_pss_parameters_are_three_bare_numbers() -> None:
    client, session, handle, _ = opened("rsa-2048")
    as_blob = u32(0x43) + blob(u(0x250) + u(2) + u(32))
    assert failed(lambda: client.sign_init(session, as_blob, handle)) == 0x7
    client.sign_init(session, u32(0x43) + u(0x250) + u(2) + u(32), handle)


def test_only_a_private_key_signs() -> None:
    client, session, _, _ = opened("p-256")
    (public,) = client.find(session, {0x0: 2})
    assert failed(lambda: client.sign_init(session, mechanism(0x1041), public)) == 0x68
    assert failed(lambda: client.sign_init(session, mechanism(0x1041), 12345)) == 0x60


def test_one_signature_at_a_time_in_a_session_and_one_in_each() -> None:
    client, session, handle, _ = opened("p-256")
    other = client.open()
    client.sign_init(session, mechanism(0x1044), handle)
    assert failed(lambda: client.sign_init(session, mechanism(0x1044), handle)) == 0x90
    client.sign_init(other, mechanism(0x1044), handle)
    client.sign_update(session, b"one")
    client.sign_update(other, b"other")
    verify("p-256", 0x0403, client.sign_final(other), b"other")
    verify("p-256", 0x0403, client.sign_final(session), b"one")


@pytest.mark.parametrize("way", ["no mechanism", "C_SessionCancel", "C_CloseSession"])
def test_a_signature_is_given_up(way: str) -> None:
    client, session, handle, holder = opened("p-256")
    client.sign_init(session, mechanism(0x1044), handle)
    client.sign_update(session, b"unwanted")
    if way == "no mechanism":
        client.sign_init(session, u32(NULL), 0)
    elif way == "C_SessionCancel":
        client.done(67, u(session) + u(0x100))
        client.done(67, u(session) + u(0x800))
    else:
        client.done(11, u(session))
        session = client.open()
    assert failed(lambda: client.sign_final(session)) == 0x91
    client.sign_init(session, mechanism(0x1044), handle)
    verify("p-256", 0x0403, client.sign(session, b"wanted"), b"wanted")
    assert len(holder.asked) == 1


def test_a_signature_begun_in_parts_does_not_end_with_a_whole() -> None:
    client, session, handle, _ = opened("p-256")
    client.sign_init(session, mechanism(0x1044), handle)
    client.sign_update(session, b"part")
    assert failed(lambda: client.sign(session, b"whole")) == 0x90
    assert failed(lambda: client.sign_final(session)) == 0x91


FAILURES = [
    (Failure(Status.REFUSED, "no", "tls-digest"), 0x68),
    (Failure(Status.NOT_PERMITTED, "no"), 0x68),
    (Failure(Status.UNKNOWN_KEY, "no"), 0x60),
    (Failure(Status.LOCKED, "no"), 0x101),
    (Failure(Status.MALFORMED, "no"), 0x5),
    (Failure(Status.UNAVAILABLE, "no"), 0x30),
    (Failure(Status.FAILED, "no"), 0x6),
    (None, 0x30),
]


def test_each_status_has_its_code() -> None:
    assert {one.status for one, _ in FAILURES if one} == set(Status) - {Status.DONE}


@pytest.mark.parametrize(("failure", "code"), FAILURES)
def test_a_refusal_is_the_agent_s_and_ends_the_operation_only(failure: Failure | None, code: int) -> None:
    client, session, handle, holder = opened("p-256")
    for sign in (
        lambda: client.sign(session, bytes(32)),
        lambda: (client.sign_update(session, b"x" * 32), client.sign_final(session)),
    ):
        client.sign_init(session, mechanism(0x1041), handle)
        client.agent = lambda _request: failure
        assert failed(sign) == code
        assert failed(sign) == 0x91
    client.agent = holder.answer
    client.sign_init(session, mechanism(0x1044), handle)
    verify("p-256", 0x0403, client.sign(session, CONTENT), CONTENT)


def test_content_that_fits_a_message_of_the_agent_is_not_hashed() -> None:
    client, session, handle, holder = opened("p-256")
    largest = bytes(CONTENT_LIMIT)
    client.sign_init(session, mechanism(0x1044), handle)
    verify("p-256", 0x0403, client.sign(session, largest), largest)
    request = holder.asked[-1]
    assert isinstance(request, Sign)
    framing = len(extension_request(Sign.name)) + 4 + 32 + 4 + 4 + 4
    assert framing + len(request.content) < MESSAGE_LIMIT


@pytest.mark.parametrize(("kind", "name", "chosen", "scheme"), cases(WHOLE))
def test_larger_content_is_hashed_as_it_comes(kind: str, name: str, chosen: bytes, scheme: int) -> None:
    client, session, handle, holder = opened(kind)
    whole = bytes(range(256)) * (TOTAL_LIMIT // 256)
    client.sign_init(session, chosen, handle)
    for at in range(0, len(whole), 100_000):
        client.sign_update(session, whole[at : at + 100_000])
        kept = client.conversation._application.kept()
        assert kept <= CONTENT_LIMIT
    verify(kind, scheme, client.sign_final(session), whole)
    assert holder.asked == [SignDigest(key_id(kind), scheme, "", hashlib.new(name, whole).digest())]


def test_a_little_more_than_fits_at_once_is_hashed() -> None:
    client, session, handle, holder = opened("p-256")
    whole = bytes(CONTENT_LIMIT + 1)
    client.sign_init(session, mechanism(0x1045), handle)
    verify("p-256", 0x0503, client.sign(session, whole), whole)
    assert holder.asked == [SignDigest(key_id("p-256"), 0x0503, "", hashlib.sha384(whole).digest())]


def test_content_has_a_limit() -> None:
    client, session, handle, _ = opened("p-256")
    client.sign_init(session, mechanism(0x1044), handle)
    for _ in range(TOTAL_LIMIT // 131072):
        client.sign_update(session, bytes(131072))
    assert failed(lambda: client.sign_update(session, b"x")) == 0x21
    assert failed(lambda: client.sign_final(session)) == 0x91


def test_a_digest_in_parts_has_a_limit() -> None:
    client, session, handle, _ = opened("p-256")
    client.sign_init(session, mechanism(0x1041), handle)
    client.sign_update(session, bytes(128))
    assert failed(lambda: client.sign_update(session, b"x")) == 0x21


def test_what_all_sessions_keep_has_a_limit() -> None:
    client, session, handle, _ = opened("p-256")
    sessions = [session, *(client.open() for _ in range(19))]
    codes = []
    for one in sessions:
        client.sign_init(one, mechanism(0x1044), handle)
        try:
            client.sign_update(one, bytes(100_000))
        except CallFailed as error:
            codes.append(error.code)
        assert client.conversation._application.kept() <= KEPT_LIMIT
    assert len(codes) == 20 - KEPT_LIMIT // 100_000
    assert set(codes) == {0x2}


def test_a_short_r_or_s_is_padded_to_the_curve() -> None:
    for size, (r, s) in product((32, 48, 66), [(1, 2), (0x80, 0xFF), (2**248, 1), (2**255, 2**255 + 1)]):
        wide = r.to_bytes(size, "big") + s.to_bytes(size, "big")
        assert _side_by_side(utils.encode_dss_signature(r, s), size) == wide
    most = 2**521 - 1
    assert _side_by_side(utils.encode_dss_signature(most, most), 66) == 2 * most.to_bytes(66, "big")


@pytest.mark.parametrize("wrong", [b"", b"\x30", b"\x30\x06", b"\x30\x81\x88"])
def test_a_signature_that_is_none_is_the_agent_s_fault(wrong: bytes) -> None:
    with pytest.raises(ProtocolError):
        _side_by_side(wrong, 32)
    client, session, handle, _ = opened("p-256")
    client.sign_init(session, mechanism(0x1041), handle)
    client.agent = lambda _request: Signature(wrong)
    assert failed(lambda: client.sign(session, bytes(32))) == 0x30


def test_the_verification_above_tells_a_wrong_signature() -> None:
    client, session, handle, _ = opened("p-256")
    client.sign_init(session, mechanism(0x1044), handle)
    with pytest.raises(InvalidSignature):
        verify("p-256", 0x0403, client.sign(session, b"this"), b"that")


def test_absent_data_is_empty() -> None:
    client, session, handle, holder = opened("p-256")
    client.sign_init(session, mechanism(0x1044), handle)
    reader = client.call(43, u(session) + ay(None, 99) + u32(64))
    reader.octets()
    reader.end()
    assert holder.asked == [Sign(key_id("p-256"), 0x0403, "", b"")]
