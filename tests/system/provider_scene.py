"""What the provider's tests stand on: identities with a key file and a handle each, contexts, handshakes.

Imported by the programs too, which run in Pythons that have kit and nothing for tests.
"""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kit.agent.handle import Handle, encode

CLASSICAL = ("rsa-2048", "p-256", "p-384", "p-521", "ed25519")
# Where `ssl` runs on an OpenSSL that has it.
HAS_ML_DSA = ssl.OPENSSL_VERSION_INFO >= (3, 5)
ML_DSA = ("ml-dsa-44", "ml-dsa-65", "ml-dsa-87")
KINDS = (*CLASSICAL, *ML_DSA) if HAS_ML_DSA else CLASSICAL
# What the program `matrix` has signed with each: in two protocols, without a client certificate and with one;
# TLS 1.2 has no ML-DSA.
SIGNATURES = {kind: 3 if kind in ML_DSA else 6 for kind in KINDS}
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import mldsa

    PrivateKey = (
        rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | mldsa.MLDSA65PrivateKey
    )
_CURVES = {"p-256": ec.SECP256R1(), "p-384": ec.SECP384R1(), "p-521": ec.SECP521R1()}


@dataclass(frozen=True)
class Identity:
    """A self-signed certificate for localhost, its key as a file, and a handle to the same key."""

    directory: Path
    name: str

    @property
    def certificate(self) -> Path:
        return self.directory / f"{self.name}.crt"

    @property
    def key(self) -> Path:
        return self.directory / f"{self.name}.key"

    @property
    def handle(self) -> Path:
        return self.directory / f"{self.name}.pem"

    @property
    def versions(self) -> tuple[ssl.TLSVersion, ...]:
        """The protocols that know the key, when the identity is named after its kind."""
        return VERSIONS[1:] if self.name in ML_DSA else VERSIONS

    def private_key(self) -> PrivateKey:
        key: PrivateKey = serialization.load_pem_private_key(self.key.read_bytes(), None)  # type: ignore[assignment]
        return key

    def der(self) -> bytes:
        """The private key as the agent takes it."""
        return self.private_key().private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def spki(self) -> bytes:
        return (
            self.private_key()
            .public_key()
            .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        )


def generate(kind: str) -> PrivateKey:
    if kind == "rsa-2048":
        return rsa.generate_private_key(65537, 2048)
    if kind in ML_DSA:
        from cryptography.hazmat.primitives.asymmetric import mldsa

        make: Any = getattr(mldsa, f"{kind.replace('-', '').upper()}PrivateKey")
        made: PrivateKey = make.generate()
        return made
    return (
        ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(_CURVES[kind])
    )


def make_identity(directory: Path, name: str, kind: str, socket_path: str) -> Identity:
    """Write the three files; the agent at `socket_path` is yet to be given the key."""
    identity, key = Identity(directory, name), generate(kind)
    identity.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    identity.certificate.write_bytes(_self_signed(key).public_bytes(serialization.Encoding.PEM))
    identity.handle.write_text(encode(Handle(identity.spki(), name, socket_path)))
    return identity


def _self_signed(key: PrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    hashed = isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256() if hashed else None)
    )


def server_context(
    *identities: Identity, version: ssl.TLSVersion | None = None, local: bool = False
) -> ssl.SSLContext:
    """A server's context whose keys are handles, or (as a control) local files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for identity in identities:
        context.load_cert_chain(identity.certificate, identity.key if local else identity.handle)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def client_context(*trusted: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for identity in trusted:
        context.load_verify_locations(identity.certificate)
    return context


def ask_for_certificate(server: ssl.SSLContext, client: ssl.SSLContext, identity: Identity) -> None:
    """Let the client show `identity`, signed through its handle, and the server insist on it."""
    client.load_cert_chain(identity.certificate, identity.handle)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(identity.certificate)


class Pair:
    """A client and a server, joined in memory."""

    def __init__(
        self, server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> None:
        to_server, self.to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = server.wrap_bio(to_server, self.to_client, server_side=True)
        self.client = client.wrap_bio(self.to_client, to_server, server_hostname="localhost", session=session)

    def step(self, side: ssl.SSLObject) -> bool:
        """Is this side done?"""
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def handshake(self) -> Pair:
        for _ in range(5):
            done = [self.step(side) for side in (self.client, self.server)]
            if all(done):
                return self
        raise AssertionError("the handshake does not end")
