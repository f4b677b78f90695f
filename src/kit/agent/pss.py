"""Is this block an EMSA-PSS encoding as TLS makes it? RFC 8017, section 9.1.2, without the message.

The salt is as long as the hash, and MGF1 runs on the same hash (RFC 8446, section 4.2.3). Nothing says what
was hashed: what is checked is that the bare RSA operation on the block makes a signature and nothing else, no
decryption above all. A block that nobody encoded passes once in 2^1400.
"""

from __future__ import annotations

import hashlib

from kit.agent.schemes import DIGEST_SIZES, SCHEMES, Scheme

_TRAILER = 0xBC
_PSS = tuple((scheme, DIGEST_SIZES[scheme.hash_name]) for scheme in SCHEMES.values() if scheme.pss)


def find_scheme(block: bytes, bits: int) -> Scheme | None:
    """The scheme that the block is encoded for, by a key with a modulus of `bits`; None for no such block."""
    size, encoded_bits = (bits + 7) // 8, bits - 1
    if len(block) != size or block[-1] != _TRAILER:
        return None
    # Step 6: what stands above the encoded bits, a whole byte where the modulus has 8n + 1, is zero.
    if int.from_bytes(block[:2], "big") >> (encoded_bits - 8 * (size - 2)):
        return None
    encoded = block[-((encoded_bits + 7) // 8) :]
    return next((scheme for scheme, digest_size in _PSS if _fits(encoded, encoded_bits, digest_size)), None)


def _fits(encoded: bytes, bits: int, digest_size: int) -> bool:
    """Steps 4 to 10 for a hash of this size; only the padding and its end are unmasked, any salt is right."""
    padding_size = len(encoded) - 2 * digest_size - 1
    if padding_size < 1:
        return False
    digest = encoded[-digest_size - 1 : -1]
    mask = _mgf1(digest, padding_size, _HASHES[digest_size])
    padding = int.from_bytes(encoded[:padding_size], "big") ^ int.from_bytes(mask, "big")
    unused = 8 * len(encoded) - bits
    return padding & ((1 << (8 * padding_size - unused)) - 1) == 1


def _mgf1(seed: bytes, size: int, hash_name: str) -> bytes:
    """RFC 8017, appendix B.2.1."""
    out = bytearray()
    counter = 0
    while len(out) < size:
        out += hashlib.new(hash_name, seed + counter.to_bytes(4, "big")).digest()
        counter += 1
    return bytes(out[:size])


_HASHES = {size: name for name, size in DIGEST_SIZES.items()}
