"""What is this content? Everything that some protocol could take it for, found from its bytes alone.

Two rules bind this room. A kind that a purpose may sign is read strictly, to the last byte. And because TLS
1.2 lets the peer and the caller choose 64 of the bytes that a server signs, what merely resembles the start
of something signed elsewhere is a kind of its own (`…_LIKE`), which no purpose covers: such content is
refused although it is a good ServerKeyExchange too.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from kit.agent import der, transcript, x509
from kit.agent.encoding import Reader
from kit.agent.public import PublicKey
from kit.agent.schemes import BY_NAME, EC_KINDS, ML_DSA, SCHEMES, SSH_EC_SCHEMES, SSH_RSA_FLAGS, KeyType
from kit.core.errors import ProtocolError


class Kind(Enum):
    """A kind of content, in the words of a refusal."""

    TLS_1_3_SERVER = "a TLS 1.3 server's CertificateVerify"
    TLS_1_3_CLIENT = "a TLS 1.3 client's CertificateVerify"
    TLS_1_2_SERVER = "a TLS 1.2 ServerKeyExchange"
    TLS_1_2_CLIENT = "a TLS 1.2 handshake with this client certificate"
    SSH_LOGIN = "an SSH login"
    SSH_SIGNATURE = "an SSH signature of a file"
    REQUEST = "a certificate request"
    SELF_SIGNED = "a self-signed certificate"
    CERTIFICATE = "a certificate"
    OTHER_REQUEST = "a certificate request for another key"
    ASN1_LIKE = "an ASN.1 structure that no purpose covers"
    SSH_LIKE = "an SSH structure that no purpose covers"
    HANDSHAKE_LIKE = "a TLS handshake that no purpose covers"
    IKE_LIKE = "an IKE exchange, which no purpose covers"
    OPENPGP_LIKE = "an OpenPGP signature, which no purpose covers"


class Reading(NamedTuple):
    """One thing that a content can be taken for, and the codes of the schemes that fit it."""

    kind: Kind
    schemes: frozenset[int]


def readings(key: PublicKey, content: bytes) -> tuple[Reading, ...]:
    """Everything that the content can be taken for, as a message of this key's owner."""
    family = _FAMILIES.get(content[0]) if content else None
    found = family(key, content) if family else None
    exchange = _server_key_exchange(key, content)
    if exchange is None:
        return (found,) if found else ()
    return tuple(reading for reading in (found, _like_others(content), exchange) if reading)


def open_end(content: bytes) -> int:
    """How many bytes at the end, a digest, say nothing of what the content is: with any others there, in a
    content of this length, `readings` gives the same.
    """
    if len(content) in _TLS_1_3_SIZES and content[:_TLS_1_3_HEAD] in _TLS_1_3:
        return len(content) - _TLS_1_3_HEAD
    if not content.startswith(_SSHSIG):
        return 0
    try:
        digest = _check_sshsig(Reader(content[len(_SSHSIG) :]))
    except ProtocolError:
        return 0
    # What could be a key exchange, too, is looked at to its last byte (`_like_others`).
    return 0 if len(content) in _EXCHANGE_SIZES else digest


_ALL = frozenset(SCHEMES)
_OF_TYPE = {
    key_type: frozenset(s.code for s in SCHEMES.values() if s.key_type is key_type) for key_type in KeyType
}
# TLS 1.2 has no ML-DSA (draft-ietf-tls-mldsa, section 3): such a key signs nothing of it, "any" or not.
_TLS_1_2_SCHEMES = {**_OF_TYPE, **dict.fromkeys(ML_DSA, frozenset[int]())}

# RFC 8446, section 4.4.3. The hash is the cipher suite's, whatever the scheme's is.
_TLS_1_3 = {
    b" " * 64 + context + bytes(1): kind
    for context, kind in (
        (b"TLS 1.3, server CertificateVerify", Kind.TLS_1_3_SERVER),
        (b"TLS 1.3, client CertificateVerify", Kind.TLS_1_3_CLIENT),
    )
}
_TLS_1_3_HEAD = 64 + 33 + 1
_TLS_1_3_SIZES = (_TLS_1_3_HEAD + 32, _TLS_1_3_HEAD + 48)


def _tls_1_3_schemes(key_type: KeyType, curve: str) -> frozenset[int]:
    """RFC 8446, section 4.2.3: an EC key has one scheme, an RSA key makes PSS only."""
    fit = (s for s in SCHEMES.values() if s.key_type is key_type and s.curve == curve)
    return frozenset(s.code for s in fit if s.pss or key_type is not KeyType.RSA)


_TLS_1_3_SCHEMES = {(s.key_type, s.curve): _tls_1_3_schemes(s.key_type, s.curve) for s in SCHEMES.values()}


def _certificate_verify(key: PublicKey, content: bytes) -> Reading | None:
    kind = _TLS_1_3.get(content[:_TLS_1_3_HEAD]) if len(content) in _TLS_1_3_SIZES else None
    return Reading(kind, _TLS_1_3_SCHEMES[key.key_type, key.curve]) if kind else None


# RFC 8422, section 5.4, after two randoms: named_curve, NamedCurve, the point's length and its first byte.
_POINTS = {
    bytes([3]) + curve.to_bytes(2, "big") + bytes([size]) + first: size
    for curve, size, first in (
        (23, 65, b"\x04"),  # secp256r1
        (24, 97, b"\x04"),  # secp384r1
        (25, 133, b"\x04"),  # secp521r1
        (29, 32, b""),  # x25519
        (30, 56, b""),  # x448
    )
}
_RANDOMS = 64
_EXCHANGE_SIZES = {_RANDOMS + 4 + size for size in _POINTS.values()}


def _server_key_exchange(key: PublicKey, content: bytes) -> Reading | None:
    head = _RANDOMS + 4
    size = _POINTS.get(content[_RANDOMS:head]) or _POINTS.get(content[_RANDOMS : head + 1])
    return (
        Reading(Kind.TLS_1_2_SERVER, _TLS_1_2_SCHEMES[key.key_type])
        if size and len(content) == head + size
        else None
    )


def _like_others(content: bytes) -> Reading | None:
    """What starts as it likes, and is told from random bytes by some in the middle or at the end."""
    # RFC 7296, section 2.15: IKE_SA_INIT's message of version 2.0, its length, then a nonce and a hash.
    if content[17:19] == b"\x20\x22" and int.from_bytes(content[24:28], "big") <= len(content):
        return Reading(Kind.IKE_LIKE, _ALL)
    # RFC 9580, section 5.2.4: any document, the signature's fields, a version, FF and the length of those.
    if content[-5] == 0xFF and content[-6] <= 6 and int.from_bytes(content[-4:], "big") <= len(content) - 6:
        return Reading(Kind.OPENPGP_LIKE, _ALL)
    return None


def _handshake(key: PublicKey, content: bytes) -> Reading | None:
    try:
        if transcript.read_client_spki(content) == key.spki:
            return Reading(Kind.TLS_1_2_CLIENT, _TLS_1_2_SCHEMES[key.key_type])
    except ProtocolError:
        pass
    return Reading(Kind.HANDSHAKE_LIKE, _ALL) if transcript.resembles(content) else None


def _x509(key: PublicKey, content: bytes) -> Reading | None:
    for read in (_request, _certificate):
        try:
            return read(key, content)
        except ProtocolError:
            continue
    return Reading(Kind.ASN1_LIKE, _ALL) if der.resembles(content) else None


def _request(key: PublicKey, content: bytes) -> Reading:
    own = x509.read_request(content).spki == key.spki
    return Reading(Kind.REQUEST if own else Kind.OTHER_REQUEST, _OF_TYPE[key.key_type])


def _certificate(key: PublicKey, content: bytes) -> Reading:
    certificate = x509.read_certificate(content)
    own = certificate.spki == key.spki and certificate.issuer == certificate.subject
    scheme = x509.ALGORITHMS.get(certificate.algorithm)
    kind = Kind.SELF_SIGNED if own and not certificate.may_issue else Kind.CERTIFICATE
    return Reading(kind, frozenset([scheme.code]) if scheme else frozenset())


_SSHSIG = b"SSHSIG"
_SSHSIG_DIGESTS = {"sha256": 32, "sha512": 64}
_USERAUTH_REQUEST = 50
_HOSTBOUND = "publickey-hostbound-v00@openssh.com"  # OpenSSH's PROTOCOL, section 3.1
_SSH_SCHEMES = {
    KeyType.RSA: dict(SSH_RSA_FLAGS.values()),
    KeyType.ED25519: {"ssh-ed25519": BY_NAME["ed25519"]},
}


def _ssh_algorithms(key: PublicKey) -> dict[str, int]:
    """The names under which this key signs for SSH, each with its scheme's code."""
    if key.key_type is KeyType.EC:
        return {EC_KINDS[key.curve].ssh_name: SSH_EC_SCHEMES[key.curve].code}
    table = _SSH_SCHEMES.get(key.key_type, {})
    return {name: scheme.code for name, scheme in table.items()}


def _ssh_login(key: PublicKey, content: bytes) -> Reading | None:
    try:
        scheme = _read_login(key, Reader(content))
    except ProtocolError:
        # Everything that SSH signs starts with a string (a login, a host's proof, a certificate) or "SSHSIG".
        fits = int.from_bytes(content[:4], "big") <= len(content) - 4
        return Reading(Kind.SSH_LIKE, _ALL) if fits else None
    return Reading(Kind.SSH_LOGIN, frozenset([scheme]))


def _read_login(key: PublicKey, reader: Reader) -> int:
    """RFC 4252, section 7: the code of the scheme that the signed data names."""
    session_id = reader.string()
    if not 16 <= len(session_id) <= 64 or reader.byte() != _USERAUTH_REQUEST:
        raise ProtocolError("no SSH_MSG_USERAUTH_REQUEST")
    reader.text()
    service, method, signed = reader.text(), reader.text(), reader.boolean()
    scheme = _ssh_algorithms(key).get(reader.text())
    blob = reader.string()
    host_key = reader.string() if method == _HOSTBOUND else b"none"
    reader.end()
    known = service == "ssh-connection" and method in ("publickey", _HOSTBOUND)
    if scheme is None or not (known and signed and host_key and blob == key.ssh_blob):
        raise ProtocolError("a login by another key, method or algorithm")
    return scheme


def _ssh_signature(key: PublicKey, content: bytes) -> Reading | None:
    if not content.startswith(_SSHSIG):
        return None
    try:
        _check_sshsig(Reader(content[len(_SSHSIG) :]))
    except ProtocolError:
        return Reading(Kind.SSH_LIKE, _ALL)
    return Reading(Kind.SSH_SIGNATURE, frozenset(_ssh_algorithms(key).values()))


def _check_sshsig(reader: Reader) -> int:
    """OpenSSH's PROTOCOL.sshsig, "Signed Data"; how long its digest is."""
    namespace, _reserved, hash_name = reader.string(), reader.string(), reader.text()
    digest = len(reader.string())
    if not namespace or digest != _SSHSIG_DIGESTS.get(hash_name):
        raise ProtocolError("an SSH signature without a namespace, or with a digest of a wrong length")
    reader.end()
    return digest


# By the first byte: of two families that share one, a content could be both.
_FAMILIES: dict[int, Callable[[PublicKey, bytes], Reading | None]] = {
    0x20: _certificate_verify,
    0x01: _handshake,
    der.SEQUENCE: _x509,
    der.SET: _x509,
    0x00: _ssh_login,
    _SSHSIG[0]: _ssh_signature,
}
