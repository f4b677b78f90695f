"""Certificates are described as far as they can be read, and no text of theirs harms a terminal."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.tls.cells import Authentication
from kit.tls.certificate_facts import describe

Key = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)


def _der(key: Key, *names: x509.GeneralName, common_name: str = "mail.test") -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now.replace(year=9999))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    hash_ = hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) else None
    return builder.sign(key, hash_).public_bytes(Encoding.DER)


_P256 = ec.generate_private_key(ec.SECP256R1())
_GOOD = _der(_P256, x509.DNSName("mail.test"))


@pytest.mark.parametrize(
    ("key", "authentication", "shown"),
    [
        (rsa.generate_private_key(65537, 2048), Authentication.RSA, "RSA 2048"),
        (_P256, Authentication.ECDSA, "P-256"),
        (ec.generate_private_key(ec.SECP521R1()), Authentication.ECDSA, "P-521"),
        (ed25519.Ed25519PrivateKey.generate(), None, "Ed25519"),
        (mldsa.MLDSA44PrivateKey.generate(), Authentication.ML_DSA, "ML-DSA-44"),
        (mldsa.MLDSA65PrivateKey.generate(), Authentication.ML_DSA, "ML-DSA-65"),
        (mldsa.MLDSA87PrivateKey.generate(), Authentication.ML_DSA, "ML-DSA-87"),
    ],
)
def test_keys_are_named(key: Key, authentication: Authentication | None, shown: str) -> None:
    facts = describe(_der(key))
    assert (facts.authentication, facts.key, facts.error) == (authentication, shown, "")
    assert (facts.not_before, facts.not_after) == ("2026-01-01T00:00:00+00:00", "9999-01-01T00:00:00+00:00")


def test_names_of_every_kind_are_texts() -> None:
    other = x509.OtherName(ObjectIdentifier("1.2.3.4"), b"\x04\x01x")
    directory = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "d")]))
    names = (x509.DNSName("*.mail.test"), other, directory, x509.RegisteredID(ObjectIdentifier("1.2.3")))
    assert describe(_der(_P256, *names)).names == ("*.mail.test", "040178", "CN=d", "1.2.3")


def test_control_and_direction_characters_are_escaped() -> None:
    facts = describe(_der(_P256, common_name="\x1b[2J\u202egood\n"))
    assert facts.subject.isprintable()
    assert "\\x1b" in facts.subject


def test_a_key_on_an_unknown_curve_leaves_the_rest_readable() -> None:
    curve = bytes.fromhex("06082a8648ce3d030107")
    facts = describe(_GOOD.replace(curve, curve[:-1] + b"\x7f"))
    assert facts.error.startswith("its key cannot be read")
    assert facts.subject == "CN=mail.test"
    assert facts.authentication is None


@given(st.binary(max_size=400))
def test_garbage_is_described_by_its_hash_and_an_error(der: bytes) -> None:
    facts = describe(der)
    assert len(facts.sha256) == 64
    assert facts.error.isprintable()
    assert facts.error


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(_GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_certificate_with_changed_bytes_is_described_without_an_exception(
    changes: list[tuple[int, int]],
) -> None:
    der = bytearray(_GOOD)
    for at, value in changes:
        der[at] = value
    facts = describe(bytes(der))
    texts = (facts.subject, facts.issuer, facts.key, facts.not_before, facts.error, *facts.names)
    assert all(text.isprintable() for text in texts)
