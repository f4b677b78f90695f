"""What may stand at a content's open end: anything at all, and the content is still taken for the same."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.content import open_end, readings
from kit.agent.encoding import string
from kit.agent.public import describe

_DIGESTS = {"sha256": 32, "sha512": 64}
_HEAD = b" " * 64 + b"TLS 1.3, %s CertificateVerify\0"
# RFC 8422: what a ServerKeyExchange has behind its randoms, by the size of the whole.
_POINTS = {
    133: b"\x03\x00\x17\x41\x04",
    165: b"\x03\x00\x18\x61\x04",
    201: b"\x03\x00\x19\x85\x04",
    100: b"\x03\x00\x1d\x20",
    124: b"\x03\x00\x1e\x38",
}
_KEYS = [
    describe(k.public_key())
    for k in (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048))
]


@st.composite
def _ssh_signatures(draw: st.DrawFn) -> bytes:
    """Such as have the size of a key exchange, too, with a named curve at its place where that can be."""
    hash_name = draw(st.sampled_from(sorted(_DIGESTS)))
    size = draw(st.sampled_from([*_POINTS, 150, 300]))
    fixed = 6 + 4 + 4 + 4 + len(hash_name) + 4 + _DIGESTS[hash_name]
    reserved = bytearray(draw(st.binary(min_size=0, max_size=8)))
    namespace = bytearray(b"n" * (size - fixed - len(reserved)))
    parts = [bytes(namespace), bytes(reserved), hash_name, bytes(_DIGESTS[hash_name])]
    content = bytearray(b"SSHSIG" + b"".join(map(string, parts)))
    point = _POINTS.get(size, b"")
    if point and 64 + len(point) <= 10 + len(namespace):  # behind the magic and the length
        content[64 : 64 + len(point)] = point
    return bytes(content)


# Random ones, and one that looks like the end of an OpenPGP signature.
_ENDS = st.one_of(st.binary(min_size=64, max_size=64), st.just(b"a" * 58 + b"\x01\xff\0\0\0\x10"))


@given(_ssh_signatures(), _ENDS, _ENDS)
def test_no_digest_changes_what_an_ssh_signature_is_taken_for(
    content: bytes, one: bytes, other: bytes
) -> None:
    _check_same(content, one, other)


@given(st.sampled_from([b"server", b"client"]), st.sampled_from([32, 48]), _ENDS, _ENDS)
def test_no_digest_changes_what_a_tls_1_3_handshake_is_taken_for(
    side: bytes, size: int, one: bytes, other: bytes
) -> None:
    content = _HEAD % side + bytes(size)
    assert open_end(content) == size
    _check_same(content, one, other)


def _check_same(content: bytes, one: bytes, other: bytes) -> None:
    size = open_end(content)
    if size:
        first, second = (content[:-size] + end[-size:] for end in (one, other))
        for key in _KEYS:
            assert readings(key, first) == readings(key, second)


@pytest.mark.parametrize(("hash_name", "size"), _DIGESTS.items())
def test_an_ssh_signature_of_a_file_has_an_open_end(hash_name: str, size: int) -> None:
    content = b"SSHSIG" + b"".join(map(string, ("file", "", hash_name, bytes(size))))
    assert open_end(content) == size


def test_another_content_has_no_open_end() -> None:
    for content in (b"", bytes(32) + bytes(97), b"SSHSIG" + bytes(40), _HEAD % b"server" + bytes(47)):
        assert open_end(content) == 0
