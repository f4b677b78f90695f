"""TLS 1.2 ServerKeyExchange contents, made by hand, that are good for something else as well.

Each attack takes the key that would sign and gives the content with the other thing that it is. All are for
Ed25519, whose small keys and signatures leave the attacker the most room.
"""

from __future__ import annotations

from collections.abc import Callable

from kit.agent.content import Kind
from kit.agent.encoding import string
from kit.agent.public import PublicKey
from tests.agent.samples import POINTS

Attack = Callable[[PublicKey], tuple[bytes, Kind]]

_P256, _P521 = POINTS["secp256r1"], POINTS["secp521r1"]
_ED25519 = bytes.fromhex("300506032b6570")
_TIMES = b"\x17\x0d260101000000Z"
_VALIDITY = b"\x30\x1e" + _TIMES + _TIMES
_MALLORY = b"\x30\x2a" + _ED25519 + b"\x03\x21\x00" + b"m" * 32


def _fill(head: bytes, tail: bytes, parameters: bytes) -> bytes:
    """Bytes between head and tail that put the key exchange's parameters in their place."""
    size = 64 + len(parameters)
    free = size - len(head) - len(tail)
    content = bytearray(head + b"f" * free + tail)
    assert len(head) <= 64
    assert len(tail) <= len(parameters) - 5
    fixed = 4 + (parameters[4] == 4)  # of x25519 not the point's first byte
    content[64 : 64 + fixed] = parameters[:fixed]
    return bytes(content)


def ssh_login(key: PublicKey) -> tuple[bytes, Kind]:
    """A login: the fixed bytes fall into the user's name. It is no UTF-8, which a server need not mind."""
    tail = (
        string("ssh-connection")
        + string("publickey")
        + b"\x01"
        + string("ssh-ed25519")
        + string(key.ssh_blob)
    )
    head = string(b"s" * 16) + b"\x32"
    size = 64 + len(_P521) - len(head) - 4 - len(tail)
    return _fill(head + size.to_bytes(4, "big"), tail, _P521), Kind.SSH_LIKE


def ssh_signature(_key: PublicKey) -> tuple[bytes, Kind]:
    """A signature of a file: the fixed bytes fall into the reserved field."""
    tail = string("sha512") + string(b"d" * 64)
    head = b"SSHSIG" + string("file")
    size = 64 + len(_P521) - len(head) - 4 - len(tail)
    return _fill(head + size.to_bytes(4, "big"), tail, _P521), Kind.SSH_SIGNATURE


def ssh_certificate(_key: PublicKey) -> tuple[bytes, Kind]:
    """The start of a user certificate: the fixed bytes fall into its nonce."""
    head = string("ssh-ed25519-cert-v01@openssh.com") + (32).to_bytes(4, "big")
    return _fill(head, string(b"k" * 32), _P521), Kind.SSH_LIKE


def own_request(key: PublicKey) -> tuple[bytes, Kind]:
    """A certificate request for the key itself: the fixed bytes fall into the subject's name."""
    return _request(key.spki), Kind.REQUEST


def other_request(_key: PublicKey) -> tuple[bytes, Kind]:
    """The same for a key of the attacker's."""
    return _request(_MALLORY), Kind.OTHER_REQUEST


def _request(spki: bytes) -> bytes:
    head = bytes.fromhex("308182 020100 304f 314d 304b 0603550403 0c44")
    return _fill(head, spki + b"\xa0\x00", _P256)


def certificate(_key: PublicKey) -> tuple[bytes, Kind]:
    """A certificate for the attacker's key: the fixed bytes fall into the serial number."""
    head = bytes.fromhex("3081c6 a003020102 0268")
    return _fill(head, _ED25519 + b"\x30\x00" + _VALIDITY + b"\x30\x00" + _MALLORY, _P521), Kind.CERTIFICATE


def careless_certificate(_key: PublicKey) -> tuple[bytes, Kind]:
    """The same in BER that is not DER, which OpenSSL reads as well."""
    head = bytes.fromhex("308200c5 a003020102 0267")
    return _fill(head, _ED25519 + b"\x30\x00" + _VALIDITY + b"\x30\x00" + _MALLORY, _P521), Kind.ASN1_LIKE


def endless_certificate(_key: PublicKey) -> tuple[bytes, Kind]:
    """The same without a length."""
    head = bytes.fromhex("3080 a003020102 0267")
    tail = _ED25519 + b"\x30\x00" + _VALIDITY + b"\x30\x00" + _MALLORY + bytes(2)
    return _fill(head, tail, _P521), Kind.ASN1_LIKE


def signed_attributes(_key: PublicKey) -> tuple[bytes, Kind]:
    """The attributes that a CMS signature covers (RFC 5652, section 5.4), in an order of the attacker's."""
    content_type = bytes.fromhex("3018 06092a864886f70d010903 310b 06092a864886f70d010701")
    digest = bytes.fromhex("302f 06092a864886f70d010904 3122 0420") + b"d" * 32
    room = 64 + len(_P521) - 3 - len(content_type) - len(digest)
    filler = b"\x30\x81" + bytes([room - 3])
    return _fill(b"\x31\x81\xc6" + content_type + filler, digest, _P521), Kind.ASN1_LIKE


def ike_exchange(_key: PublicKey) -> tuple[bytes, Kind]:
    """A gateway's IKE_SA_INIT (RFC 7296) and what its AUTH adds: the fixed bytes end the nonce."""
    header = b"i" * 8 + b"r" * 8 + bytes.fromhex("28 20 22 20 00000000 00000095")
    nonce = bytes.fromhex("2100 0029")  # and 37 bytes
    proposal = bytes.fromhex(
        "00000024 01010003 0300000c 01000014 800e0080 03000008 02000005 00000008 0400001f"
    )
    security_association = bytes.fromhex("2200 0028") + proposal
    key_exchange = bytes.fromhex("0000 0028 001f 0000") + b"k" * 32
    initiators_nonce, hash_of_identity = b"n" * 20, b"h" * 32
    tail = security_association + key_exchange + initiators_nonce + hash_of_identity
    return _fill(header + nonce, tail, _P521), Kind.IKE_LIKE


def openpgp_signature(_key: PublicKey) -> tuple[bytes, Kind]:
    """A document's signature of version 4 (RFC 9580): the fixed bytes fall into the document."""
    hashed = bytes.fromhex("0400 16 08 0006 0502 69550000")
    trailer = hashed + b"\x04\xff" + len(hashed).to_bytes(4, "big")
    return _fill(b"I, the owner of this key, say: ", trailer, POINTS["x25519"]), Kind.OPENPGP_LIKE


ATTACKS: tuple[Attack, ...] = (
    ssh_login,
    ssh_signature,
    ssh_certificate,
    own_request,
    other_request,
    certificate,
    careless_certificate,
    endless_certificate,
    signed_attributes,
    ike_exchange,
    openpgp_signature,
)
