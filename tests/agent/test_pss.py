"""What passes for a PSS block is one that `cryptography` made, or verifies, and nothing else."""

from __future__ import annotations

from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.agent.pss import find_scheme
from tests.agent.samples import pss_block

HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# The encoded block is a byte shorter than the modulus, leaves a bit of its first byte free, and seven.
BITS = (2041, 2048, 2050)


@cache
def key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def encoded(bits: int, content: bytes, hash_name: str, mask_hash: str = "", salt: int | None = None) -> bytes:
    return pss_block(key(bits), content, HASHES[hash_name], mask=HASHES.get(mask_hash), salt=salt)


@given(st.sampled_from(BITS), st.binary(max_size=100), st.sampled_from(list(HASHES)))
@settings(max_examples=60, deadline=None)
def test_every_block_that_cryptography_makes_is_found(bits: int, content: bytes, hash_name: str) -> None:
    scheme = find_scheme(encoded(bits, content, hash_name), bits)
    assert scheme and scheme.name == f"rsa_pss_rsae_{hash_name}"


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("salt", [0, 20, 31, 33, 48, 64])
def test_a_salt_of_another_length_is_none_of_tls(bits: int, salt: int) -> None:
    assert find_scheme(encoded(bits, b"content", "sha256", salt=salt), bits) is None


@pytest.mark.parametrize(("hash_name", "mask_hash"), [("sha256", "sha512"), ("sha384", "sha256")])
def test_a_mask_of_another_hash_is_none_of_tls(hash_name: str, mask_hash: str) -> None:
    assert find_scheme(encoded(2048, b"content", hash_name, mask_hash), 2048) is None


@given(st.sampled_from(BITS), st.sampled_from(list(HASHES)), st.data())
@settings(max_examples=200, deadline=None)
def test_one_wrong_bit_in_what_is_fixed_is_found(bits: int, hash_name: str, data: st.DataObject) -> None:
    block = bytearray(encoded(bits, b"content", hash_name))
    size = HASHES[hash_name].digest_size
    # The salt may be anything; it stands before the hash.
    fixed = [*range(len(block) - 2 * size - 1), *range(len(block) - size - 1, len(block))]
    block[data.draw(st.sampled_from(fixed))] ^= 1 << data.draw(st.integers(0, 7))
    assert find_scheme(bytes(block), bits) is None


@given(st.binary(max_size=300))
def test_anything_else_is_no_block(block: bytes) -> None:
    for bits in BITS:
        assert find_scheme(block, bits) is None


@given(st.sampled_from(BITS), st.data())
@settings(deadline=None)
def test_no_ciphertext_is_a_block(bits: int, data: st.DataObject) -> None:
    size = (bits + 7) // 8
    block = data.draw(st.binary(min_size=size - 1, max_size=size - 1)) + b"\xbc"
    assert find_scheme(block, bits) is None


def test_a_pkcs1_block_and_a_short_modulus_are_none() -> None:
    digest_info = bytes.fromhex("3031300d060960864801650304020105000420") + bytes(32)
    assert find_scheme(b"\0\1" + b"\xff" * (256 - 3 - len(digest_info)) + b"\0" + digest_info, 2048) is None
    assert find_scheme(b"\0" * 63 + b"\xbc", 512) is None
