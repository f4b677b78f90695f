"""The certificates that `kit tls serve` shows: what stands in them, whom they are for, throw-away ones."""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cryptography
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kit.core.errors import Unavailable, UsageError
from kit.core.frozen import frozen
from kit.tls import libssl

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

    _PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | MLDSA65PrivateKey
_MAKES_ML_DSA_SINCE = 49
# RFC 9881, section 2.
_ML_DSA = {f"2.16.840.1.101.3.4.3.{last}": f"ml-dsa-{size}" for last, size in ((17, 44), (18, 65), (19, 87))}
_DAY = datetime.timedelta(days=1)


@frozen
class Pair:
    """A certificate file (the chain behind it, too) and the file of its key, or of a key's handle."""

    certificate: Path
    key: Path


@frozen
class Leaf:
    """The leaf of a certificate file: for which names it is, and what the log calls it."""

    der: bytes
    names: tuple[str, ...]
    kind: str

    @property
    def label(self) -> str:
        return f"{self.names[0] if self.names else 'nobody'}/{self.kind}"


def read(path: Path) -> Leaf:
    """The first certificate of a PEM file."""
    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except OSError as error:
        raise Unavailable(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{str(path)!r} holds no certificate in PEM") from error
    return Leaf(certificate.public_bytes(Encoding.DER), names_of(certificate), kind_of(certificate))


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names and addresses that it is for; without any, its common names (RFC 6125, section 6.4.4)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        extension = None
    if extension is None:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(name.value) for name in common)
    addresses = extension.get_values_for_type(x509.IPAddress)
    return (*extension.get_values_for_type(x509.DNSName), *map(str, addresses))


def kind_of(certificate: x509.Certificate) -> str:
    """The type of its key as `kit agent generate --type` writes it."""
    post_quantum = _ML_DSA.get(certificate.public_key_algorithm_oid.dotted_string)
    if post_quantum:
        return post_quantum  # which an older `cryptography` has no key for
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"p-{key.key_size}" if key.curve.name.startswith("secp") else key.curve.name
    return type(key).__name__.lower().strip("_").removesuffix("publickey")


def covers(pattern: str, name: str) -> bool:
    """Is a certificate for `pattern` one for the host `name`? (RFC 6125, section 6.4.3)

    A wildcard stands for exactly one label, the leftmost, and for the whole of it.
    """
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    first, _, rest = pattern.partition(".")
    if first != "*":
        return pattern == name
    label, _, name_rest = name.partition(".")
    return bool(label) and "." in rest and rest == name_rest


def throw_away(directory: Path, names: Sequence[str] = ("localhost", "127.0.0.1", "::1")) -> list[Pair]:
    """An RSA and a P-256 key made here, and one of ML-DSA where it can be served, each with a self-signed
    certificate; the caller removes the files.
    """
    keys: dict[str, _PrivateKey] = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "ecdsa": ec.generate_private_key(ec.SECP256R1()),
        **({"ml-dsa": _new_ml_dsa_key()} if can_make_ml_dsa() else {}),
    }
    pairs = []
    for name, key in keys.items():
        pair = Pair(directory / f"{name}.crt", directory / f"{name}.key")
        pair.certificate.write_bytes(_self_signed(key, names).public_bytes(Encoding.PEM))
        _write_private(pair.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        pairs.append(pair)
    return pairs


def can_make_ml_dsa() -> bool:
    """Can this Python serve ML-DSA (OpenSSL 3.5), and make a certificate for it (cryptography 49)?"""
    from cryptography.hazmat.backends.openssl import backend

    major = int(cryptography.__version__.partition(".")[0])
    return libssl.has_ml_dsa() and major >= _MAKES_ML_DSA_SINCE and backend.mldsa_supported()


def _new_ml_dsa_key() -> MLDSA65PrivateKey:
    from cryptography.hazmat.primitives.asymmetric import mldsa

    return mldsa.MLDSA65PrivateKey.generate()


def _self_signed(key: _PrivateKey, names: Sequence[str]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    hashed = isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 7 * _DAY)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256() if hashed else None)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
