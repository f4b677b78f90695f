"""Keys, and good contents of each kind for them, made by real builders where there are any."""

from __future__ import annotations

import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.x509.oid import NameOID

from kit.agent.encoding import string
from kit.agent.public import PublicKey, describe

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)
# Those that SSH and TLS 1.2 know, and those that neither does.
CLASSICAL = ("rsa-2048", "p-256", "p-384", "p-521", "ed25519")
ML_DSA = {
    "ml-dsa-44": mldsa.MLDSA44PrivateKey,
    "ml-dsa-65": mldsa.MLDSA65PrivateKey,
    "ml-dsa-87": mldsa.MLDSA87PrivateKey,
}
KINDS = (*CLASSICAL, *ML_DSA)
_CURVES = {"p-256": ec.SECP256R1(), "p-384": ec.SECP384R1(), "p-521": ec.SECP521R1()}
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HASHES = {"rsa-2048": hashes.SHA256(), "p-256": hashes.SHA256(), "p-384": hashes.SHA384()}
SSH_ALGORITHMS = {"rsa-2048": "rsa-sha2-256", "ed25519": "ssh-ed25519"}
CA = x509.BasicConstraints(ca=True, path_length=None)
LEAF = x509.BasicConstraints(ca=False, path_length=None)
TLS_1_3_HEAD = b" " * 64 + b"TLS 1.3, server CertificateVerify\x00"
# What each named curve's point looks like in a ServerKeyExchange.
POINTS = {
    "secp256r1": b"\x03\x00\x17\x41\x04" + b"p" * 64,
    "secp384r1": b"\x03\x00\x18\x61\x04" + b"p" * 96,
    "secp521r1": b"\x03\x00\x19\x85\x04" + b"p" * 132,
    "x25519": b"\x03\x00\x1d\x20" + b"p" * 32,
    "x448": b"\x03\x00\x1e\x38" + b"p" * 56,
}


@cache
def _make(kind: str, which: int) -> PrivateKey:
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    if kind in ML_DSA:
        return ML_DSA[kind].generate()
    return (
        ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(_CURVES[kind])
    )


def private_key(kind: str, which: int = 0) -> PrivateKey:
    """The tests' key of a kind; `which` tells several apart."""
    return _make(kind, which)


def public_key(kind: str, which: int = 0) -> PublicKey:
    """Its public side."""
    return describe(private_key(kind, which).public_key())


def hash_of(kind: str) -> hashes.HashAlgorithm | None:
    return None if kind in ("ed25519", *ML_DSA) else HASHES.get(kind, hashes.SHA512())


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(
    kind: str,
    *extensions: x509.ExtensionType,
    issuer: str = "mail.example",
    signer: PrivateKey | None = None,
    **sign_options: object,
) -> x509.Certificate:
    """A certificate of this key for mail.example."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("mail.example"))
        .issuer_name(name(issuer))
        .public_key(private_key(kind).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=4000))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(signer or private_key(kind), hash_of(kind), **sign_options)  # type: ignore[arg-type]


def request(kind: str, *extensions: x509.ExtensionType) -> bytes:
    """A CertificationRequestInfo of this key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name("mail.example"))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(private_key(kind), hash_of(kind)).tbs_certrequest_bytes


def usage(*, certificates: bool = False, lists: bool = False) -> x509.KeyUsage:
    """KeyUsage of a server, with the bits of an issuer if wanted."""
    return x509.KeyUsage(True, False, False, False, False, certificates, lists, False, False)


def ssh_algorithm(kind: str) -> str:
    return SSH_ALGORITHMS.get(kind, f"ecdsa-sha2-nistp{kind[2:]}")


def login(
    kind: str,
    *,
    session_id: bytes = b"s" * 32,
    number: int = 50,
    service: str = "ssh-connection",
    method: str = "publickey",
    signed: int = 1,
    algorithm: str = "",
    blob: bytes = b"",
    tail: bytes = b"",
) -> bytes:
    """What an SSH client signs to log in."""
    algorithm = algorithm or ssh_algorithm(kind)
    head = string(session_id) + bytes([number]) + string("alice") + string(service) + string(method)
    return head + bytes([signed]) + string(algorithm) + string(blob or public_key(kind).ssh_blob) + tail


def sshsig(
    namespace: str = "file", hash_name: str = "sha512", size: int = 64, reserved: bytes = b""
) -> bytes:
    """What ssh-keygen -Y sign lets an agent sign."""
    return b"SSHSIG" + string(namespace) + string(reserved) + string(hash_name) + string(b"d" * size)


def certificate_verify(side: str = "server", hash_size: int = 32) -> bytes:
    return TLS_1_3_HEAD.replace(b"server", side.encode()) + b"h" * hash_size


def key_exchange(curve: str = "x25519") -> bytes:
    return b"c" * 32 + b"r" * 32 + POINTS[curve]


def pss_block(
    key: rsa.RSAPrivateKey,
    content: bytes,
    algorithm: hashes.HashAlgorithm,
    *,
    mask: hashes.HashAlgorithm | None = None,
    salt: int | None = None,
) -> bytes:
    """The EMSA-PSS block that a signature is made of: the public operation gives it back."""
    pss = padding.PSS(padding.MGF1(mask or algorithm), algorithm.digest_size if salt is None else salt)
    numbers = key.public_key().public_numbers()
    made = int.from_bytes(key.sign(content, pss, algorithm), "big")
    return pow(made, numbers.e, numbers.n).to_bytes((key.key_size + 7) // 8, "big")


@cache
def good_contents(kind: str) -> dict[str, bytes]:
    """A name for each, and the content; all but the transcript, which takes a handshake."""
    contents = {
        "TLS 1.3 server": certificate_verify(),
        "TLS 1.3 client": certificate_verify("client", 48),
        "request": request(kind, x509.SubjectAlternativeName([x509.DNSName("mail.example")])),
        "leaf": certificate(kind, LEAF, usage()).tbs_certificate_bytes,
        "issued": certificate(kind, CA, issuer="Some CA").tbs_certificate_bytes,
    }
    if kind in CLASSICAL:
        contents |= {"TLS 1.2 server": key_exchange(), "login": login(kind), "SSHSIG": sshsig()}
    return contents
