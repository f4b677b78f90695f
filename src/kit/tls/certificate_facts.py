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

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kit.core.text import printable
from kit.tls.cells import Authentication, Certificate

_T = TypeVar("_T")
# What it proves itself with, the key for people, and the SHA-256 of its SubjectPublicKeyInfo.
_Key = tuple[Authentication | None, str, str]
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
    key = certificate.public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(spki).hexdigest()
    if isinstance(key, rsa.RSAPublicKey):
        return Authentication.RSA, f"RSA {key.key_size}", digest
    if isinstance(key, ec.EllipticCurvePublicKey):
        return Authentication.ECDSA, _CURVES.get(key.curve.name, key.curve.name), digest
    return None, type(key).__name__.removesuffix("PublicKey").lstrip("_"), digest


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
