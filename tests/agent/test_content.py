"""Each content is taken for what it is, in every way that it can be taken."""

from __future__ import annotations

import binascii
import hashlib
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.content import Kind, readings
from kit.agent.der import Elements
from kit.agent.encoding import Reader, string
from kit.agent.policy import ALLOWED_BY
from kit.agent.public import PublicKey
from kit.agent.schemes import BY_NAME, SCHEMES
from tests.agent import ambiguous
from tests.agent.handshakes import run, transcript
from tests.agent.samples import (
    CA,
    CLASSICAL,
    KINDS,
    LEAF,
    ML_DSA,
    POINTS,
    TLS_1_3_HEAD,
    certificate,
    certificate_verify,
    good_contents,
    key_exchange,
    login,
    private_key,
    public_key,
    request,
    sshsig,
    usage,
)
from tests.peers import find

OF_GOOD = {
    "TLS 1.3 server": Kind.TLS_1_3_SERVER,
    "TLS 1.3 client": Kind.TLS_1_3_CLIENT,
    "TLS 1.2 server": Kind.TLS_1_2_SERVER,
    "request": Kind.REQUEST,
    "leaf": Kind.SELF_SIGNED,
    "issued": Kind.CERTIFICATE,
    "login": Kind.SSH_LOGIN,
    "SSHSIG": Kind.SSH_SIGNATURE,
}


def kinds(key: PublicKey, content: bytes) -> list[Kind]:
    return [reading.kind for reading in readings(key, content)]


def schemes(kind: str, content: bytes) -> set[str]:
    """The names of the schemes of the only reading."""
    (reading,) = readings(public_key(kind), content)
    return {SCHEMES[code].name for code in reading.schemes}


@pytest.mark.parametrize(("kind", "what"), [(kind, what) for kind in KINDS for what in good_contents(kind)])
def test_good_content_is_one_thing(kind: str, what: str) -> None:
    assert kinds(public_key(kind), good_contents(kind)[what]) == [OF_GOOD[what]]


@pytest.mark.parametrize("kind", CLASSICAL)
def test_a_real_tls_1_2_transcript_is_the_clients_own_only(kind: str) -> None:
    assert kinds(public_key(kind), transcript(kind)) == [Kind.TLS_1_2_CLIENT]
    assert kinds(public_key(kind, 1), transcript(kind)) == [Kind.HANDSHAKE_LIKE]


def test_the_example_of_rfc_8446_section_4_4_3_is_a_servers() -> None:
    example = (
        "20" * 64 + "544c5320312e332c20736572766572204365727469666963617465566572696679" + "00" + "01" * 32
    )
    assert kinds(public_key("p-256"), bytes.fromhex(example)) == [Kind.TLS_1_3_SERVER]


@pytest.mark.parametrize("side", ["server", "client"])
def test_a_tls_1_3_content_has_a_hash_of_32_or_48_bytes(side: str) -> None:
    for size in range(80):
        found = kinds(public_key("p-256"), certificate_verify(side, size))
        assert bool(found) == (size in (32, 48))


@pytest.mark.parametrize(
    "content",
    [
        TLS_1_3_HEAD[1:] + b"h" * 32,
        TLS_1_3_HEAD[1:] + b"h" * 33,
        b" " + TLS_1_3_HEAD + b"h" * 32,
        b" " + TLS_1_3_HEAD + b"h" * 31,
        TLS_1_3_HEAD[:-1] + b"\x01" + b"h" * 32,
        TLS_1_3_HEAD.replace(b"server", b"SERVER") + b"h" * 32,
        TLS_1_3_HEAD.replace(b" server", b"  server") + b"h" * 32,
        b" " * 64 + b"TLS, server delegated credentials\x00" + b"h" * 32,  # RFC 9345
        b" " * 64 + b"Exported Authenticator\x00" + b"h" * 43,  # RFC 9261
        b" " * 64 + b"TLS 1.3, server CertificateVerify" + b"h" * 32,
    ],
)
def test_what_differs_from_a_tls_1_3_content_is_nothing(content: bytes) -> None:
    assert kinds(public_key("p-256"), content) == []


@pytest.mark.parametrize("curve", POINTS)
def test_a_server_key_exchange_ends_where_its_point_ends(curve: str) -> None:
    content = key_exchange(curve)
    assert kinds(public_key("rsa-2048"), content) == [Kind.TLS_1_2_SERVER]
    for wrong in (content[:-1], content + b"p", b"c" + content, content[1:]):
        assert kinds(public_key("rsa-2048"), wrong) == []


RANDOMS = b"c" * 32 + b"r" * 32


@pytest.mark.parametrize(
    "parameters",
    [
        b"\x03\x00\x17\x41\x03" + b"p" * 64,  # a compressed point's first byte
        b"\x03\x00\x17\x21\x02" + b"p" * 32,
        b"\x03\x00\x17\x20" + b"p" * 32,  # another curve's length
        b"\x03\x00\x1d\x21" + b"p" * 33,
        b"\x03\x00\x1d\x1f" + b"p" * 31,
        b"\x03\x00\x1d\x00",
        b"\x03\x00\x16\x41\x04" + b"p" * 64,  # secp256k1
        b"\x03\x01\x00\x20" + b"p" * 32,  # ffdhe2048, which is no curve
        b"\x01\x00\x1d\x20" + b"p" * 32,  # explicit_prime
        b"\x02\x00\x1d\x20" + b"p" * 32,  # explicit_char2
        b"\x01\x00" + b"p" * 256 + b"\x00\x01\x02" + b"\x01\x00" + b"y" * 256,  # finite field DH
        b"",
    ],
)
def test_other_parameters_make_no_server_key_exchange(parameters: bytes) -> None:
    assert kinds(public_key("p-256"), RANDOMS + parameters) == []


def host_bound(host_key: bytes = b"host") -> dict[str, bytes | str]:
    return {"method": "publickey-hostbound-v00@openssh.com", "tail": string(host_key)}


@pytest.mark.parametrize("kind", CLASSICAL)
def test_a_login_bound_to_its_host_is_a_login(kind: str) -> None:
    assert kinds(public_key(kind), login(kind, **host_bound())) == [Kind.SSH_LOGIN]  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [16, 20, 32, 48, 64])
def test_a_session_id_is_a_hash(size: int) -> None:
    assert kinds(public_key("ed25519"), login("ed25519", session_id=b"s" * size)) == [Kind.SSH_LOGIN]


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_id": b""},
        {"session_id": b"s" * 15},
        {"session_id": b"s" * 65},
        {"number": 51},
        {"service": "ssh-userauth"},
        {"service": ""},
        {"method": "hostbased"},
        {"method": "publickey-hostbound-v00@openssh.com"},
        {"method": "publickey-hostbound-v00@openssh.com", "tail": string(b"")},
        {"method": "publickey-hostbound-v00@openssh.com", "tail": string(b"host") + b"x"},
        {"tail": string(b"host")},
        {"tail": b"x"},
        {"signed": 0},
        {"signed": 2},
        {"algorithm": "ssh-rsa"},
        {"algorithm": "ssh-dss"},
        {"algorithm": "rsa-sha2-256-cert-v01@openssh.com"},
        {"algorithm": "ssh-ed25519"},
        {"blob": b"another"},
        {"blob": public_key("rsa-2048", 1).ssh_blob},
    ],
)
def test_another_login_is_nothing_that_may_be_signed(wrong: dict[str, object]) -> None:
    content = login("rsa-2048", **wrong)  # type: ignore[arg-type]
    assert kinds(public_key("rsa-2048"), content) == [Kind.SSH_LIKE]


@pytest.mark.parametrize("size", [("sha256", 32), ("sha512", 64)])
def test_an_sshsig_has_a_namespace_and_a_digest_of_its_hash(size: tuple[str, int]) -> None:
    assert kinds(public_key("p-256"), sshsig("git", *size)) == [Kind.SSH_SIGNATURE]
    assert kinds(public_key("p-256"), sshsig("git", *size, reserved=b"later")) == [Kind.SSH_SIGNATURE]


@pytest.mark.parametrize(
    "content",
    [
        sshsig(""),
        sshsig(size=63),
        sshsig(size=65),
        sshsig(size=32),
        sshsig(hash_name="sha256", size=64),
        sshsig(hash_name="sha384", size=48),
        sshsig(hash_name="sha1", size=20),
        sshsig() + b"x",
        sshsig()[:-1],
        b"SSHSIG",
        b"SSHSIG\x00\x00\x00\x01" + sshsig()[6:],  # the file's header, not what is signed
    ],
)
def test_another_sshsig_is_nothing_that_may_be_signed(content: bytes) -> None:
    assert kinds(public_key("p-256"), content) == [Kind.SSH_LIKE]


@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
@pytest.mark.parametrize("kind", CLASSICAL)
def test_what_ssh_keygen_signs_is_an_sshsig(kind: str, hash_name: str, short_tmp: Path) -> None:
    path = short_tmp / "key"
    path.write_bytes(private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    command = (find("ssh-keygen"), "-Y", "sign", "-n", "file", "-O", f"hashalg={hash_name}", "-f", str(path))
    made = run(*command, stdin="hello")
    blob = Reader(binascii.a2b_base64("".join(made.stdout.splitlines()[1:-1])))
    assert (bytes(blob.take(6)), blob.uint32()) == (b"SSHSIG", 1)
    assert blob.string() == public_key(kind).ssh_blob
    assert [blob.text() for _ in range(3)] == ["file", "", hash_name]
    signature = Reader(blob.string())
    algorithm, raw = signature.text(), bytes(signature.string())
    digest = hashlib.new(hash_name, b"hello").digest()
    content = b"SSHSIG" + string("file") + string("") + string(hash_name) + string(digest)
    verify_ssh(private_key(kind).public_key(), algorithm, raw, content)
    assert kinds(public_key(kind), content) == [Kind.SSH_SIGNATURE]


def verify_ssh(key: object, algorithm: str, signature: bytes, content: bytes) -> None:
    """RFC 8332, 5656 and 8709: the signature covers exactly this content."""
    if isinstance(key, rsa.RSAPublicKey):
        # OpenSSH 10 signs with the hash of the content, older ones always with SHA-512.
        rsa_hash = {"rsa-sha2-256": hashes.SHA256(), "rsa-sha2-512": hashes.SHA512()}[algorithm]
        key.verify(signature, content, padding.PKCS1v15(), rsa_hash)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        numbers = Reader(signature)
        r, s = (int.from_bytes(numbers.mpint(), "big") for _ in range(2))
        hash_ = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.key_size]
        key.verify(encode_dss_signature(r, s), content, ec.ECDSA(hash_))
    else:
        assert isinstance(key, ed25519.Ed25519PublicKey)
        key.verify(signature, content)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_for_another_key_is_told_apart(kind: str) -> None:
    assert kinds(public_key(kind, 1), request(kind)) == [Kind.OTHER_REQUEST]


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_is_self_signed_only_for_the_key_itself_in_one_name_and_no_ca(kind: str) -> None:
    key = public_key(kind)
    assert kinds(key, certificate(kind).tbs_certificate_bytes) == [Kind.SELF_SIGNED]
    for other in (
        certificate(kind, CA),
        certificate(kind, usage(certificates=True)),
        certificate(kind, LEAF, usage(lists=True)),
        certificate(kind, LEAF, issuer="somebody.else"),
    ):
        assert kinds(key, other.tbs_certificate_bytes) == [Kind.CERTIFICATE]
    assert kinds(public_key(kind, 1), certificate(kind, LEAF).tbs_certificate_bytes) == [Kind.CERTIFICATE]


def test_a_signed_certificate_or_a_revocation_list_is_asn1_that_no_purpose_covers() -> None:
    whole = certificate("p-256").public_bytes(Encoding.DER)
    assert kinds(public_key("p-256"), whole) == [Kind.ASN1_LIKE]
    tbs = certificate("p-256").tbs_certificate_bytes
    body = Elements(tbs).next().body
    careless = b"\x30\x84" + len(body).to_bytes(4, "big") + body  # not the shortest length: OpenSSL takes it
    assert kinds(public_key("p-256"), careless) == [Kind.ASN1_LIKE]
    assert kinds(public_key("p-256"), b"\x31" + tbs[1:]) == [Kind.ASN1_LIKE]


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\x01", b" ", b"0", b"1", b"S", b"hello, world", bytes(3), b"\xff" * 100]
)
def test_other_content_is_nothing(content: bytes) -> None:
    assert kinds(public_key("ed25519"), content) == []


# Schemes.


def test_tls_1_3_binds_an_ec_key_to_its_curve_and_an_rsa_key_to_pss() -> None:
    content = certificate_verify()
    assert schemes("rsa-2048", content) == {f"rsa_pss_rsae_sha{size}" for size in (256, 384, 512)}
    assert schemes("p-256", content) == {"ecdsa_secp256r1_sha256"}
    assert schemes("p-384", content) == {"ecdsa_secp384r1_sha384"}
    assert schemes("p-521", content) == {"ecdsa_secp521r1_sha512"}
    assert schemes("ed25519", content) == {"ed25519"}
    for kind in ML_DSA:
        assert schemes(kind, content) == {kind.replace("-", "")}


@pytest.mark.parametrize("kind", ML_DSA)
def test_no_ml_dsa_scheme_fits_tls_1_2_or_ssh(kind: str) -> None:
    assert schemes(kind, key_exchange()) == schemes(kind, sshsig()) == set()
    # Nor is a login one by naming a key of no bytes, as such a key's blob is.
    for algorithm in ("", kind, "ssh-ed25519"):
        content = login("ed25519", algorithm=algorithm).replace(
            string(public_key("ed25519").ssh_blob), bytes(4)
        )
        assert kinds(public_key(kind), content) == [Kind.SSH_LIKE]


@pytest.mark.parametrize("kind", ML_DSA)
def test_a_request_and_a_certificate_take_the_one_ml_dsa_scheme(kind: str) -> None:
    for content in (request(kind), certificate(kind).tbs_certificate_bytes):
        assert schemes(kind, content) == {kind.replace("-", "")}


@pytest.mark.parametrize("kind", CLASSICAL)
def test_tls_1_2_and_a_request_take_any_scheme_of_the_keys_type(kind: str) -> None:
    every = {name for name, scheme in BY_NAME.items() if scheme.key_type is public_key(kind).key_type}
    for content in (key_exchange(), request(kind), transcript(kind)):
        assert schemes(kind, content) == every


def test_ssh_binds_the_scheme_by_the_algorithms_name() -> None:
    assert schemes("rsa-2048", login("rsa-2048")) == {"rsa_pkcs1_sha256"}
    assert schemes("rsa-2048", login("rsa-2048", algorithm="rsa-sha2-512")) == {"rsa_pkcs1_sha512"}
    assert schemes("p-384", login("p-384")) == {"ecdsa_secp384r1_sha384"}
    assert schemes("ed25519", login("ed25519")) == {"ed25519"}
    assert schemes("rsa-2048", sshsig()) == {"rsa_pkcs1_sha256", "rsa_pkcs1_sha512"}
    assert schemes("p-521", sshsig()) == {"ecdsa_secp521r1_sha512"}


def test_a_certificate_binds_the_scheme_by_the_algorithm_inside() -> None:
    assert schemes("p-256", certificate("p-256").tbs_certificate_bytes) == {"ecdsa_secp256r1_sha256"}
    foreign = certificate("p-256", signer=private_key("p-384"), issuer="CA").tbs_certificate_bytes
    assert schemes("p-384", foreign) == {"ecdsa_secp256r1_sha256"}


# Ambiguity: TLS 1.2's 64 free bytes and a point that nobody checks, put to other uses.


@pytest.mark.parametrize("attack", ambiguous.ATTACKS, ids=lambda attack: attack.__name__)
def test_a_server_key_exchange_that_is_something_else_too_is_both(attack: ambiguous.Attack) -> None:
    key = public_key("ed25519")
    content, other = attack(key)
    assert kinds(key, content) == [other, Kind.TLS_1_2_SERVER]


def test_honest_server_key_exchanges_are_nothing_else() -> None:
    chance = random.Random(7)
    for _ in range(20_000):
        content = chance.randbytes(64) + POINTS["x25519"][:4] + chance.randbytes(32)
        assert kinds(public_key("p-256"), content) == [Kind.TLS_1_2_SERVER]


# Whatever is done to good content, it turns into nothing that more purposes cover.


def every_content(kind: str) -> dict[str, bytes]:
    return good_contents(kind) | ({"transcript": transcript(kind)} if kind in CLASSICAL else {})


def covering(key: PublicKey, content: bytes) -> set[str]:
    return {name for kind in kinds(key, content) for name in ALLOWED_BY[kind]}


@pytest.mark.parametrize("kind", (*CLASSICAL, "ml-dsa-44"))
def test_no_truncation_is_covered_by_another_purpose(kind: str) -> None:
    key = public_key(kind)
    for what, content in every_content(kind).items():
        for end in range(len(content)):
            found = covering(key, content[:end])
            assert not found or (what == "TLS 1.3 client" and len(content) - end == 48 - 32)
            assert not covering(key, content[end + 1 :])


@pytest.mark.parametrize("kind", (*CLASSICAL, "ml-dsa-44"))
def test_no_change_of_one_byte_is_covered_by_another_purpose(kind: str) -> None:
    key = public_key(kind)
    for content in every_content(kind).values():
        before = covering(key, content)
        for at in range(len(content)):
            for change in (0x01, 0x04, 0x20, 0x80, 0xFF):
                changed = content[:at] + bytes([content[at] ^ change]) + content[at + 1 :]
                assert covering(key, changed) <= before


@pytest.mark.parametrize("what", ["TLS 1.3 server", "TLS 1.2 server", "login", "SSHSIG"])
def test_no_value_of_any_byte_is_covered_by_another_purpose(what: str) -> None:
    key, content = public_key("ed25519"), good_contents("ed25519")[what]
    before = covering(key, content)
    for at in range(len(content)):
        for value in range(256):
            assert covering(key, content[:at] + bytes([value]) + content[at + 1 :]) <= before


HEADS = [
    b"",
    b"\x00\x00\x00\x20",
    b"\x01\x00\x00\x30",
    b"0\x62",
    b"0\x82",
    b"1",
    b"SSHSIG",
    TLS_1_3_HEAD,
    RANDOMS,
]


@given(st.sampled_from(HEADS), st.binary(max_size=400), st.sampled_from(KINDS))
def test_garbage_is_covered_by_no_purpose_but_as_a_tls_1_2_server(
    head: bytes, tail: bytes, kind: str
) -> None:
    found = kinds(public_key(kind), head + tail)
    lookalikes = {kind for kind, purposes in ALLOWED_BY.items() if not purposes}
    tls = {Kind.TLS_1_3_SERVER, Kind.TLS_1_2_SERVER}
    assert set(found) <= lookalikes | tls
    assert Kind.TLS_1_3_SERVER not in found or head == TLS_1_3_HEAD


@given(st.sampled_from(KINDS), st.data())
def test_pieces_of_good_content_in_any_order_are_covered_by_no_other_purpose(
    kind: str, data: st.DataObject
) -> None:
    content = data.draw(st.sampled_from(list(good_contents(kind).values())))
    start, end = sorted(data.draw(st.integers(0, len(content))) for _ in range(2))
    middle = data.draw(st.binary(max_size=end - start))
    key, changed = public_key(kind), content[:start] + middle + content[end:]
    assert covering(key, changed) <= covering(key, content)
