"""The only room with private key objects: takes them in, makes them, signs and decrypts with them.

Rules of this file: what comes in as DER is read from the caller's buffer without a copy (the caller wipes
it); no private number is ever a Python int; every new key proves by a signature that its two halves fit.
Every operation may run in any thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from kit.agent import bare_rsa, mldsa
from kit.agent.bare_rsa import BareRSA
from kit.agent.policy import signs_blocks
from kit.agent.public import PublicKey, describe, symmetric
from kit.agent.queue.cipher import Opening, QueueKey, Sealing
from kit.agent.queue.format import KEY_BYTES, QUEUE
from kit.agent.schemes import BY_NAME, KINDS, ML_DSA, SCHEMES, SSH_EC_SCHEMES, KeyType, Scheme
from kit.core.errors import KitError, Unavailable, UsageError
from kit.core.frozen import frozen

if TYPE_CHECKING:
    PrivateKeyObject = (
        rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | mldsa.PrivateKeyObject
    )

_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
_CURVES: dict[str, ec.EllipticCurve] = {
    "secp256r1": ec.SECP256R1(),
    "secp384r1": ec.SECP384R1(),
    "secp521r1": ec.SECP521R1(),
}
_PUBLIC_EXPONENT = 65537
_PKCS1 = padding.PKCS1v15()
# An RSA key of 8192 bits has 4,680 bytes as PKCS#8, an ML-DSA-87 key with seed and expansion 4,962.
# Longer ones would only keep the key check busy.
_DER_LIMIT = 6 * 1024
_CHECK = b"kit agent: do both halves of this key fit?"


class BadKey(UsageError):
    """What was handed over is no private key that the agent can hold."""


class NoSuchKey(KitError):
    """The agent does not hold this key, or no longer."""


class OperationFailed(KitError):
    """The private operation itself failed."""


@frozen
class Candidate:
    """A key that has proved itself and is not held yet."""

    public: PublicKey
    private: PrivateKeyObject | QueueKey = field(repr=False)
    bare: BareRSA | None = field(default=None, repr=False)


@frozen
class _Held:
    """A key, and by a scheme's code how it signs a content or a digest, which takes a while to find out."""

    private: PrivateKeyObject | QueueKey = field(repr=False)
    bare: BareRSA | None = field(repr=False)
    signers: dict[int, Callable[[bytes], bytes]] = field(default_factory=dict, repr=False)
    digest_signers: dict[int, Callable[[bytes], bytes]] = field(default_factory=dict, repr=False)


class Keeper:
    """Private keys by the key_id of their public side."""

    def __init__(self) -> None:
        self._keys: dict[bytes, _Held] = {}

    def hold(self, candidate: Candidate) -> None:
        """Hold the key from now on."""
        old = self._keys.get(candidate.public.key_id)
        self._keys[candidate.public.key_id] = _Held(candidate.private, candidate.bare)
        _let_go(old)

    def holds(self, candidate: Candidate) -> bool:
        """Is this very key here? Of symmetric keys two may have one name, and so one key id."""
        held, private = self._keys.get(candidate.public.key_id), candidate.private
        if held and isinstance(held.private, QueueKey) and isinstance(private, QueueKey):
            return held.private.same(private)
        return held is not None

    def forget(self, key_id: bytes) -> None:
        """Let the key go; OpenSSL wipes its numbers when the last operation with it ends."""
        _let_go(self._keys.pop(key_id, None))

    def interrupt(self) -> None:
        """No file that is under way goes on."""
        for held in self._keys.values():
            if isinstance(held.private, QueueKey):
                held.private.interrupt()

    def seal(self, key_id: bytes) -> Sealing:
        """Begin to seal a queue file."""
        return Sealing(key_id, self._queue_key(key_id))

    def open(self, key_ids: Iterable[bytes], iv: bytes, *, wanted: bool) -> Opening:
        """Begin to open a queue file, or to check whose it is."""
        return Opening({key_id: self._queue_key(key_id) for key_id in key_ids}, iv, wanted=wanted)

    def sign(self, key_id: bytes, scheme: Scheme, content: bytes) -> bytes:
        """The signature in TLS's own form."""
        held = self._held(key_id)
        try:
            signer = held.signers.get(scheme.code)
            if signer is None:
                signer = held.signers[scheme.code] = _signer(held.private, scheme)
            return signer(content)
        except Exception as error:  # noqa: BLE001 - the library documents no list of them
            raise _failed("the signature failed", error) from None

    def sign_digest(self, key_id: bytes, scheme: Scheme, digest: bytes) -> bytes:
        """The signature over what has this digest, in TLS's own form."""
        held = self._held(key_id)
        try:
            signer = held.digest_signers.get(scheme.code)
            if signer is None:
                algorithm = utils.Prehashed(_HASHES[scheme.hash_name])
                signer = held.digest_signers[scheme.code] = _signer(held.private, scheme, algorithm)
            return signer(digest)
        except Exception as error:  # noqa: BLE001 - as above
            raise _failed("the signature failed", error) from None

    def sign_block(self, key_id: bytes, block: bytes) -> bytes:
        """The bare RSA operation; the caller knows what the block is."""
        bare = self._held(key_id).bare
        if bare is None:
            raise bare_rsa.unreachable()
        try:
            return bare.apply(block)
        except ValueError as error:
            raise _failed("the signature failed", error) from None

    def decrypt(self, key_id: bytes, ciphertext: bytes) -> bytes:
        """RSA PKCS#1 v1.5; a bad ciphertext of the right length decrypts to something, too."""
        key = self._held(key_id).private
        if not isinstance(key, rsa.RSAPrivateKey):
            raise OperationFailed("only an RSA key decrypts")
        try:
            return key.decrypt(ciphertext, _PKCS1)
        except Exception as error:  # noqa: BLE001 - as above
            raise _failed("the decryption failed", error) from None

    def _queue_key(self, key_id: bytes) -> QueueKey:
        key = self._held(key_id).private
        if not isinstance(key, QueueKey):
            raise OperationFailed("the key is not for queue files")
        return key

    def _held(self, key_id: bytes) -> _Held:
        try:
            return self._keys[key_id]
        except KeyError:
            raise NoSuchKey("the agent does not hold this key") from None


def _let_go(held: _Held | None) -> None:
    if held and isinstance(held.private, QueueKey):
        held.private.wipe()


def candidate(purposes: Collection[str], name: str, octets: memoryview | bytearray) -> Candidate:
    """The key out of what was handed over to be held; its purposes say what that is."""
    if QUEUE not in purposes:
        return load(octets, blocks=signs_blocks(purposes))
    if len(octets) != KEY_BYTES:
        raise BadKey(f"a key for queue files has {KEY_BYTES} bytes, and this one {len(octets)}")
    return Candidate(symmetric(name), QueueKey(octets))


def load(der: memoryview | bytearray, *, blocks: bool = False) -> Candidate:
    """The key from PKCS#8, PKCS#1 or SEC 1, not encrypted; an RSA key that is to sign `blocks` is read twice.

    The caller wipes `der`.
    """
    if len(der) > _DER_LIMIT:
        raise BadKey(f"a private key of {len(der)} bytes, where {_DER_LIMIT} are allowed")
    with memoryview(der) as view:
        if key_type := mldsa.pkcs8_type(view):
            return _candidate(mldsa.from_pkcs8(key_type, view))
    try:
        key = load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's message may quote what it read.
        raise BadKey("what was handed over is no private key, or its parts do not fit") from None
    candidate = _candidate(key)
    if blocks and candidate.public.key_type is KeyType.RSA:
        return replace(candidate, bare=_load_bare(der))
    return candidate


def _load_bare(der: memoryview | bytearray) -> BareRSA | None:
    try:
        return bare_rsa.load(der)
    except ValueError:
        raise BadKey("libcrypto does not read this RSA key, which is to sign encoded blocks") from None


def check_kind(kind: str) -> None:
    """Raise where there is no such kind, or this `cryptography` does not make it."""
    if kind not in KINDS:
        raise UsageError(f"no kind of key is called {kind!r}, there are {', '.join(KINDS)}")
    if KINDS[kind].key_type in ML_DSA:
        mldsa.require()


def generate_der(kind: str) -> bytes:
    """A new key of a kind in `schemes.KINDS` as PKCS#8, in memory that cannot be wiped: for a process that
    ends at once.
    """
    known = KINDS[kind]
    key: PrivateKeyObject
    if known.key_type is KeyType.RSA:
        key = rsa.generate_private_key(_PUBLIC_EXPONENT, known.bits)
    elif known.key_type is KeyType.EC:
        key = ec.generate_private_key(_CURVES[known.curve])
    elif known.key_type is KeyType.ED25519:
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        make: Any = mldsa.PRIVATE[known.key_type]
        key = make.generate()
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def warm_up() -> None:
    """Use once what opens files, or imports more, when it is used for the first time."""
    for kind in ("p-256", "ed25519", *(["ml-dsa-44"] if mldsa.is_available() else [])):
        load(bytearray(generate_der(kind)))
    # Of 1024 bits, as to make and to check one of 2048 takes a tenth of a second.
    small = rsa.generate_private_key(_PUBLIC_EXPONENT, 1024)  # noqa: S505 - used for nothing
    der = small.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    load_der_private_key(der, None)
    _check_halves(small, PublicKey(KeyType.RSA, small.key_size, "", b"", b""))
    _load_bare(bytearray(der))
    Sealing(b"", QueueKey(bytes(KEY_BYTES))).feed(b"x")


def check_decrypts(candidate: Candidate) -> None:
    """Raise unless the key is RSA, and a ciphertext that nobody made decrypts to something.

    An OpenSSL without implicit rejection tells by its error whether the padding was right, and that decrypts
    for an attacker who may ask often (Bleichenbacher 1998).
    """
    key = candidate.private
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadKey(f"a key of type {candidate.public.kind} decrypts nothing")
    garbage = b"\0" + os.urandom((key.key_size + 7) // 8 - 1)
    try:
        key.decrypt(garbage, _PKCS1)
    except ValueError:
        raise Unavailable("this OpenSSL has no implicit rejection: no key may be used to decrypt") from None


def check_ssh(candidate: Candidate) -> None:
    """Raise where SSH has no such key: a purpose that can never be used is a mistake."""
    if not candidate.public.ssh_blob:
        raise BadKey(f"SSH has no keys of type {candidate.public.kind}")


def _candidate(key: object) -> Candidate:
    if not (
        mldsa.is_private(key)
        or isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)
    ):
        raise BadKey("a private key that is neither RSA, ECDSA, Ed25519 nor ML-DSA")
    public = describe(key.public_key())
    _check_halves(key, public)
    return Candidate(public, key)


def default_scheme(public: PublicKey) -> Scheme:
    """A scheme that every key of this type can sign with."""
    if public.key_type is KeyType.EC:
        return SSH_EC_SCHEMES[public.curve]
    if public.key_type is KeyType.RSA:
        return BY_NAME["rsa_pkcs1_sha256"]
    return next(scheme for scheme in SCHEMES.values() if scheme.key_type is public.key_type)


def _signer(
    key: PrivateKeyObject | QueueKey, scheme: Scheme, prehashed: utils.Prehashed | None = None
) -> Callable[[bytes], bytes]:
    if isinstance(key, QueueKey):
        raise OperationFailed("a key for queue files signs nothing")
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key.sign
    algorithm = prehashed or _HASHES[scheme.hash_name]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        ecdsa = ec.ECDSA(algorithm)
        return lambda content: key.sign(content, ecdsa)
    pad = _PSS[scheme.hash_name] if scheme.pss else _PKCS1
    return lambda content: key.sign(content, pad, algorithm)


# RFC 8446, section 4.2.3: the salt is as long as the hash.
_PSS = {name: padding.PSS(padding.MGF1(h), h.digest_size) for name, h in _HASHES.items()}


def _failed(what: str, error: Exception) -> OperationFailed:
    """The library's error by its class alone: its text might tell of the content."""
    return OperationFailed(f"{what} ({type(error).__name__})")


def _check_halves(key: PrivateKeyObject, public: PublicKey) -> None:
    """Sign and verify: a public half that belongs to another key would name it, and leak it (a fault
    attack on RSA-CRT and on Ed25519); the first signature also makes the tables of the later ones.
    """
    scheme = default_scheme(public)
    try:
        signature = _signer(key, scheme)(_CHECK)
        half = key.public_key()
        if isinstance(half, rsa.RSAPublicKey):
            half.verify(signature, _CHECK, _PKCS1, _HASHES[scheme.hash_name])
        elif isinstance(half, ec.EllipticCurvePublicKey):
            half.verify(signature, _CHECK, ec.ECDSA(_HASHES[scheme.hash_name]))
        else:
            half.verify(signature, _CHECK)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        raise BadKey("the private and the public half of this key do not fit") from None
