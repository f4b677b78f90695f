"""What smtpd's dispatcher wants signed, as the agent is asked for it; and the answers.

A request is u64 id, the key's name (`s`, octets, NUL), the data (size_t, octets) and, for RSA, size_t of the
modulus and size_t padding. The answer: u64 id, int, and if that is positive the result (size_t, octets).
smtpd hashes itself, so only the form of what arrives can be looked at; the agent does that again.
"""

from __future__ import annotations

import struct

from kit.agent.schemes import BY_NAME, DIGEST_SIZES
from kit.agent.smtpd.imsg import Kind, Message
from kit.core.errors import NegativeAnswer, ProtocolError
from kit.core.frozen import frozen

_SIZE = struct.Struct("@N")
_ID, _RESULT = 8, struct.Struct("=i")
NAME_LIMIT = 255
# What an RSA key of the agent's largest size signs.
_DATA_LIMIT = 1024
# openssl/rsa.h
_PKCS1, _NONE = 1, 3
# RFC 8017, section 9.2, note 1: what stands before the digest in a DigestInfo.
_DIGEST_INFOS = {
    bytes.fromhex("3031300d060960864801650304020105000420"): "sha256",
    bytes.fromhex("3041300d060960864801650304020205000430"): "sha384",
    bytes.fromhex("3051300d060960864801650304020305000440"): "sha512",
}
_ECDSA = {
    DIGEST_SIZES[name]: BY_NAME[scheme].code
    for name, scheme in (
        ("sha256", "ecdsa_secp256r1_sha256"),
        ("sha384", "ecdsa_secp384r1_sha384"),
        ("sha512", "ecdsa_secp521r1_sha512"),
    )
}


@frozen
class Digest:
    """A digest, to be signed with this scheme."""

    scheme: int
    digest: bytes


@frozen
class Block:
    """A block that is encoded already, for the bare RSA operation."""

    block: bytes


@frozen
class Request:
    """What the dispatcher asks of one key; `padding` is RSA's, or 0."""

    kind: Kind
    ident: bytes
    key_name: str
    data: bytes
    padding: int

    def wanted(self) -> Digest | Block:
        """What that is for the agent; raises NegativeAnswer for what no key signs."""
        if self.kind is Kind.ECDSA_SIGN:
            if len(self.data) not in _ECDSA:
                raise NegativeAnswer(f"a digest of {len(self.data)} bytes, which TLS has no key sign")
            return Digest(_ECDSA[len(self.data)], self.data)
        if self.kind is Kind.RSA_PRIVDEC:
            raise NegativeAnswer("an RSA decryption, which is never made for smtpd")
        if self.padding == _NONE:
            return Block(self.data)
        if self.padding == _PKCS1:
            return _pkcs1(self.data)
        raise NegativeAnswer(f"an RSA signature with the padding {self.padding}, which TLS does not use")

    def answer(self, signature: bytes | None) -> bytes:
        """The body of the answer; None is a failure, which ends one handshake and nothing else."""
        if signature is None:
            return self.ident + _RESULT.pack(-1)
        # The size for RSA and a mere 1 for ECDSA, as OpenSSL's functions return them.
        result = 1 if self.kind is Kind.ECDSA_SIGN else len(signature)
        return self.ident + _RESULT.pack(result) + _SIZE.pack(len(signature)) + signature


def read_request(message: Message) -> Request:
    """Raises ProtocolError."""
    body = message.body
    end = body.find(b"\0", _ID + 1)
    if body[_ID : _ID + 1] != b"s" or not 0 <= end - _ID - 1 <= NAME_LIMIT:
        raise ProtocolError("a request of smtpd without the name of a key")
    name = body[_ID + 1 : end].decode("ascii", "backslashreplace")
    size, at = _size(body, end + 1)
    if size > _DATA_LIMIT or at + size > len(body):
        raise ProtocolError(f"a request of smtpd with {size} bytes of data")
    data, at, padding = body[at : at + size], at + size, 0
    if message.kind is not Kind.ECDSA_SIGN:
        _, at = _size(body, at)  # of the modulus, which the agent knows
        padding, at = _size(body, at)
    if at != len(body):
        raise ProtocolError("a request of smtpd with something behind it")
    return Request(message.kind, body[:_ID], name, data, padding)


def _size(body: bytes, at: int) -> tuple[int, int]:
    """A size_t, and where it ends."""
    end = at + _SIZE.size
    if end > len(body):
        raise ProtocolError("a request of smtpd that is cut short")
    return int(_SIZE.unpack_from(body, at)[0]), end


def _pkcs1(data: bytes) -> Digest:
    for head, name in _DIGEST_INFOS.items():
        if data.startswith(head) and len(data) == len(head) + DIGEST_SIZES[name]:
            return Digest(BY_NAME[f"rsa_pkcs1_{name}"].code, data[len(head) :])
    raise NegativeAnswer("an RSA signature of something that is no digest of SHA-256, SHA-384 or SHA-512")
