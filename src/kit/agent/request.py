"""Certificate signing requests and self-signed certificates for a key, wherever its private half is.

The agent reads what it signs, and takes a `csr` or `self-signed` purpose to mean just these forms: a PKCS#10
request, or a certificate for the key's own public key that is no CA.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kit.agent import mldsa
from kit.core.errors import UsageError
from kit.core.frozen import frozen

if TYPE_CHECKING:
    PrivateKey = (
        rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | mldsa.PrivateKeyObject
    )
_Builder = TypeVar("_Builder", x509.CertificateBuilder, x509.CertificateSigningRequestBuilder)
# X.520's upper bound of a common name.
_COMMON_NAME_LIMIT = 64
# A client whose clock is a little late must not find a fresh certificate "not yet valid".
_EARLIER = datetime.timedelta(minutes=5)
_DAYS_LIMIT = 36_500


@frozen
class Names:
    """Whom a certificate is for."""

    subject: x509.Name
    alternatives: tuple[x509.GeneralName, ...]


def parse_names(subject: str | None, dns: Iterable[str] = (), ip: Iterable[str] = ()) -> Names:
    """The subject as RFC 4514 writes it ("CN=…,O=…"); without one, the first alternative name is its CN."""
    alternatives: tuple[x509.GeneralName, ...] = (*map(_dns_name, dns), *map(_ip_address, ip))
    if not subject and not alternatives:
        raise UsageError("a certificate needs a name", hint="give --subject CN=NAME, --dns or --ip")
    if subject is None:
        return Names(_common_name(str(alternatives[0].value)), alternatives)
    return Names(_subject(subject), alternatives)


def now() -> datetime.datetime:
    """This second, as certificates tell time."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def signing_request(key: PrivateKey, names: Names) -> str:
    """A PKCS#10 request in PEM."""
    _check_possible(key)
    builder = _extended(x509.CertificateSigningRequestBuilder().subject_name(names.subject), key, names)
    return builder.sign(key, _hash(key)).public_bytes(Encoding.PEM).decode()


def self_signed(key: PrivateKey, names: Names, days: int, now: datetime.datetime) -> str:
    """A certificate in PEM that the key signs for itself, valid for `days` from `now` (with a time zone)."""
    if not 1 <= days <= _DAYS_LIMIT:
        raise UsageError(f"a certificate for {days} days, where 1 to {_DAYS_LIMIT} are possible")
    _check_possible(key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(names.subject)
        .issuer_name(names.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = _extended(builder, key, names).add_extension(identifier, critical=False)
    return builder.sign(key, _hash(key)).public_bytes(Encoding.PEM).decode()


def _check_possible(key: PrivateKey) -> None:
    if mldsa.is_private(key):
        mldsa.require_certificates()


def _extended(builder: _Builder, key: PrivateKey, names: Names) -> _Builder:
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(key), critical=True)
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = builder.add_extension(server, critical=False)
    if names.alternatives:
        # RFC 5280, section 4.2.1.6: critical where the subject is empty.
        alternatives = x509.SubjectAlternativeName(names.alternatives)
        builder = builder.add_extension(alternatives, critical=not list(names.subject))
    return builder


def _usage(key: PrivateKey) -> x509.KeyUsage:
    """RFC 5480 and 8410: only an RSA key can encipher another key (TLS 1.2's RSA key exchange)."""
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=isinstance(key, rsa.RSAPrivateKey),
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """As strong as the key: RFC 5480, section 4; Ed25519 and ML-DSA have their own."""
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return None
    if isinstance(key, rsa.RSAPrivateKey) or key.key_size <= 256:
        return hashes.SHA256()
    return hashes.SHA384() if key.key_size <= 384 else hashes.SHA512()


def _subject(text: str) -> x509.Name:
    try:
        return x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        why = str(error) or "it is not written as RFC 4514 wants it"
        hint = "write it like CN=mail.example.org,O=Example"
        raise UsageError(f"{text!r} is no subject: {why[:1].lower()}{why[1:]}", hint=hint) from None


def _common_name(value: str) -> x509.Name:
    """A name too long for a CN stands in the alternative names only."""
    if len(value) > _COMMON_NAME_LIMIT:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value)])


def _dns_name(name: str) -> x509.DNSName:
    labels = name.removeprefix("*.").rstrip(".").split(".")
    fits = name.isascii() and len(name) <= 253 and all(0 < len(label) <= 63 for label in labels)
    if not fits or not all(c.isalnum() or c in "-_." for label in labels for c in label):
        hint = None if name.isascii() else "write it in its xn-- form"
        raise UsageError(f"{name!r} is no DNS name", hint=hint)
    return x509.DNSName(name)


def _ip_address(text: str) -> x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        raise UsageError(f"{text!r} is no IP address") from None
