"""The agent's AES-256-GCM is `cryptography`'s, whatever the pieces; and no file goes on without its key."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.queue.cipher import Interrupted, Opening, QueueKey, Sealing
from kit.core.errors import UsageError

OCTETS, OTHER = b"0123456789abcdef0123456789abcdef", b"f" * 32
IV, TAG = b"i" * 12, b"t" * 16
PIECES = st.lists(st.binary(max_size=70), min_size=1, max_size=8).filter(any)


def opening(*octets: bytes, wanted: bool = False, iv: bytes = IV, limit: int = 2**36) -> Opening:
    keys = {bytes([number]) * 32: QueueKey(one) for number, one in enumerate(octets)}
    return Opening(keys, iv, wanted=wanted, limit=limit)


@given(PIECES)
def test_what_is_sealed_is_opened_by_others(pieces: list[bytes]) -> None:
    sealing = Sealing(b"k", QueueKey(OCTETS))
    ciphertext = b"".join([bytes(sealing.feed(piece)) for piece in pieces])
    tag = sealing.end(b"").tag
    assert AESGCM(OCTETS).decrypt(sealing.iv, ciphertext + tag, None) == b"".join(pieces)


@given(PIECES)
def test_what_others_sealed_is_opened(pieces: list[bytes]) -> None:
    plaintext = b"".join(pieces)
    sealed = AESGCM(OCTETS).encrypt(IV, plaintext, None)
    stream, at = opening(OCTETS, wanted=True), 0
    opened = b""
    for piece in pieces:
        opened += stream.feed(memoryview(sealed)[at : at + len(piece)])
        at += len(piece)
    assert (opened, stream.end(sealed[-16:]).key_id) == (plaintext, bytes(32))


def test_the_key_that_fits_is_found_and_no_plaintext_shown() -> None:
    sealed = AESGCM(OCTETS).encrypt(IV, b"mail", None)
    stream = opening(OTHER, OCTETS, b"g" * 32)
    assert stream.feed(sealed[:-16]) == b""
    assert stream.end(sealed[-16:]).key_id == b"\1" * 32


@pytest.mark.parametrize("at", range(20))
def test_every_flipped_bit_is_found(at: int) -> None:
    sealed = bytearray(AESGCM(OCTETS).encrypt(IV, b"mail", None))
    sealed[at] ^= 0x10
    stream = opening(OCTETS)
    stream.feed(sealed[:-16])
    assert stream.end(bytes(sealed[-16:])).key_id == b""


def test_no_two_files_have_one_iv() -> None:
    key = QueueKey(OCTETS)
    assert len({Sealing(b"k", key).iv for _ in range(100)}) == 100


def test_an_empty_file_is_neither_sealed_nor_opened() -> None:
    with pytest.raises(UsageError, match="nothing to seal"):
        Sealing(b"k", QueueKey(OCTETS)).end(b"")
    assert opening(OCTETS).end(AESGCM(OCTETS).encrypt(IV, b"", None)).key_id == b""


def test_the_limit_holds_over_all_pieces_to_the_byte() -> None:
    for stream in (Sealing(b"k", QueueKey(OCTETS), 10), opening(OCTETS, limit=10)):
        stream.feed(b"x" * 6)
        stream.feed(b"x" * 4)
        with pytest.raises(UsageError, match="too large: more than 10 bytes"):
            stream.feed(b"x")


@pytest.mark.parametrize("size", [0, 11, 13])
def test_an_iv_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="where 12 are due"):
        opening(OCTETS, iv=bytes(size))


@pytest.mark.parametrize("size", [0, 12, 15, 17])
def test_a_tag_of_another_length_is_refused(size: int) -> None:
    stream = opening(OCTETS)
    stream.feed(b"x")
    with pytest.raises(UsageError, match="where 16 are due"):
        stream.end(bytes(size))


def test_plaintext_is_given_by_one_key_only() -> None:
    for octets in ((), (OCTETS, OTHER)):
        with pytest.raises(UsageError, match="opened with one key"):
            opening(*octets, wanted=True)
    with pytest.raises(UsageError, match="opened with one key"):
        opening()


def test_a_key_that_is_wiped_ends_its_files() -> None:
    key, other = QueueKey(OCTETS), QueueKey(OTHER)
    sealing, checking = Sealing(b"k", key), Opening({b"k": key, b"l": other}, IV, wanted=False)
    untouched = Sealing(b"l", other)
    key.wipe()
    for stream in (sealing, checking):
        with pytest.raises(Interrupted):
            stream.feed(b"x")
    with pytest.raises(Interrupted):
        checking.end(TAG)
    assert untouched.feed(b"x")
    assert not key.same(QueueKey(OCTETS))
    assert key.same(QueueKey(bytes(32)))


def test_an_interruption_ends_files_and_not_the_key() -> None:
    key = QueueKey(OCTETS)
    sealing = Sealing(b"k", key)
    key.interrupt()
    with pytest.raises(Interrupted):
        sealing.feed(b"x")
    assert Sealing(b"k", key).feed(b"x")


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(QueueKey(OCTETS)) == "<QueueKey>"
