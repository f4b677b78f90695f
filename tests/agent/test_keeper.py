"""The keeper with real keys: what it takes, what it makes, what its signatures are worth."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, mldsa, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from kit.agent import keeper
from kit.agent.keeper import BadKey, Keeper, NoSuchKey, OperationFailed
from kit.agent.public import UnsupportedKey
from kit.agent.schemes import BY_NAME, KINDS, SCHEMES, KeyType, Scheme
from kit.core.errors import Unavailable
from tests.agent.samples import pss_block

CONTENT = b"what is signed"
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
RSA = rsa.generate_private_key(65537, 2048)


def _der(key: object, form: PrivateFormat = PrivateFormat.PKCS8) -> bytearray:
    return bytearray(key.private_bytes(Encoding.DER, form, NoEncryption()))  # type: ignore[attr-defined]


def _made(kind: str) -> keeper.Candidate:
    return keeper.load(bytearray(keeper.generate_der(kind)))


def _key_for(scheme: Scheme) -> keeper.PrivateKeyObject:
    if scheme.key_type is KeyType.RSA:
        return RSA
    if scheme.key_type is KeyType.EC:
        return ec.generate_private_key(ec.SECP384R1())
    if scheme.key_type is KeyType.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return {
        KeyType.ML_DSA_44: mldsa.MLDSA44PrivateKey,
        KeyType.ML_DSA_65: mldsa.MLDSA65PrivateKey,
        KeyType.ML_DSA_87: mldsa.MLDSA87PrivateKey,
    }[scheme.key_type].generate()


def _held(candidate: keeper.Candidate) -> Keeper:
    held = Keeper()
    held.hold(candidate)
    return held


def _verify(public: object, signature: bytes, scheme: Scheme, content: bytes = CONTENT) -> None:
    if not scheme.hash_name:
        return public.verify(signature, content)  # type: ignore[attr-defined, no-any-return]
    algorithm = HASHES[scheme.hash_name]
    if isinstance(public, ec.EllipticCurvePublicKey):
        return public.verify(signature, content, ec.ECDSA(algorithm))
    assert isinstance(public, rsa.RSAPublicKey)
    pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    return public.verify(signature, content, pss if scheme.pss else padding.PKCS1v15(), algorithm)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda s: s.name)
def test_every_scheme_makes_a_signature_that_verifies(scheme: Scheme) -> None:
    key = _key_for(scheme)
    candidate = keeper.load(_der(key))
    signature = _held(candidate).sign(candidate.public.key_id, scheme, CONTENT)
    _verify(key.public_key(), signature, scheme)
    with pytest.raises(InvalidSignature):
        _verify(key.public_key(), signature, scheme, b"something else")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("rsa-4096", "rsa-8192")])
def test_a_generated_key_is_of_its_kind(kind: str) -> None:
    assert _made(kind).public.kind == kind


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize(
    "make", [lambda: RSA, lambda: ec.generate_private_key(ec.SECP521R1())], ids=["rsa", "ec"]
)
def test_pkcs8_pkcs1_and_sec1_are_taken(make: Callable[[], object], form: PrivateFormat) -> None:
    assert keeper.load(memoryview(_der(make(), form))).public.bits


@pytest.mark.parametrize(
    "der",
    [b"", b"garbage", bytes(7000), b"\x30\x82\x04\xa4\x02\x01\x00", _der(RSA)[:-1], _der(RSA) + b"\0"],
    ids=["empty", "garbage", "too long", "a beginning", "cut", "with a tail"],
)
def test_what_is_no_key_is_refused(der: bytes) -> None:
    with pytest.raises(BadKey):
        keeper.load(bytearray(der))


def test_an_encrypted_key_is_refused() -> None:
    with pytest.raises(BadKey):
        keeper.load(
            bytearray(RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
        )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP224R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505 - it is to be refused
        x25519.X25519PrivateKey.generate,
        lambda: dsa.generate_private_key(1024),  # noqa: S505 - it is to be refused
    ],
    ids=["P-224", "secp256k1", "RSA 1024", "X25519", "DSA"],
)
def test_other_types_and_sizes_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises((BadKey, UnsupportedKey)):
        keeper.load(_der(make()))


def test_an_ec_key_with_another_ones_point_is_refused() -> None:
    mine, other = (_der(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    mine[-64:] = other[-64:]
    with pytest.raises(BadKey):
        keeper.load(mine)


def test_an_ec_key_with_a_point_off_the_curve_is_refused() -> None:
    der = _der(ec.generate_private_key(ec.SECP256R1()))
    der[-1] ^= 1
    with pytest.raises(BadKey):
        keeper.load(der)


@pytest.mark.parametrize("at", range(30, 1190, 29))
def test_an_rsa_key_with_a_damaged_part_is_refused_or_still_signs_rightly(at: int) -> None:
    der = _der(RSA)
    der[at] ^= 1
    try:
        candidate = keeper.load(der)
    except (BadKey, UnsupportedKey):
        return
    signature = _held(candidate).sign(candidate.public.key_id, BY_NAME["rsa_pkcs1_sha256"], CONTENT)
    RSA.public_key().verify(signature, CONTENT, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("scheme", [s for s in SCHEMES.values() if s.hash_name], ids=lambda s: s.name)
def test_a_digest_is_signed_as_its_content_is(scheme: Scheme) -> None:
    candidate = keeper.load(_der(_key_for(scheme)))
    digest = hashlib.new(scheme.hash_name, CONTENT).digest()
    for _ in range(2):
        signature = _held(candidate).sign_digest(candidate.public.key_id, scheme, digest)
        _verify(candidate.private.public_key(), signature, scheme)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("scheme", [s for s in SCHEMES.values() if s.pss], ids=lambda s: s.name)
def test_an_encoded_block_becomes_the_signature(scheme: Scheme, form: PrivateFormat) -> None:
    candidate = keeper.load(_der(RSA, form), blocks=True)
    block = pss_block(RSA, CONTENT, HASHES[scheme.hash_name])
    signature = _held(candidate).sign_block(candidate.public.key_id, block)
    _verify(RSA.public_key(), signature, scheme)


@pytest.mark.parametrize("block", [b"", b"\0" * 255, b"\xff" * 256, b"\0" * 257])
def test_what_is_no_number_below_the_modulus_is_no_block(block: bytes) -> None:
    candidate = keeper.load(_der(RSA), blocks=True)
    with pytest.raises(OperationFailed):
        _held(candidate).sign_block(candidate.public.key_id, block)


def test_only_an_rsa_key_for_blocks_is_read_twice() -> None:
    assert keeper.load(_der(RSA), blocks=True).bare
    assert keeper.load(_der(RSA)).bare is None
    assert keeper.load(bytearray(keeper.generate_der("p-256")), blocks=True).bare is None
    held = keeper.load(_der(RSA))
    with pytest.raises(Unavailable, match="libcrypto"):
        _held(held).sign_block(held.public.key_id, bytes(256))


def test_the_second_reading_goes_with_the_key() -> None:
    candidate = keeper.load(_der(RSA), blocks=True)
    gone = weakref.ref(candidate.bare)  # type: ignore[arg-type]
    held, key_id = _held(candidate), candidate.public.key_id
    del candidate
    assert gone() is not None
    held.forget(key_id)
    assert gone() is None


def test_a_forgotten_key_signs_nothing() -> None:
    candidate = _made("p-256")
    held = _held(candidate)
    held.forget(candidate.public.key_id)
    with pytest.raises(NoSuchKey):
        held.sign(candidate.public.key_id, BY_NAME["ecdsa_secp256r1_sha256"], CONTENT)


def test_decrypting_gives_the_plaintext_and_something_for_garbage() -> None:
    candidate = keeper.load(_der(RSA))
    keeper.check_decrypts(candidate)
    held = _held(candidate)
    ciphertext = RSA.public_key().encrypt(b"secret", padding.PKCS1v15())
    assert held.decrypt(candidate.public.key_id, ciphertext) == b"secret"
    garbage = b"\0" + bytes(range(255))
    assert held.decrypt(candidate.public.key_id, garbage) == held.decrypt(candidate.public.key_id, garbage)


def test_a_ciphertext_beyond_the_modulus_fails_without_its_content() -> None:
    candidate = keeper.load(_der(RSA))
    with pytest.raises(OperationFailed, match="ValueError"):
        _held(candidate).decrypt(candidate.public.key_id, b"\xff" * 256)


def test_only_rsa_decrypts() -> None:
    with pytest.raises(BadKey, match="p-256"):
        keeper.check_decrypts(_made("p-256"))


def test_a_candidate_shows_no_private_key() -> None:
    assert "private" not in repr(_made("p-256"))
