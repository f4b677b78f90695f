"""ML-DSA (FIPS 204): how much of it the installed `cryptography` has, and the forms of its private keys.

`cryptography` has such keys from 48 on and certificates of them from 49 on, where it is linked with OpenSSL
3.5 or newer, as the one from PyPI is. Kit runs with older ones too, and then says what it lacks.

It reads a private key as its seed alone; OpenSSL 3.5 writes the seed and the expanded key beside it, unless
it is told otherwise ("both" in RFC 9881, section 6). `from_pkcs8` takes the seed from the caller's buffer.
"""

from __future__ import annotations

import hashlib
import importlib
from typing import TYPE_CHECKING, Any, TypeGuard

import cryptography

from kit.agent.schemes import ML_DSA, KeyType
from kit.core.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mldsa import (
        MLDSA44PrivateKey,
        MLDSA44PublicKey,
        MLDSA65PrivateKey,
        MLDSA65PublicKey,
        MLDSA87PrivateKey,
        MLDSA87PublicKey,
    )

    PublicKeyObject = MLDSA44PublicKey | MLDSA65PublicKey | MLDSA87PublicKey
    PrivateKeyObject = MLDSA44PrivateKey | MLDSA65PrivateKey | MLDSA87PrivateKey

# RFC 9881, section 2: the whole AlgorithmIdentifier, which has no parameters.
ALGORITHMS: dict[bytes, KeyType] = {
    bytes.fromhex("300b06096086480165030403") + bytes([last]): key_type
    for last, key_type in zip((0x11, 0x12, 0x13), ML_DSA, strict=True)
}
_ALGORITHM_SIZE = 13
# FIPS 204, table 2.
_EXPANDED_SIZES = dict(zip(ML_DSA, (2560, 4032, 4896), strict=True))
_SEED = 32
_WITH_CERTIFICATES = 49


def _classes(half: str) -> dict[KeyType, type]:
    try:
        module = importlib.import_module("cryptography.hazmat.primitives.asymmetric.mldsa")
    except ImportError:
        return {}
    return {key_type: getattr(module, f"{key_type.replace('-', '')}{half}") for key_type in ML_DSA}


PRIVATE, PUBLIC = _classes("PrivateKey"), _classes("PublicKey")


def is_available() -> bool:
    """Can this `cryptography` sign with ML-DSA?"""
    from cryptography.hazmat.backends.openssl import backend

    return bool(PRIVATE) and backend.mldsa_supported()


def require() -> None:
    """Raise Unavailable where it cannot."""
    if not is_available():
        raise Unavailable(
            f"cryptography {cryptography.__version__} has no ML-DSA here: it takes 48 or newer, "
            "linked with OpenSSL 3.5 or newer",
            hint="the one from PyPI is",
        )


def require_certificates() -> None:
    """Raise Unavailable where this `cryptography` makes no certificates with ML-DSA."""
    if int(cryptography.__version__.partition(".")[0]) < _WITH_CERTIFICATES:
        raise Unavailable(
            f"cryptography {cryptography.__version__} makes no requests and certificates with ML-DSA: "
            f"it takes {_WITH_CERTIFICATES} or newer"
        )


def is_private(key: object) -> TypeGuard[PrivateKeyObject]:
    return isinstance(key, tuple(PRIVATE.values()))


def is_public(key: object) -> TypeGuard[PublicKeyObject]:
    return isinstance(key, tuple(PUBLIC.values()))


def type_of(public: PublicKeyObject) -> KeyType:
    return next(key_type for key_type, kind in PUBLIC.items() if isinstance(public, kind))


def spki_type(spki: bytes) -> KeyType | None:
    """Is it the SubjectPublicKeyInfo of such a key?"""
    return ALGORITHMS.get(spki[4 : 4 + _ALGORITHM_SIZE])


def pkcs8_type(der: memoryview) -> KeyType | None:
    """Is it such a private key? Nothing secret is copied."""
    header = 4 if len(der) > 1 and der[1] & 0x80 else 2
    algorithm = header + 3  # behind the version
    return ALGORITHMS.get(bytes(der[algorithm : algorithm + _ALGORITHM_SIZE]))


def from_pkcs8(key_type: KeyType, der: memoryview) -> PrivateKeyObject:
    """The key of this type; raises UsageError for one that cannot be held, and Unavailable where another
    `cryptography` is needed.
    """
    require()
    form = next((form for form in _FORMS[key_type] if _has_form(der, form)), None)
    if form is None:
        raise UsageError("an ML-DSA key in a form without its seed, and the agent holds seeds")
    head, tail, expanded = form
    seed_end = len(head) + _SEED
    private: Any = PRIVATE[key_type]
    key: PrivateKeyObject = private.from_seed_bytes(der[len(head) : seed_end])
    if expanded and not _is_expanded(der[seed_end + len(tail) :], key.public_key().public_bytes_raw()):
        raise UsageError("an ML-DSA key whose expanded form is not its seed's")
    return key


# What stands before the seed, what between it and the expanded key, and how long that is.
_Form = tuple[bytes, bytes, int]


def _has_form(der: memoryview, form: _Form) -> bool:
    head, tail, expanded = form
    seed_end = len(head) + _SEED
    return (
        len(der) == seed_end + len(tail) + expanded
        and der[: len(head)] == head
        and der[seed_end : seed_end + len(tail)] == tail
    )


def _is_expanded(expanded: memoryview, public: bytes) -> bool:
    """FIPS 204, algorithm 24: rho, K, then the hash of the public key, which begins with rho.

    The rest is not compared, as it is not used: all is made of the seed again.
    """
    return expanded[:32] == public[:32] and expanded[64:128] == hashlib.shake_256(public).digest(64)


def _forms(algorithm: bytes, key_type: KeyType) -> tuple[_Form, ...]:
    """PKCS#8 as RFC 9881, section 6, has it (the seed, or both), and the bare seed that OpenSSL can write."""
    size = _EXPANDED_SIZES[key_type]
    tail = b"\x04\x82" + size.to_bytes(2, "big")
    both = _long(0x30, 2 + _SEED + len(tail) + size) + b"\x04\x20"
    inner = _long(0x04, len(both) + _SEED + len(tail) + size) + both
    version = b"\x02\x01\x00"
    rest = len(version) + len(algorithm) + len(inner) + _SEED + len(tail) + size
    return (
        (b"\x30\x34" + version + algorithm + b"\x04\x22\x80\x20", b"", 0),
        (b"\x30\x32" + version + algorithm + b"\x04\x20", b"", 0),
        (_long(0x30, rest) + version + algorithm + inner, tail, size),
    )


def _long(tag: int, length: int) -> bytes:
    """A DER header with a length of two bytes."""
    return bytes([tag, 0x82]) + length.to_bytes(2, "big")


_FORMS: dict[KeyType, tuple[_Form, ...]] = {
    key_type: _forms(algorithm, key_type) for algorithm, key_type in ALGORITHMS.items()
}
