"""Recognises private keys in foreign memory when only the public key is known. Pure: bytes in, traces out.

It works as Heartbleed's first exploiters did: a piece of memory is one of an RSA key's primes if it divides
the modulus, and it is an EC key's scalar if it takes the generator to the public point. So nobody has to
hand the private key to the scanner. Looked at are the forms that numbers have in the memory of programs:
OpenSSL's little-endian 64-bit limbs (also in Montgomery form), big-endian bytes where they are aligned or
stand behind a DER or SSH length, and both kinds of base64 (so PEM) and hex.

Numbers are not looked for at every byte of the memory, as that takes minutes: see `_marks_of_limbs`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kit.core.frozen import frozen

LIMB = 8
# What 32 random bytes look like: 30 of them distinct on average, 16 above 127, 128 bits set, give or take
# five times the deviation. Each of these limits is missed by about one key in a million.
_DISTINCT, _NOT_ASCII, _DEVIATIONS = 22, 4, 5
# A piece of base64 or hex longer than so many numbers is looked at behind length fields only.
_SHORT = 4
# How many limbs into a run of large ones big-endian bytes may begin: a run is a buffer, or its owner's hash
# comes first.
_FRONT = 4

_ASCII = bytes(range(128))
_ANY = bytes([0] + 255 * [1])
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_CAPITALS = _BASE64[:26]
_HEX = b"0123456789abcdefABCDEF"
_NEWLINES = b"\r\n"


class Sought(Protocol):
    """A public key whose private side can be recognised."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int:
        """How many bytes the secret number has."""

    @property
    def heads(self) -> tuple[bytes, ...]:
        """What stands before the number in DER and in SSH's encoding."""

    @property
    def public_forms(self) -> tuple[bytes, ...]:
        """What must be in the memory of whoever uses the key's certificate."""

    def plausible(self, window: bytes) -> bool:
        """Could these big-endian bytes be it? Cheap, and rarely wrong by a no."""

    def secret(self, number: int) -> bool:
        """Is this the secret number?"""


@frozen
class Trace:
    """The private side of key `key`, at `offset` of the memory looked at, written as `form`."""

    key: str
    form: str
    offset: int


@frozen
class SoughtRsa:
    """An RSA modulus; its secret is either prime."""

    name: str
    modulus: int

    @property
    def size(self) -> int:
        return self.modulus.bit_length() // 16

    @property
    def heads(self) -> tuple[bytes, ...]:
        length = self.size + 1  # a leading zero keeps the sign bit clear
        der = bytes([0x81, length]) if length < 256 else b"\x82" + length.to_bytes(2, "big")
        return b"\x02" + der + b"\0", length.to_bytes(4, "big") + b"\0"

    @property
    def public_forms(self) -> tuple[bytes, ...]:
        return _both_ways(self.modulus, 2 * self.size)

    def plausible(self, window: bytes) -> bool:
        return window[0] > 127 and window[-1] & 1 == 1 and len(set(window)) >= _DISTINCT

    def secret(self, number: int) -> bool:
        return 1 < number < self.modulus and self.modulus % number == 0


@frozen
class SoughtEc:
    """A point of a NIST curve; `points` are the x of the point and of the point times 2^256 (or 2^384)."""

    name: str
    curve: ec.EllipticCurve
    points: frozenset[int]
    public_forms: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return self.curve.key_size // 8

    @property
    def heads(self) -> tuple[bytes, ...]:
        length = self.size.to_bytes(4, "big")
        return b"\x04" + bytes([self.size]), length, (self.size + 1).to_bytes(4, "big") + b"\0"

    def plausible(self, window: bytes) -> bool:
        bits = int.from_bytes(window, "big").bit_count()
        return (
            (bits - 4 * self.size) ** 2 <= _DEVIATIONS**2 * 2 * self.size
            and len(window.translate(None, _ASCII)) >= _NOT_ASCII
            and len(set(window)) >= _DISTINCT
        )

    def secret(self, number: int) -> bool:
        if not 0 < number < ORDERS[self.curve.name]:
            return False
        return _x_of(ec.derive_private_key(number, self.curve).public_key()) in self.points


@frozen
class SoughtMlDsa:
    """An ML-DSA public key; its secret is the seed, of which FIPS 204's algorithm 6 makes the key.

    The first of what it makes is rho, with which the public key begins, so one hash tells a seed.
    """

    name: str
    rho: bytes
    dimensions: bytes  # k and l

    size = 32
    heads = (b"\x80\x20", b"\x04\x20")

    @property
    def public_forms(self) -> tuple[bytes, ...]:
        return (self.rho,)

    def plausible(self, window: bytes) -> bool:
        return len(set(window)) >= _DISTINCT and len(window.translate(None, _ASCII)) >= _NOT_ASCII

    def secret(self, number: int) -> bool:
        made = hashlib.shake_256(number.to_bytes(self.size, "big") + self.dimensions)
        return made.digest(len(self.rho)) == self.rho


# FIPS 204, table 1: k and l by the size of the public key.
_DIMENSIONS = {1312: (4, 4), 1952: (6, 5), 2592: (8, 7)}

ORDERS = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": 2**384 - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D,
}


def sought(name: str, key: object) -> Sought | None:
    """What to look for to find the private side of `key`; None for another kind of key."""
    if isinstance(key, rsa.RSAPublicKey) and key.key_size % 128 == 0:
        return SoughtRsa(name, key.public_numbers().n)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ORDERS:
        numbers, size = key.public_numbers(), key.curve.key_size // 8
        # Times 2^256 is the Montgomery form of the scalar: ECDH tells the x of that multiple of the point.
        montgomery = ec.derive_private_key(2**key.key_size % ORDERS[key.curve.name], key.curve)
        points = frozenset((numbers.x, int.from_bytes(montgomery.exchange(ec.ECDH(), key), "big")))
        return SoughtEc(name, key.curve, points, _both_ways(numbers.x, size) + _both_ways(numbers.y, size))
    if type(key).__name__.startswith("MLDSA"):
        raw: bytes = key.public_bytes_raw()  # type: ignore[attr-defined]
        return SoughtMlDsa(name, raw[:32], bytes(_DIMENSIONS[len(raw)]))
    return None


def sought_in_certificates(certificates: Iterable[bytes]) -> list[Sought]:
    """What to look for to find the keys of these certificates (DER), each named by its type, once."""
    keys = []
    for der in dict.fromkeys(certificates):
        key = x509.load_der_x509_certificate(der).public_key()
        wanted = sought(_kind(key), key)
        keys += [wanted] if wanted else []
    return keys


def _kind(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePublicKey) else "ML-DSA"


def public_is_in(memory: bytes, key: Sought) -> bool:
    """Is the public key there, in any form?"""
    return any(form in memory for form in key.public_forms)


def find(memory: bytes, keys: Iterable[Sought]) -> list[Trace]:
    """Every trace of the private keys in `memory`, which begins at a multiple of 8."""
    keys = tuple(keys)
    limbs = _marks_of_limbs(memory)
    traces = []
    for key in keys:
        seen: dict[bytes, bool] = {}
        for form, offset, window in _candidates(memory, limbs, key):
            if window not in seen:
                seen[window] = key.plausible(window) and key.secret(int.from_bytes(window, "big"))
            if seen[window]:
                traces.append(Trace(key.name, form, offset))
    return traces


def _candidates(memory: bytes, limbs: bytes, key: Sought) -> Iterator[tuple[str, int, bytes]]:
    """(form, offset, big-endian bytes) of all that might be the secret."""
    for start, end in _runs(limbs, key.size // LIMB):
        for limb in range(start, end - key.size // LIMB + 1):
            offset = limb * LIMB
            window = memory[offset : offset + key.size]
            yield "little-endian limbs", offset, window[::-1]
            if limb - start < _FRONT:
                yield "big-endian", offset, window
    for offset, window in _behind_heads(memory, key):
        yield "DER or SSH", offset, window
    for form, offset, piece in _texts(memory, key.size):
        for _, window in _behind_heads(piece, key):
            yield form, offset, window
        if len(piece) <= _SHORT * key.size:
            for at in range(len(piece) - key.size + 1):
                yield form, offset, piece[at : at + key.size]


def _marks_of_limbs(memory: bytes) -> bytes:
    """A byte for each limb: 1 where it is 2^48 or more, so neither a small number nor an address.

    One limb in 65,536 of a random number is smaller: one P-256 key in 16,000 escapes for that reason.
    """
    whole = len(memory) // LIMB * LIMB
    top = int.from_bytes(memory[LIMB - 1 : whole : LIMB], "big")
    second = int.from_bytes(memory[LIMB - 2 : whole : LIMB], "big")
    return (top | second).to_bytes(whole // LIMB, "big").translate(_ANY)


def _runs(marks: bytes, least: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each run of at least `least` ones; all the work is done by bytes.find."""
    needle, start = b"\1" * least, 0
    while (start := marks.find(needle, start)) >= 0:
        end = marks.find(b"\0", start)
        end = len(marks) if end < 0 else end
        yield start, end
        start = end


def _behind_heads(memory: bytes, key: Sought) -> Iterator[tuple[int, bytes]]:
    for head in key.heads:
        at = memory.find(head)
        while at >= 0:
            begin = at + len(head)
            window = memory[begin : begin + key.size]
            if len(window) == key.size:
                yield begin, window
            at = memory.find(head, at + 1)


def _texts(memory: bytes, size: int) -> Iterator[tuple[str, int, bytes]]:
    """(form, offset, decoded) of every piece of base64 and hex that has room for `size` bytes."""
    for offset, text in _words(memory, _BASE64 + _NEWLINES, size * 4 // 3):
        for phase in _phases(text):
            yield "base64", offset, _from_base64(text[phase:].translate(None, _NEWLINES))
    for offset, text in _words(memory, _HEX + b":", size * 2):
        digits = text.replace(b":", b"")
        for phase in range(2):
            yield "hex", offset, binascii.unhexlify(digits[phase : len(digits) - (len(digits) - phase) % 2])


def _words(memory: bytes, alphabet: bytes, least: int) -> Iterator[tuple[int, bytes]]:
    table = bytes(int(byte in alphabet) for byte in range(256))
    for start, end in _runs(memory.translate(table), least):
        yield start, memory[start:end]


def _phases(text: bytes) -> Iterable[int]:
    """Where groups of four letters may begin: in PEM a line is a multiple of four, otherwise anywhere."""
    capitals = len(text) - len(text.translate(None, _CAPITALS))
    if capitals * 8 < len(text) or len(set(text)) < _DISTINCT:
        # A name or a path. Of random letters two in five are capitals; one key in 30,000 has as few.
        return ()
    newline = text.find(b"\n")
    return range(4) if newline < 0 else (text.translate(None, b"\r").find(b"\n") % 4,)


def _from_base64(text: bytes) -> bytes:
    """Decoded to the last whole byte; a single letter at the end is none."""
    text = text[:-1] if len(text) % 4 == 1 else text
    altchars = b"-_" if b"-" in text or b"_" in text else None
    return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=altchars)


def _both_ways(number: int, size: int) -> tuple[bytes, ...]:
    return number.to_bytes(size, "big"), number.to_bytes(size, "little")


def _x_of(key: ec.EllipticCurvePublicKey) -> int:
    return key.public_numbers().x
