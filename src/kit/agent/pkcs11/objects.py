"""The token's objects: for each key a private key, a public key and, where it is known, a certificate.

RSA keys and those on P-256, P-384 and P-521 are shown. Ed25519 is not: p11-kit 0.24 does not carry EdDSA, and
no client that was tried looks for it. ML-DSA has mechanisms in PKCS#11 3.2 only, which p11-kit knows not.

CKA_ID is the same on all three objects and after any restart, by which clients find the key to a certificate
again: the SHA-1 of the SubjectPublicKeyInfo, for which a fixed value of 20 bytes is the custom. CKA_PRIVATE
is false on the private key, too, since clients ask their user for a PIN before they look for private objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from kit.agent import forms, x509
from kit.agent.encoding import Reader
from kit.agent.extension import KEYS_LIMIT
from kit.agent.pkcs11.attributes import Template, Value, write
from kit.agent.pkcs11.codes import UNAVAILABLE_INFORMATION, Attribute, ObjectClass
from kit.agent.pkcs11.mechanisms import MECHANISMS
from kit.agent.schemes import EC_KINDS, KeyType
from kit.core.errors import ProtocolError

_CKK_RSA, _CKK_EC = 0, 3
_CKC_X_509 = 0
# CKA_EC_PARAMS: the curve's OBJECT IDENTIFIER.
_CURVES = {
    "nistp256": bytes.fromhex("06082a8648ce3d030107"),
    "nistp384": bytes.fromhex("06052b81040022"),
    "nistp521": bytes.fromhex("06052b81040023"),
}
_POINT_SIZES = {kind.ssh_curve: 1 + 2 * ((kind.bits + 7) // 8) for kind in EC_KINDS.values()}
_SECRETS = {
    KeyType.RSA: frozenset(range(Attribute.PRIVATE_EXPONENT, Attribute.COEFFICIENT + 1)),
    KeyType.EC: frozenset({Attribute.VALUE}),
}

Values = Mapping[int, Value]


class Key(NamedTuple):
    """What signing takes to know of a key."""

    key_id: bytes
    key_type: KeyType
    signature_size: int  # of an ECDSA signature: r and s


class TokenObject(NamedTuple):
    """An object: which, of which key, what it tells, and what it has and keeps to itself."""

    object_class: ObjectClass
    key: Key
    values: Values
    secret: frozenset[int]

    def fits(self, template: Template) -> bool:
        """Has it all these values?"""
        values = self.values
        return all(kind in values and values[kind].wire == wanted for kind, wanted in template)


_Attributes = dict[Attribute, int | bytes | tuple[int, ...]]


# Each connection has a token of its own, and most have the same keys.
@lru_cache(maxsize=2 * KEYS_LIMIT)
def objects(
    name: str, kind: str, spki: bytes, ssh_blob: bytes, certificate: bytes
) -> tuple[TokenObject, ...]:
    """The objects of a key; none where it is of a type that is not shown."""
    described = _describe(kind, spki, ssh_blob)
    if described is None:
        return ()
    key, public = described
    names = _names(certificate)
    label = {Attribute.LABEL: name.encode(), Attribute.ID: hashlib.sha1(spki, usedforsecurity=False).digest()}
    shared: _Attributes = {**_STORAGE, **label, Attribute.PUBLIC_KEY_INFO: spki}
    subject: _Attributes = {Attribute.SUBJECT: names.subject if names else b""}
    keys = {**shared, **subject, **_KEY, **public, Attribute.ALLOWED_MECHANISMS: _allowed(key.key_type)}
    made = [
        _made(ObjectClass.PRIVATE_KEY, key, {**keys, **_PRIVATE_KEY}),
        _made(ObjectClass.PUBLIC_KEY, key, {**keys, **_PUBLIC_KEY, **_size(public)}),
    ]
    if names:
        certified = {**shared, **_CERTIFICATE, **_certificate(certificate, names)}
        made.append(_made(ObjectClass.CERTIFICATE, key, certified))
    return tuple(made)


def _made(object_class: ObjectClass, key: Key, attributes: _Attributes) -> TokenObject:
    attributes[Attribute.CLASS] = object_class
    values = {int(kind): write(kind, value) for kind, value in attributes.items()}
    private = object_class is ObjectClass.PRIVATE_KEY
    return TokenObject(object_class, key, values, _SECRETS[key.key_type] if private else frozenset())


def _describe(kind: str, spki: bytes, ssh_blob: bytes) -> tuple[Key, _Attributes] | None:
    key_id = forms.key_id(spki)
    if kind.startswith("rsa-"):
        reader = Reader(ssh_blob)
        reader.text()
        exponent, modulus = bytes(reader.mpint()), bytes(reader.mpint())
        rsa: _Attributes = {Attribute.KEY_TYPE: _CKK_RSA}
        rsa |= {Attribute.MODULUS: modulus, Attribute.PUBLIC_EXPONENT: exponent}
        return Key(key_id, KeyType.RSA, len(modulus)), rsa
    if not kind.startswith("p-"):
        return None
    reader = Reader(ssh_blob)
    reader.text()
    curve, point = reader.text(), bytes(reader.string())
    if curve not in _CURVES or len(point) != _POINT_SIZES[curve]:
        return None
    ec: _Attributes = {Attribute.KEY_TYPE: _CKK_EC}
    ec |= {Attribute.EC_PARAMS: _CURVES[curve], Attribute.EC_POINT: _octet_string(point)}
    return Key(key_id, KeyType.EC, len(point) - 1), ec


def _octet_string(point: bytes) -> bytes:
    """PKCS#11 2.40, section 2.3.3: CKA_EC_POINT is the DER of an OCTET STRING; of 133 bytes at most."""
    length = len(point)
    return (b"\x04" + bytes([length]) if length < 0x80 else bytes([0x04, 0x81, length])) + point


def _names(certificate: bytes) -> x509.CertificateNames | None:
    """None where there is no certificate, or one that cannot be read."""
    try:
        return x509.certificate_names(certificate) if certificate else None
    except ProtocolError:
        return None


def _allowed(key_type: KeyType) -> tuple[int, ...]:
    return tuple(mechanism for mechanism, of in MECHANISMS.items() if of is key_type)


def _size(public: _Attributes) -> _Attributes:
    modulus = public.get(Attribute.MODULUS)
    if not isinstance(modulus, bytes):
        return {}
    return {Attribute.MODULUS_BITS: int.from_bytes(modulus, "big").bit_length()}


def _certificate(certificate: bytes, names: x509.CertificateNames) -> _Attributes:
    return {
        Attribute.VALUE: certificate,
        Attribute.SUBJECT: names.subject,
        Attribute.ISSUER: names.issuer,
        Attribute.SERIAL_NUMBER: names.serial,
        Attribute.CHECK_VALUE: hashlib.sha1(certificate, usedforsecurity=False).digest()[:3],
    }


_STORAGE: _Attributes = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: False,
    Attribute.MODIFIABLE: False,
    Attribute.COPYABLE: False,
    Attribute.DESTROYABLE: False,
    Attribute.START_DATE: b"",
    Attribute.END_DATE: b"",
}
# Where a key was made and who had it before, the agent does not know.
_KEY: _Attributes = {
    Attribute.DERIVE: False,
    Attribute.LOCAL: False,
    Attribute.KEY_GEN_MECHANISM: UNAVAILABLE_INFORMATION,
}
_PRIVATE_KEY: _Attributes = {
    Attribute.SIGN: True,
    Attribute.SIGN_RECOVER: False,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.ALWAYS_SENSITIVE: False,
    Attribute.NEVER_EXTRACTABLE: False,
    Attribute.ALWAYS_AUTHENTICATE: False,
    Attribute.WRAP_WITH_TRUSTED: False,
}
# A client verifies by itself, with what the object tells.
_PUBLIC_KEY: _Attributes = {
    Attribute.VERIFY: True,
    Attribute.VERIFY_RECOVER: False,
    Attribute.ENCRYPT: False,
    Attribute.WRAP: False,
    Attribute.TRUSTED: False,
}
_CERTIFICATE: _Attributes = {
    Attribute.CERTIFICATE_TYPE: _CKC_X_509,
    Attribute.CERTIFICATE_CATEGORY: 0,
    Attribute.TRUSTED: False,
}
