"""What the messages of a TLS handshake tell: scheme, group, chain and requests (RFC 5246, 8422, 8446).

Pure: whole decrypted handshake messages go in, header included. A message that ends too early or too late
tells nothing, as if it had not been sent: whether it is legal is OpenSSL's judgement, not this module's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field, replace

from kit.core.frozen import frozen
from kit.tls.cells import Version

SERVER_HELLO, CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY = 2, 11, 12, 13, 15
_KEY_SHARE = 51
_NAMED_CURVE = 3
# RFC 8446, section 4.1.3: a ServerHello with this random is a HelloRetryRequest.
_RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

SCHEMES = {
    0x0201: "rsa_pkcs1_sha1",
    0x0203: "ecdsa_sha1",
    0x0401: "rsa_pkcs1_sha256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x0904: "mldsa44",
    0x0905: "mldsa65",
    0x0906: "mldsa87",
}
GROUPS = {
    23: "secp256r1",
    24: "secp384r1",
    25: "secp521r1",
    29: "x25519",
    30: "x448",
    256: "ffdhe2048",
    257: "ffdhe3072",
    258: "ffdhe4096",
    4587: "SecP256r1MLKEM768",
    4588: "X25519MLKEM768",
    4589: "SecP384r1MLKEM1024",
}


@frozen
class Facts:
    """What the server's messages told so far; `chain` is DER, exactly as sent."""

    scheme: str = ""
    group: str = ""
    signed: bool = False
    hello_retry_request: bool = False
    client_certificate_requested: bool = False
    chain: tuple[bytes, ...] = field(default=(), repr=False)


class _TooShort(Exception):
    """The message ends before the field does."""


class _Body:
    """Walks through a message (the "opaque" vectors of RFC 8446, section 3.4)."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise _TooShort
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int) -> bytes:
        return self.take(self.number(length_size))


def read(messages: Iterable[bytes], version: Version) -> Facts:
    """The facts that the server's messages tell, in the order in which they came."""
    facts = Facts()
    for message in messages:
        try:
            facts = _learn(facts, message[0], _Body(message[4:]), version)
        except (_TooShort, IndexError):
            continue
    return facts


def _learn(facts: Facts, kind: int, body: _Body, version: Version) -> Facts:
    if kind == SERVER_HELLO:
        retry, group = _server_hello(body)
        return replace(
            facts, group=group or facts.group, hello_retry_request=facts.hello_retry_request or retry
        )
    if kind == CERTIFICATE:
        return replace(facts, chain=tuple(_certificates(body, version)))
    if kind == SERVER_KEY_EXCHANGE:
        group, scheme = _server_key_exchange(body)
        return replace(facts, group=group, scheme=scheme, signed=True)
    if kind == CERTIFICATE_VERIFY:
        return replace(facts, scheme=_name(SCHEMES, body.number(2)), signed=True)
    if kind == CERTIFICATE_REQUEST:
        return replace(facts, client_certificate_requested=True)
    return facts


def _server_hello(body: _Body) -> tuple[bool, str]:
    """Is it a HelloRetryRequest, and which group does its key_share name?"""
    body.take(2)
    retry = body.take(32) == _RETRY_RANDOM
    body.vector(1)
    body.take(3)
    extensions = _Body(body.vector(2) if body.left else b"")
    while extensions.left:
        kind, content = extensions.number(2), _Body(extensions.vector(2))
        if kind == _KEY_SHARE:
            return retry, _name(GROUPS, content.number(2))
    return retry, ""


def _certificates(body: _Body, version: Version) -> Iterator[bytes]:
    if version is Version.TLS_1_3:
        body.vector(1)  # certificate_request_context
    entries = _Body(body.vector(3))
    while entries.left:
        yield entries.vector(3)
        if version is Version.TLS_1_3:
            entries.vector(2)


def _server_key_exchange(body: _Body) -> tuple[str, str]:
    """Group and scheme of an ECDHE (RFC 8422, section 5.4) or DHE (RFC 5246, section 7.4.3) exchange.

    Which of the two it is stands in the cipher suite; the exact length tells as much: the first byte of a DHE
    prime's length is 3 only for 6144 bits and more, and then the rest does not fit an ECDHE exchange.
    """
    data = body.take(body.left)
    try:
        return _ecdhe(_Body(data))
    except _TooShort:
        return _dhe(_Body(data))


def _ecdhe(body: _Body) -> tuple[str, str]:
    if body.number(1) != _NAMED_CURVE:
        raise _TooShort
    group = _name(GROUPS, body.number(2))
    body.vector(1)
    return group, _signature(body)


def _dhe(body: _Body) -> tuple[str, str]:
    prime = body.vector(2)
    body.vector(2)
    body.vector(2)
    return f"dhe{len(prime) * 8}", _signature(body)


def _signature(body: _Body) -> str:
    scheme = _name(SCHEMES, body.number(2))
    body.vector(2)
    if body.left:
        raise _TooShort
    return scheme


def _name(names: dict[int, str], code: int) -> str:
    return names.get(code, f"0x{code:04x}")
