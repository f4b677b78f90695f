"""The TLS 1.2 handshake before a client's CertificateVerify, which that message signs (RFC 5246, 7.4.8).

Other protocols sign a hash or a few fields; this is the whole conversation. It is taken only as exactly the
messages that precede a CertificateVerify, in their order, each read to its last byte: a prefix would not do,
since nearly all of the bytes are chosen by the peer or by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kit.agent.encoding import Buffer, Reader
from kit.agent.x509 import certificate_spki
from kit.core.errors import ProtocolError

_TLS_1_2 = b"\x03\x03"
_SUPPORTED_VERSIONS = 43  # RFC 8446, section 4.2.1: in a ServerHello it means TLS 1.3
_CLIENT_HELLO, _SERVER_HELLO, _END = 1, 2, -1
# Real ones are far inside; together they bound the time that a hostile transcript takes.
_EXTENSIONS_LIMIT = 100  # IANA has 60
_CERTIFICATE_MIN = 64  # the shortest signature alone


def _vector(
    reader: Reader, width: int, *, least: int = 0, most: int = 1 << 24, multiple: int = 1
) -> memoryview:
    """A vector behind a length of `width` bytes (RFC 5246, section 4.3)."""
    size = int.from_bytes(reader.take(width), "big")
    if not least <= size <= most or size % multiple:
        raise ProtocolError(f"a vector of {size} bytes, where {least} to {most} are allowed")
    return reader.take(size)


def _read_extensions(reader: Reader) -> set[int]:
    """The types of the extensions, which may be left out altogether."""
    found: set[int] = set()
    if not reader.left:
        return found
    extensions = Reader(_vector(reader, 2))
    while extensions.left:
        number = int.from_bytes(extensions.take(2), "big")
        if number in found or len(found) == _EXTENSIONS_LIMIT:
            raise ProtocolError(f"extension {number} twice in one hello, or one too many")
        found.add(number)
        _vector(extensions, 2)
    return found


def _check_version(reader: Reader) -> None:
    if reader.take(2) != _TLS_1_2:
        raise ProtocolError("a hello of another version than TLS 1.2")


def _check_client_hello(reader: Reader) -> None:
    _check_version(reader)
    reader.take(32)
    _vector(reader, 1, most=32)
    _vector(reader, 2, least=2, multiple=2)
    _vector(reader, 1, least=1)
    _read_extensions(reader)
    reader.end()


def _check_server_hello(reader: Reader) -> None:
    _check_version(reader)
    reader.take(32)
    _vector(reader, 1, most=32)
    reader.take(2)
    if reader.byte() != 0:
        raise ProtocolError("a handshake with compression")
    if _SUPPORTED_VERSIONS in _read_extensions(reader):
        raise ProtocolError("a hello of another version than TLS 1.2")
    reader.end()


def _check_certificate(reader: Reader) -> None:
    certificates = Reader(_vector(reader, 3, least=1))
    reader.end()
    while certificates.left:
        _vector(certificates, 3, least=_CERTIFICATE_MIN)


def _check_certificate_status(reader: Reader) -> None:
    if reader.byte() not in (1, 2):  # ocsp (RFC 6066) and ocsp_multi (RFC 6961)
        raise ProtocolError("a certificate status of an unknown type")
    _vector(reader, 3, least=1)
    reader.end()


def _check_certificate_request(reader: Reader) -> None:
    _vector(reader, 1, least=1)
    _vector(reader, 2, least=2, multiple=2)
    authorities = Reader(_vector(reader, 2))
    reader.end()
    while authorities.left:
        _vector(authorities, 2, least=1)


def _check_client_key_exchange(reader: Reader) -> None:
    """An ECDH point behind one byte of length, or a DH value or RSA-encrypted secret behind two."""
    body = reader.take(max(3, reader.left))
    if len(body) not in (1 + body[0], 2 + int.from_bytes(body[:2], "big")):
        raise ProtocolError("a ClientKeyExchange of a wrong length")


def _check_some(reader: Reader) -> None:
    reader.take(max(1, reader.left))


class _Step(NamedTuple):
    name: str
    number: int
    required: bool
    check: Callable[[Reader], None]


_CLIENT_CERTIFICATE = "client Certificate"
# RFC 5246, section 7.3; CertificateStatus is RFC 6066's. HelloRequest is never part of a transcript.
_STEPS = (
    _Step("ClientHello", _CLIENT_HELLO, True, _check_client_hello),
    _Step("ServerHello", _SERVER_HELLO, True, _check_server_hello),
    _Step("server Certificate", 11, True, _check_certificate),
    _Step("CertificateStatus", 22, False, _check_certificate_status),
    _Step("ServerKeyExchange", 12, False, _check_some),
    _Step("CertificateRequest", 13, True, _check_certificate_request),
    _Step("ServerHelloDone", 14, True, Reader.end),
    _Step(_CLIENT_CERTIFICATE, 11, True, _check_certificate),
    _Step("ClientKeyExchange", 16, True, _check_client_key_exchange),
)


def read_client_spki(transcript: Buffer) -> bytes:
    """The public key of the client's certificate; raises ProtocolError unless this is all of a transcript."""
    reader, bodies = Reader(transcript), dict[str, memoryview]()
    number = reader.byte()
    for step in _STEPS:
        if number == step.number:
            body = bodies[step.name] = _vector(reader, 3)
            step.check(Reader(body))
            number = reader.byte() if reader.left else _END
        elif step.required:
            raise ProtocolError(f"a handshake message of type {number}, where the {step.name} is due")
    if number != _END:
        raise ProtocolError(f"a handshake message of type {number} after the last")
    chain = Reader(_vector(Reader(bodies[_CLIENT_CERTIFICATE]), 3))
    return certificate_spki(bytes(_vector(chain, 3)))


def resembles(data: bytes) -> bool:
    """Does it start with a message in the place of a ClientHello, and one in the place of a ServerHello?"""
    second = 4 + int.from_bytes(data[1:4], "big")
    return data[:1] == bytes([_CLIENT_HELLO]) and data[second : second + 1] == bytes([_SERVER_HELLO])
