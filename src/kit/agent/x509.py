"""What stands to be signed in X.509: PKCS#10's CertificationRequestInfo and RFC 5280's TBSCertificate.

Both are read strictly, to the last byte. Nothing is judged here but form and one question, asked of the whole
certificate: could anybody take its subject for an issuer of certificates?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kit.agent import der
from kit.agent.der import BIT_STRING, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, Elements
from kit.agent.schemes import SCHEMES, KeyType, Scheme
from kit.core.errors import ProtocolError
from kit.core.frozen import frozen

# A certificate with 500 names takes half of it.
SIZE_LIMIT = 32 * 1024

_BASIC_CONSTRAINTS = bytes.fromhex("551d13")
_KEY_USAGE = bytes.fromhex("551d0f")
_NETSCAPE_CERT_TYPE = bytes.fromhex("6086480186f8420101")
_MAY_SIGN_CERTIFICATES, _MAY_SIGN_LISTS = 0x04, 0x02  # keyCertSign and cRLSign in KeyUsage's first octet
_NETSCAPE_CA = 0x07  # SSL CA, S/MIME CA, object signing CA: OpenSSL heeds them where no BasicConstraints are


@frozen
class CertificateRequest:
    """A CertificationRequestInfo (RFC 2986, section 4.1)."""

    spki: bytes


@frozen
class Certificate:
    """A TBSCertificate (RFC 5280, section 4.1); `version` is the number that people say: 1 to 3."""

    version: int
    algorithm: bytes
    issuer: bytes
    subject: bytes
    spki: bytes
    extensions: dict[bytes, bytes]

    @property
    def may_issue(self) -> bool:
        """Could a verifier take it for a CA's? What cannot be read for sure counts as yes."""
        if self.version < 3:
            return True  # before version 3 nothing says that it is none, and OpenSSL takes such a root
        usage = self.extensions.get(_KEY_USAGE)
        netscape = self.extensions.get(_NETSCAPE_CERT_TYPE)
        return (
            self.extensions.get(_BASIC_CONSTRAINTS, b"\x30\x00") != b"\x30\x00"
            or _has_bits(usage, _MAY_SIGN_CERTIFICATES | _MAY_SIGN_LISTS)
            or _has_bits(netscape, _NETSCAPE_CA)
        )


def _has_bits(value: bytes | None, mask: int) -> bool:
    if value is None:
        return False
    try:
        der.check(value)
        elements = Elements(value)
        bits = der.bit_string(elements.take(BIT_STRING).body)
        elements.end()
    except ProtocolError:
        return True
    return not bits or bool(bits[0] & mask)


def read_request(data: bytes) -> CertificateRequest:
    """Raises ProtocolError where `data` is not exactly one CertificationRequestInfo."""
    fields = _open(data)
    if der.integer(fields.take(INTEGER).body) != 0:
        raise ProtocolError("a certificate request of an unknown version")
    _read_name(fields)
    spki = _read_spki(fields)
    attributes = fields.inside(0xA0)
    fields.end()
    for attribute in _each(attributes, SEQUENCE, empty=True):
        attribute.take(OBJECT_IDENTIFIER)
        attribute.inside(SET).next()
        attribute.end()
    return CertificateRequest(spki)


def read_certificate(data: bytes) -> Certificate:
    """Raises ProtocolError where `data` is not exactly one TBSCertificate."""
    fields = _open(data)
    version = _read_version(fields)
    fields.take(INTEGER)
    algorithm = _read_algorithm(fields)
    issuer = _read_name(fields)
    _read_validity(fields.inside(SEQUENCE))
    subject = _read_name(fields)
    spki = _read_spki(fields)
    for tag in (0x81, 0x82):  # issuerUniqueID and subjectUniqueID
        unique_id = fields.optional(tag) if version > 1 else None
        if unique_id:
            der.bit_string(unique_id.body)
    extensions = fields.optional(0xA3) if version == 3 else None
    fields.end()
    known = _read_extensions(Elements(extensions.body)) if extensions else {}
    return Certificate(version, algorithm, issuer, subject, spki, known)


def certificate_spki(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo in a signed certificate; of the rest, only the order of fields is read."""
    fields = signed_fields(certificate)
    for tag in (SEQUENCE, SEQUENCE):
        fields.take(tag)
    return fields.take(SEQUENCE).whole


def signed_fields(certificate: bytes) -> Elements:
    """The TBSCertificate of a signed certificate, from the validity on (RFC 5280, section 4.1)."""
    fields = _to_be_signed(certificate)
    for tag in (INTEGER, SEQUENCE, SEQUENCE):
        fields.take(tag)
    return fields


@frozen
class CertificateNames:
    """Serial number (an INTEGER, whole), issuer and subject: by them certificates are looked for."""

    serial: bytes
    issuer: bytes
    subject: bytes


def certificate_names(certificate: bytes) -> CertificateNames:
    """Of a signed certificate; of the rest, only the order of fields is read."""
    fields = _to_be_signed(certificate)
    serial = fields.take(INTEGER).whole
    fields.take(SEQUENCE)
    issuer = fields.take(SEQUENCE).whole
    fields.take(SEQUENCE)
    return CertificateNames(serial, issuer, fields.take(SEQUENCE).whole)


def _to_be_signed(certificate: bytes) -> Elements:
    """The TBSCertificate of a signed certificate, from the serial number on."""
    outer = Elements(certificate)
    signed = outer.inside(SEQUENCE)
    outer.end()
    fields = signed.inside(SEQUENCE)
    signed.take(SEQUENCE)
    signed.take(BIT_STRING)
    signed.end()
    fields.optional(0xA0)
    return fields


def _open(data: bytes) -> Elements:
    if len(data) > SIZE_LIMIT:
        raise ProtocolError(f"an X.509 structure of {len(data)} bytes, where {SIZE_LIMIT} are allowed")
    der.check(data)
    outer = Elements(data)
    fields = outer.inside(SEQUENCE)
    outer.end()
    return fields


def _each(values: Elements, tag: int, *, empty: bool = False) -> Iterator[Elements]:
    if not values.left and not empty:
        raise ProtocolError("an empty list, where something is due")
    while values.left:
        yield values.inside(tag)


def _read_version(fields: Elements) -> int:
    explicit = fields.optional(0xA0)
    if explicit is None:
        return 1
    inside = Elements(explicit.body)
    version = der.integer(inside.take(INTEGER).body) + 1
    inside.end()
    if version not in (2, 3):  # DER leaves the default, version 1, out
        raise ProtocolError("a certificate of an unknown version")
    return version


def _read_algorithm(fields: Elements) -> bytes:
    algorithm = fields.take(SEQUENCE)
    inside = Elements(algorithm.body)
    inside.take(OBJECT_IDENTIFIER)
    if inside.left:
        inside.next()
    inside.end()
    return algorithm.whole


def _read_name(fields: Elements) -> bytes:
    name = fields.take(SEQUENCE)
    for relative_name in _each(Elements(name.body), SET, empty=True):
        for attribute in _each(relative_name, SEQUENCE):
            attribute.take(OBJECT_IDENTIFIER)
            attribute.next()
            attribute.end()
    return name.whole


def _read_validity(times: Elements) -> None:
    for _ in range(2):
        time = times.next()
        digits = {der.UTC_TIME: 12, der.GENERALIZED_TIME: 14}.get(time.tag, 0)
        if len(time.body) != digits + 1 or not time.body[:-1].isdigit() or time.body[-1:] != b"Z":
            raise ProtocolError("a time that is not as RFC 5280, section 4.1.2.5, wants it")
    times.end()


def _read_spki(fields: Elements) -> bytes:
    spki = fields.take(SEQUENCE)
    inside = Elements(spki.body)
    _read_algorithm(inside)
    inside.take(BIT_STRING)
    inside.end()
    return spki.whole


def _read_extensions(explicit: Elements) -> dict[bytes, bytes]:
    listed = explicit.inside(SEQUENCE)
    explicit.end()
    found: dict[bytes, bytes] = {}
    for extension in _each(listed, SEQUENCE):
        identifier = extension.take(OBJECT_IDENTIFIER).body
        critical = extension.optional(der.BOOLEAN)
        if identifier in found or (critical and not der.boolean(critical.body)):
            raise ProtocolError("an extension that stands twice, or says its default")
        found[identifier] = extension.take(OCTET_STRING).body
        extension.end()
    return found


# AlgorithmIdentifiers: RFC 4055 (RSA), RFC 5758 (ECDSA), RFC 8410 (Ed25519), RFC 9881 (ML-DSA).


def _sequence(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([SEQUENCE, len(body)]) + body


def _explicit(number: int, body: bytes) -> bytes:
    return bytes([0xA0 + number, len(body)]) + body


_NULL = b"\x05\x00"
_RSA, _SHA2 = bytes.fromhex("06092a864886f70d0101"), bytes.fromhex("06096086480165030402")
_ECDSA_SHA2, _SIGNATURES = bytes.fromhex("06082a8648ce3d0403"), bytes.fromhex("06096086480165030403")
_WITHOUT_HASH = {
    KeyType.ED25519: bytes.fromhex("06032b6570"),
    KeyType.ML_DSA_44: _SIGNATURES + b"\x11",
    KeyType.ML_DSA_65: _SIGNATURES + b"\x12",
    KeyType.ML_DSA_87: _SIGNATURES + b"\x13",
}
_HASHES = {"sha256": (0x0B, 2, 1, 32), "sha384": (0x0C, 3, 2, 48), "sha512": (0x0D, 4, 3, 64)}


def _algorithm_identifiers(scheme: Scheme) -> Iterable[bytes]:
    if not scheme.hash_name:
        return [_sequence(_WITHOUT_HASH[scheme.key_type])]
    rsa, ecdsa, sha2, salt = _HASHES[scheme.hash_name]
    if scheme.key_type is KeyType.EC:
        return [_sequence(_ECDSA_SHA2, bytes([ecdsa]))]
    if not scheme.pss:
        return [_sequence(_RSA, bytes([rsa]), _NULL)]
    # RFC 4055, section 2.1: a hash's parameters are NULL or absent, both are to be taken.
    hashes = (_sequence(_SHA2, bytes([sha2]), parameters) for parameters in (_NULL, b""))
    return [_sequence(_RSA, b"\x0a", _pss_parameters(hash_, salt)) for hash_ in hashes]


def _pss_parameters(hash_: bytes, salt: int) -> bytes:
    mask = _sequence(_RSA, b"\x08", hash_)
    return _sequence(_explicit(0, hash_), _explicit(1, mask), _explicit(2, bytes([INTEGER, 1, salt])))


# The scheme that makes what an AlgorithmIdentifier promises; in PSS the salt is as long as the hash.
ALGORITHMS: dict[bytes, Scheme] = {
    identifier: scheme for scheme in SCHEMES.values() for identifier in _algorithm_identifiers(scheme)
}
