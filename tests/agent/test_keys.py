"""Keys in the agent as objects of `cryptography`: what they sign, what they refuse, who takes them.

The signer here holds local keys; the same objects meet the real agent in tests/system/test_agent_commands.py.
"""

from __future__ import annotations

import copy
import datetime
import pickle
from collections.abc import Callable
from dataclasses import dataclass

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kit.agent.keys import (
    AgentEd25519PrivateKey,
    AgentEllipticCurvePrivateKey,
    AgentRSAPrivateKey,
    UnsupportedOperation,
    private_key,
)
from kit.agent.public import describe
from kit.agent.request import Names, parse_names, self_signed, signing_request
from kit.agent.schemes import SCHEMES, KeyType
from kit.core.errors import ProtocolError, UsageError

LOCAL = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "p-256": ec.generate_private_key(ec.SECP256R1()),
    "p-384": ec.generate_private_key(ec.SECP384R1()),
    "p-521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate(),
    "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate(),
    "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate(),
}
WITHOUT_HASH = ("ed25519", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87")
SHA2 = [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()]
HASHES = {algorithm.name: algorithm for algorithm in SHA2}
DATA = b"what is to be signed" * 10


@dataclass(frozen=True)
class Record:
    key_name: str
    spki: bytes


class LocalSigner:
    """Does what an agent does, with keys of this process; `spoil` may damage what it answers."""

    def __init__(self, spoil: Callable[[bytes], bytes] = lambda signature: signature) -> None:
        self.spoil, self.closed = spoil, 0
        self.keys = {describe(key.public_key()).key_id: key for key in LOCAL.values()}

    def sign(self, key_id: bytes, scheme_code: int, content: bytes, purpose: str = "") -> bytes:
        key, scheme = self.keys[key_id], SCHEMES[scheme_code]
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            return self.spoil(key.sign(content))
        algorithm = HASHES[scheme.hash_name]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            assert scheme.key_type is KeyType.EC
            return self.spoil(key.sign(content, ec.ECDSA(algorithm)))
        pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        return self.spoil(key.sign(content, pss if scheme.pss else padding.PKCS1v15(), algorithm))

    def decrypt(self, key_id: bytes, ciphertext: bytes) -> bytearray:
        key = self.keys[key_id]
        assert isinstance(key, rsa.RSAPrivateKey)
        return bytearray(key.decrypt(ciphertext, padding.PKCS1v15()))

    def close(self) -> None:
        self.closed += 1


def agent_key(name: str, signer: LocalSigner | None = None):  # type: ignore[no-untyped-def]
    spki = describe(LOCAL[name].public_key()).spki
    return private_key(signer or LocalSigner(), Record(name, spki))


RSA, EC, ED, ML = agent_key("rsa"), agent_key("p-256"), agent_key("ed25519"), agent_key("ml-dsa-65")


def test_they_are_what_cryptography_takes_for_private_keys() -> None:
    assert isinstance(RSA, rsa.RSAPrivateKey) and isinstance(RSA, AgentRSAPrivateKey)
    assert isinstance(EC, ec.EllipticCurvePrivateKey) and isinstance(EC, AgentEllipticCurvePrivateKey)
    assert isinstance(ED, ed25519.Ed25519PrivateKey) and isinstance(ED, AgentEd25519PrivateKey)
    assert isinstance(ML, mldsa.MLDSA65PrivateKey) and not isinstance(ML, mldsa.MLDSA44PrivateKey)
    assert (RSA.key_size, EC.key_size, EC.curve.name) == (2048, 256, "secp256r1")
    assert RSA.public_key() == LOCAL["rsa"].public_key()
    assert repr(EC) == "<AgentEllipticCurvePrivateKey 'p-256'>"
    assert repr(ML) == "<AgentMLDSA65PrivateKey 'ml-dsa-65'>"


@pytest.mark.parametrize("algorithm", SHA2, ids=lambda a: a.name)
@pytest.mark.parametrize("salt", ["size", "digest", "none"])
def test_rsa_signs_with_pkcs1_and_pss(algorithm: hashes.HashAlgorithm, salt: str) -> None:
    length = {"size": algorithm.digest_size, "digest": padding.PSS.DIGEST_LENGTH}.get(salt)
    chosen = padding.PKCS1v15() if length is None else padding.PSS(padding.MGF1(algorithm), length)
    signature = RSA.sign(DATA, chosen, algorithm)
    LOCAL["rsa"].public_key().verify(signature, DATA, chosen, algorithm)


@pytest.mark.parametrize("name", ["p-256", "p-384", "p-521"])
@pytest.mark.parametrize("algorithm", SHA2, ids=lambda a: a.name)
def test_ecdsa_signs_with_any_sha2(name: str, algorithm: hashes.HashAlgorithm) -> None:
    signature = agent_key(name).sign(DATA, ec.ECDSA(algorithm))
    LOCAL[name].public_key().verify(signature, DATA, ec.ECDSA(algorithm))


def test_every_buffer_can_be_signed() -> None:
    for data in (DATA, bytearray(DATA), memoryview(DATA)):
        LOCAL["ed25519"].public_key().verify(ED.sign(data), DATA)


@pytest.mark.parametrize("name", WITHOUT_HASH[1:])
def test_ml_dsa_signs_with_an_empty_context(name: str) -> None:
    for signature in (agent_key(name).sign(DATA), agent_key(name).sign(DATA, b"")):
        LOCAL[name].public_key().verify(signature, DATA)


def test_rsa_decrypts_pkcs1() -> None:
    ciphertext = LOCAL["rsa"].public_key().encrypt(b"premaster", padding.PKCS1v15())
    assert RSA.decrypt(ciphertext, padding.PKCS1v15()) == b"premaster"


SHA256 = hashes.SHA256()
MGF = padding.MGF1(SHA256)


@pytest.mark.parametrize(
    ("operation", "what"),
    [
        (lambda: RSA.sign(DATA, padding.PSS(MGF, padding.PSS.MAX_LENGTH), SHA256), "salt of another length"),
        (lambda: RSA.sign(DATA, padding.PSS(MGF, padding.PSS.AUTO), SHA256), "salt of another length"),
        (lambda: RSA.sign(DATA, padding.PSS(MGF, 20), SHA256), "salt of another length"),
        (lambda: RSA.sign(DATA, padding.PSS(MGF, 48), hashes.SHA384()), "mask is made with another hash"),
        (lambda: RSA.sign(DATA, padding.PKCS1v15(), hashes.SHA1()), "signatures with sha1"),  # noqa: S303
        (lambda: RSA.sign(DATA, padding.PKCS1v15(), hashes.SHA3_256()), "signatures with sha3-256"),
        (lambda: RSA.sign(bytes(32), padding.PKCS1v15(), utils.Prehashed(SHA256)), "wants the whole content"),
        (lambda: RSA.sign(DATA, padding.OAEP(MGF, SHA256, None), SHA256), "padding OAEP"),
        (lambda: RSA.decrypt(bytes(256), padding.OAEP(MGF, SHA256, None)), "decryption with OAEP"),
        (lambda: EC.sign(bytes(32), ec.ECDSA(utils.Prehashed(SHA256))), "wants the whole content"),
        (lambda: EC.sign(DATA, ec.ECDSA(hashes.SHA224())), "signatures with sha224"),
        (lambda: EC.exchange(ec.ECDH(), EC.public_key()), "key exchange"),
        (RSA.private_numbers, "its private half is in the agent"),
        (EC.private_numbers, "its private half is in the agent"),
        (
            lambda: EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "cannot be written out",
        ),
        (ED.private_bytes_raw, "cannot be written out"),
        (ML.private_bytes_raw, "cannot be written out"),
        (lambda: ML.sign(DATA, b"context"), "signatures with a context"),
        (lambda: ML.sign_mu(bytes(64)), "wants the whole content"),
        (lambda: pickle.dumps(RSA), "cannot be pickled"),
    ],
)
def test_what_the_agent_does_not_do_says_so(operation: Callable[[], object], what: str) -> None:
    with pytest.raises(UnsupportedOperation) as caught:
        operation()
    assert what in str(caught.value)


def test_deterministic_ecdsa_is_not_offered() -> None:
    wish = type("Wish", (ec.ECDSA,), {"deterministic_signing": True})
    with pytest.raises(UnsupportedOperation, match="deterministic"):
        EC.sign(DATA, wish(SHA256))


def test_a_copy_is_the_same_key() -> None:
    for key in (RSA, EC, ED, ML):
        assert copy.copy(key) is key
        assert copy.deepcopy({"key": key})["key"] is key


@pytest.mark.parametrize("name", LOCAL)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda signature: b"",
        lambda signature: bytes(len(signature)),
        lambda signature: signature[:-1],
        lambda signature: signature + b"\0",
        lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    ],
)
def test_a_bad_signature_is_never_handed_out(name: str, spoil: Callable[[bytes], bytes]) -> None:
    signer = LocalSigner(spoil)
    key = agent_key(name, signer)
    arguments = () if name in WITHOUT_HASH else (ec.ECDSA(SHA256),)
    arguments = (padding.PKCS1v15(), SHA256) if name == "rsa" else arguments
    with pytest.raises(ProtocolError, match=f"the agent's signature with '{name}' does not verify"):
        key.sign(DATA, *arguments)
    assert signer.closed == 1


def test_a_signature_of_other_content_is_never_handed_out() -> None:
    other = LOCAL["ed25519"].sign(b"other")
    with pytest.raises(ProtocolError):
        agent_key("ed25519", LocalSigner(lambda _: other)).sign(DATA)


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [("rsa", "RS256"), ("rsa", "PS384"), ("p-256", "ES256"), ("p-521", "ES512"), ("ed25519", "EdDSA")],
)
def test_pyjwt_signs_with_them(name: str, algorithm: str) -> None:
    token = jwt.encode({"who": "kit"}, agent_key(name), algorithm=algorithm)
    assert jwt.decode(token, LOCAL[name].public_key(), algorithms=[algorithm]) == {"who": "kit"}


NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
NAMES = parse_names(
    "CN=mail.example.org,O=Example", ["mail.example.org", "*.example.org"], ["::1", "192.0.2.1"]
)


@pytest.mark.parametrize("name", LOCAL)
def test_a_request_is_signed_and_tells_the_names(name: str) -> None:
    request = x509.load_pem_x509_csr(signing_request(agent_key(name), NAMES).encode())
    assert request.is_signature_valid
    assert request.public_key() == LOCAL[name].public_key()
    assert request.subject.rfc4514_string() == "CN=mail.example.org,O=Example"
    alternatives = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == ["mail.example.org", "*.example.org"]
    assert [str(ip) for ip in alternatives.get_values_for_type(x509.IPAddress)] == ["::1", "192.0.2.1"]


@pytest.mark.parametrize("name", LOCAL)
def test_a_self_signed_certificate_is_a_server_s_and_no_ca(name: str) -> None:
    certificate = x509.load_pem_x509_certificate(self_signed(agent_key(name), NAMES, 90, NOW).encode())
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_after_utc - NOW == datetime.timedelta(days=90)
    assert certificate.not_valid_before_utc < NOW
    extensions = certificate.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment) == (True, name == "rsa")
    assert not usage.key_cert_sign
    server = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [usage.dotted_string for usage in server] == ["1.3.6.1.5.5.7.3.1"]
    strength = {"p-384": "sha384", "p-521": "sha512", **dict.fromkeys(WITHOUT_HASH)}.get(name, "sha256")
    assert getattr(certificate.signature_hash_algorithm, "name", None) == strength


def test_without_a_subject_the_first_name_is_the_common_name() -> None:
    names = parse_names(None, ["a.example", "b.example"])
    assert names.subject == x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example")])
    assert parse_names(None, [], ["127.0.0.1"]).subject.rfc4514_string() == "CN=127.0.0.1"


def test_a_name_too_long_for_a_subject_stands_in_the_alternatives() -> None:
    long = ".".join(["x" * 60] * 3)
    names = parse_names(None, [long])
    assert not list(names.subject)
    certificate = x509.load_pem_x509_certificate(self_signed(EC, names, 1, NOW).encode())
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        (lambda: parse_names(None), "needs a name"),
        (lambda: parse_names(""), "needs a name"),
        (lambda: parse_names("mail"), "'mail' is no subject"),
        (lambda: parse_names("XX=mail"), "'XX=mail' is no subject"),
        (lambda: parse_names("CN=" + "x" * 65), "is no subject"),
        (lambda: parse_names(None, [""]), "'' is no DNS name"),
        (lambda: parse_names(None, ["a..b"]), "'a..b' is no DNS name"),
        (lambda: parse_names(None, ["a b"]), "'a b' is no DNS name"),
        (lambda: parse_names(None, ["bücher.example"]), "is no DNS name"),
        (lambda: parse_names(None, ["x" * 64]), "is no DNS name"),
        (lambda: parse_names(None, [], ["1.2.3"]), "'1.2.3' is no IP address"),
        (lambda: self_signed(EC, NAMES, 0, NOW), "for 0 days"),
        (lambda: self_signed(EC, NAMES, 99_999, NOW), "for 99999 days"),
    ],
)
def test_names_that_are_none_are_usage_errors(wish: Callable[[], Names | str], complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        wish()
    assert complaint in str(caught.value)
