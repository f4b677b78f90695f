"""Keys and signatures in SSH's form: a private key from an add message as DER, a signature as SSH's blob.

The draft gives ECDSA and Ed25519 keys as octets that are framed here as they are (SEC 1, PKCS#8). An RSA key
comes without dp and dq, which take arithmetic on secrets; a child process does it (`kit.agent.convert`).
"""

from __future__ import annotations

from kit.agent import der
from kit.agent.encoding import string
from kit.agent.public import PublicKey
from kit.agent.schemes import EC_KINDS, KeyType, Scheme
from kit.agent.wire import AddIdentity
from kit.core.errors import UsageError

_CURVE_OIDS = {
    "nistp256": bytes.fromhex("06082a8648ce3d030107"),
    "nistp384": bytes.fromhex("06052b81040022"),
    "nistp521": bytes.fromhex("06052b81040023"),
}
_CURVE_BYTES = {kind.ssh_curve: (kind.bits + 7) // 8 for kind in EC_KINDS.values()}
# RFC 8410, section 7: version 0, id-Ed25519, and the two headers around the seed of 32 bytes.
_ED25519_HEAD = bytes.fromhex("302e020100300506032b657004220420")
_SEED = 32


def enclose(request: AddIdentity) -> bytearray | None:
    """The private key as DER, for the caller to wipe; None for RSA, which takes a conversion."""
    parts = request.parts
    if request.key_type == "ssh-rsa":
        return None
    if request.key_type == "ssh-ed25519":
        if len(parts["k"]) != 2 * _SEED or parts["k"][_SEED:] != parts["pk"]:
            raise UsageError("an Ed25519 key whose halves do not fit")
        return _joined(_ED25519_HEAD, parts["k"][:_SEED])
    curve = bytes(parts["curve"]).decode(errors="replace")
    if curve not in _CURVE_OIDS or request.key_type != f"ecdsa-sha2-{curve}":
        raise UsageError(f"a key of type {request.key_type!r} on the curve {curve!r}")
    return _sec1(curve, parts["q"], parts["d"])


def named_public(request: AddIdentity) -> bytes:
    """The key blob (RFC 4253, section 6.6) that the message's public parts make."""
    parts = request.parts
    if request.key_type == "ssh-rsa":
        return string("ssh-rsa") + _unsigned(parts["e"]) + _unsigned(parts["n"])
    if request.key_type == "ssh-ed25519":
        return string("ssh-ed25519") + string(parts["pk"])
    return string(request.key_type) + string(parts["curve"]) + string(parts["q"])


def signature_blob(public: PublicKey, signature: bytes) -> bytes:
    """TLS's form of a signature as SSH's: ECDSA's DER becomes mpint r, mpint s (RFC 5656, section 3.1.2)."""
    if public.key_type is not KeyType.EC:
        return signature
    # DER's INTEGER and SSH's mpint are the same octets: two's complement in the shortest form. This
    # DER is the library's own: a SEQUENCE of two INTEGERs, its length in one byte, in two for P-521.
    first = 2 if signature[1] < 0x80 else 3
    second = first + 2 + signature[first + 1]
    return string(signature[first + 2 : second]) + string(signature[second + 2 :])


def signature_format(public: PublicKey, scheme: Scheme) -> str:
    """What SSH calls a signature of this key with this scheme."""
    if public.key_type is KeyType.RSA:
        return {"sha256": "rsa-sha2-256", "sha512": "rsa-sha2-512"}[scheme.hash_name]
    return EC_KINDS[public.curve].ssh_name if public.curve else "ssh-ed25519"


def _sec1(curve: str, point: memoryview, scalar: memoryview) -> bytearray:
    """RFC 5915's ECPrivateKey: version 1, the scalar in full width, the curve, the point."""
    size = _CURVE_BYTES[curve]
    if len(scalar) > size or len(point) != 2 * size + 1:
        raise UsageError(f"an ECDSA key of another size than {curve}")
    public = der.encoded(0xA1, der.encoded(0x03, b"\0", point))
    named = der.encoded(0xA0, _CURVE_OIDS[curve])
    head = b"\x02\x01\x01" + der.header(0x04, size) + bytes(size - len(scalar))
    body = (head, scalar, named, public)
    return _joined(der.header(0x30, sum(map(len, body))), *body)


def _joined(*parts: bytes | memoryview) -> bytearray:
    """The parts in one buffer that never moves: a growing one leaves copies behind.

    Filled through a view, since a bytearray copies what it is assigned.
    """
    out, at = bytearray(sum(map(len, parts))), 0
    with memoryview(out) as room:
        for part in parts:
            room[at : at + len(part)] = part
            at += len(part)
    return out


def _unsigned(magnitude: memoryview) -> bytes:
    """A public magnitude as an mpint."""
    return string(b"\0" + magnitude if magnitude[0] & 0x80 else magnitude)
