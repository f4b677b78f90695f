"""A throw-away certificate authority: root, intermediate, and leaves with whatever fault a test needs."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | mldsa.MLDSA65PrivateKey
NAMES = ("localhost", "mail.test", "127.0.0.1", "::1")
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Leaf:
    """Files of one leaf: `chain` is leaf and intermediate, `bundle` has the key before them (Postfix)."""

    chain: Path
    key: Path
    bundle: Path
    certificate: x509.Certificate
    private: Key = field(repr=False)

    @property
    def pem(self) -> bytes:
        return self.chain.read_bytes()


class Authority:
    """Makes leaves below one root; files go to `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._root_key, self._middle_key = ec.generate_private_key(ec.SECP256R1()), make_key("ecdsa")
        self.root = self._authority("Test Root", self._root_key, "Test Root")
        self.middle = self._authority("Test Intermediate", self._middle_key, "Test Root")
        self.ca_file = directory / "ca.pem"
        self.ca_file.write_bytes(_pem(self.root))

    @cached_property
    def rsa(self) -> Leaf:
        return self.leaf("rsa", make_key("rsa"))

    @cached_property
    def ecdsa(self) -> Leaf:
        return self.leaf("ecdsa", make_key("ecdsa"))

    @cached_property
    def ml_dsa(self) -> Leaf:
        return self.leaf("ml-dsa", make_key("ml-dsa"))

    def leaf(
        self,
        name: str,
        key: Key,
        *,
        names: tuple[str, ...] = NAMES,
        days: int = 90,
        common_name: str = "localhost",
        self_signed: bool = False,
        with_middle: bool = True,
        usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,),
    ) -> Leaf:
        """A server certificate; a negative number of `days` makes one that has expired."""
        issuer = common_name if self_signed else "Test Intermediate"
        signer = key if self_signed else self._middle_key
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            _builder(common_name, key, issuer, now + min(days - 1, -1) * _DAY, now + days * _DAY)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_identifier(signer), critical=False)
            .sign(signer, None if isinstance(signer, mldsa.MLDSA65PrivateKey) else hashes.SHA256())
        )
        chain = [certificate, self.middle] if with_middle and not self_signed else [certificate]
        return self._write(name, certificate, chain, key)

    def _write(
        self, name: str, certificate: x509.Certificate, chain: list[x509.Certificate], key: Key
    ) -> Leaf:
        chain_pem, key_pem = b"".join(map(_pem, chain)), _key_pem(key)
        paths = [self._directory / f"{name}.{ending}" for ending in ("crt", "key", "pem")]
        for path, content in zip(paths, (chain_pem, key_pem, key_pem + chain_pem), strict=True):
            path.write_bytes(content)
            path.chmod(0o600)  # OpenSMTPD insists
        return Leaf(*paths, certificate, key)

    def _authority(self, name: str, key: Key, issuer: str) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            _builder(name, key, issuer, now - 365 * _DAY, now + 3650 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(_identifier(self._root_key), critical=False)
            .add_extension(usage, critical=True)
            .sign(self._root_key, hashes.SHA256())
        )


def make_key(kind: str) -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ml-dsa":
        return mldsa.MLDSA65PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def _builder(
    name: str, key: Key, issuer: str, start: datetime.datetime, end: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_common_name(name))
        .issuer_name(_common_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _identifier(key: Key) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
