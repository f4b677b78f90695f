"""The public side of a key: what anybody may know of it, in the forms that the protocols want."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from kit.agent import forms, mldsa
from kit.agent.encoding import mpint, string
from kit.agent.schemes import EC_KINDS, KINDS, RSA_BITS_MAX, RSA_BITS_MIN, KeyType
from kit.core.errors import UsageError
from kit.core.frozen import frozen

if TYPE_CHECKING:
    PublicKeyObject = (
        rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | mldsa.PublicKeyObject
    )


class UnsupportedKey(UsageError):
    """The key is of a type or size that kit's agent does not hold."""


@frozen
class PublicKey:
    """A public key. `spki` is the SubjectPublicKeyInfo in DER, `ssh_blob` RFC 4253's key blob.

    Without a blob it is none of SSH's: no SSH client hears of it. A key without a public half has neither,
    and a `name` instead.
    """

    key_type: KeyType
    bits: int
    curve: str
    spki: bytes
    ssh_blob: bytes
    name: str = ""

    @cached_property
    def key_id(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo, the name of the key on the wire (and in TLSA 3 1 1)."""
        return forms.id_of(self.spki, self.name)

    @property
    def kind(self) -> str:
        """As `generate --type` writes it: "rsa-2048", "p-256", "ed25519", "ml-dsa-65"; and "aes-256"."""
        if self.key_type is KeyType.AES:
            return f"aes-{self.bits}"
        if self.key_type is KeyType.RSA:
            return f"rsa-{self.bits}"
        return EC_KINDS[self.curve].name if self.curve else self.key_type.lower()

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it, where SSH has such a key."""
        return forms.fingerprint(self.ssh_blob, self.spki)


def symmetric(name: str) -> PublicKey:
    """What anybody may know of a symmetric key: its type and its name."""
    return PublicKey(KeyType.AES, 256, "", b"", b"", name)


def describe(key: object) -> PublicKey:
    """The public side of a `cryptography` public key; raises UnsupportedKey."""
    if isinstance(key, rsa.RSAPublicKey):
        if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            raise UnsupportedKey(
                f"an RSA key of {key.key_size} bits, where {RSA_BITS_MIN} to {RSA_BITS_MAX} are held"
            )
        numbers = key.public_numbers()
        blob = string("ssh-rsa") + mpint(numbers.e) + mpint(numbers.n)
        return PublicKey(KeyType.RSA, key.key_size, "", _spki(key), blob)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in EC_KINDS:
        kind = EC_KINDS[key.curve.name]
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        blob = string(kind.ssh_name) + string(kind.ssh_curve) + string(point)
        return PublicKey(KeyType.EC, kind.bits, kind.curve, _spki(key), blob)
    if isinstance(key, ed25519.Ed25519PublicKey):
        blob = string("ssh-ed25519") + string(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
        return PublicKey(KeyType.ED25519, 256, "", _spki(key), blob)
    if mldsa.is_public(key):
        key_type = mldsa.type_of(key)
        return PublicKey(key_type, KINDS[key_type.lower()].bits, "", _spki(key), b"")
    raise UnsupportedKey("a key that is neither RSA, ECDSA on P-256, P-384 or P-521, Ed25519 nor ML-DSA")


def load_spki(spki: bytes) -> PublicKeyObject:
    """The `cryptography` object of a SubjectPublicKeyInfo; raises UnsupportedKey, or Unavailable where
    another `cryptography` is needed.
    """
    if mldsa.spki_type(spki):
        mldsa.require()
    try:
        key = load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnsupportedKey("a public key that cannot be read") from error
    if mldsa.is_public(key) or isinstance(
        key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    ):
        return key
    raise UnsupportedKey("a public key of a type that kit does not know")


def _spki(key: PublicKeyObject) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
