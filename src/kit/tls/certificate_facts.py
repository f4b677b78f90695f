"""What a certificate says, for people: the one place of the probe that parses X.509.

A certificate comes from a server that may be hostile: whatever cannot be read is told in `error`, each field
by itself, and no text leaves unescaped.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import cryptography
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kit.core.text import printable
from kit.tls.cells import Authentication, Certificate

_T = TypeVar("_T")
# What it proves itself with, the key for people, and the SHA-256 of its SubjectPublicKeyInfo.
_Key = tuple[Authentication | None, str, str]
# RFC 9881, section 2.
_ML_DSA = {f"2.16.840.1.101.3.4.3.{last}": f"ML-DSA-{size}" for last, size in ((17, 44), (18, 65), (19, 87))}
_READS_ML_DSA_SINCE = 49
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def describe(der: bytes) -> Certificate:
    """The facts of one certificate."""
    sha256 = hashlib.sha256(der).hexdigest()
    with warnings.catch_warnings():
        # cryptography warns of odd serial numbers and the like: no news about a stranger's certificate
        warnings.simplefilter("ignore")
        reading = _Reading()
        certificate = reading.attempt("certificate", None, lambda: x509.load_der_x509_certificate(der))
        if certificate is None:
            return Certificate(sha256, error=reading.error)
        return _describe(certificate, sha256, reading)


class _Reading:
    """Reads fields; remembers why the first unreadable one could not be read."""

    def __init__(self) -> None:
        self.error = ""

    def attempt(self, what: str, otherwise: _T, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except Exception as error:  # noqa: BLE001 -- the parser's errors (InvalidVersion, DuplicateExtension, ...) share no root
            self.error = self.error or printable(
                f"its {what} cannot be read: {error or type(error).__name__}"
            )
            return otherwise


def _describe(certificate: x509.Certificate, sha256: str, reading: _Reading) -> Certificate:
    no_key: _Key = (None, "", "")
    authentication, key, key_sha256 = reading.attempt("key", no_key, lambda: _key(certificate))
    names: tuple[str, ...] = reading.attempt("names", (), lambda: _names(certificate))
    return Certificate(
        sha256,
        authentication=authentication,
        key=key,
        key_sha256=key_sha256,
        subject=reading.attempt("subject", "", lambda: printable(certificate.subject.rfc4514_string())),
        issuer=reading.attempt("issuer", "", lambda: printable(certificate.issuer.rfc4514_string())),
        names=names,
        not_before=reading.attempt("validity", "", lambda: _moment(certificate.not_valid_before_utc)),
        not_after=reading.attempt("validity", "", lambda: _moment(certificate.not_valid_after_utc)),
        error=reading.error,
    )


def _key(certificate: x509.Certificate) -> _Key:
    post_quantum = _ML_DSA.get(certificate.public_key_algorithm_oid.dotted_string)
    if post_quantum and not _reads_ml_dsa():
        return Authentication.ML_DSA, post_quantum, ""
    key = certificate.public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(spki).hexdigest()
    if post_quantum:
        return Authentication.ML_DSA, post_quantum, digest
    if isinstance(key, rsa.RSAPublicKey):
        return Authentication.RSA, f"RSA {key.key_size}", digest
    if isinstance(key, ec.EllipticCurvePublicKey):
        return Authentication.ECDSA, _CURVES.get(key.curve.name, key.curve.name), digest
    return None, type(key).__name__.removesuffix("PublicKey").lstrip("_"), digest


def _reads_ml_dsa() -> bool:
    """From 49 on, and linked with OpenSSL 3.5 or newer, cryptography has the keys of such certificates."""
    from cryptography.hazmat.backends.openssl import backend

    major = int(cryptography.__version__.partition(".")[0])
    return major >= _READS_ML_DSA_SINCE and backend.mldsa_supported()


def _moment(when: datetime) -> str:
    return when.isoformat()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(printable(_name(name)) for name in extension.value)


def _name(name: x509.GeneralName) -> str:
    if isinstance(name, x509.DirectoryName):
        return name.value.rfc4514_string()
    if isinstance(name, x509.RegisteredID):
        return name.value.dotted_string
    return name.value.hex() if isinstance(name, x509.OtherName) else str(name.value)
