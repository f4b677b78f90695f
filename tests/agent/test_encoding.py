"""The SSH protocol's data types (RFC 4251, section 5), the RFC's own examples first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.encoding import Reader, mpint, string, uint32, uint64
from kit.core.errors import ProtocolError


def h(text: str) -> bytes:
    return bytes.fromhex(text)


def test_the_examples_of_rfc_4251() -> None:
    assert uint32(699921578) == h("29b7f4aa")
    assert string("testing") == h("00000007") + b"testing"
    assert mpint(0x9A378F9B2E332A7) == h("0000000809a378f9b2e332a7")
    assert mpint(0x80) == h("000000020080")
    assert string("zlib,none") == h("000000097a6c69622c6e6f6e65")


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.binary(), st.text(max_size=60), st.booleans())
def test_what_is_written_is_read(small: int, large: int, raw: bytes, text: str, truth: bool) -> None:
    reader = Reader(uint32(small) + uint64(large) + string(raw) + string(text) + bytes([truth]))
    assert (reader.uint32(), reader.uint64(), reader.string()) == (small, large, raw)
    assert (reader.text(), reader.boolean()) == (text, truth)
    reader.end()


@given(st.integers(1, 2**9000))
def test_any_positive_integer_is_read_as_its_magnitude(value: int) -> None:
    magnitude = Reader(mpint(value)).mpint()
    assert int.from_bytes(magnitude, "big") == value
    assert magnitude[0] != 0


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("00000000", "not positive"),
        ("0000000180", "not positive"),
        ("00000002edcc", "not positive"),  # RFC 4251's -1234
        ("00000005ff21524111", "not positive"),
        ("0000000100", "needless leading zero"),
        ("000000020001", "needless leading zero"),
        ("00000003000080", "needless leading zero"),
    ],
)
def test_an_integer_has_one_form(bad: str, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        Reader(h(bad)).mpint()


def test_a_boolean_is_0_or_1() -> None:
    assert [Reader(b"\x00").boolean(), Reader(b"\x01").boolean()] == [False, True]
    for value in range(2, 256):
        with pytest.raises(ProtocolError, match=f"a boolean of value {value}"):
            Reader(bytes([value])).boolean()


def test_a_text_is_utf_8_and_bounded() -> None:
    assert Reader(string("é" * 127)).text() == "é" * 127
    with pytest.raises(ProtocolError, match="256 bytes, where 255 are allowed"):
        Reader(string("é" * 128)).text()
    assert Reader(string("é" * 128)).text(limit=256) == "é" * 128
    with pytest.raises(ProtocolError, match="not UTF-8"):
        Reader(string(b"\xff")).text()


READS: list[Callable[[Reader], object]] = [
    Reader.byte,
    Reader.boolean,
    Reader.uint32,
    Reader.uint64,
    Reader.string,
    Reader.text,
    Reader.mpint,
]


@pytest.mark.parametrize("read", READS)
def test_a_message_that_ends_too_early_says_so(read: Callable[[Reader], object]) -> None:
    whole = uint32(4) + b"\x01\x02\x03\x04"
    for end in range(1 if read in (Reader.byte, Reader.boolean) else 4):
        with pytest.raises(ProtocolError, match="too early"):
            read(Reader(whole[:end]))


def test_nothing_may_be_left_at_the_end() -> None:
    reader = Reader(b"ab")
    with pytest.raises(ProtocolError, match="2 bytes after the end"):
        reader.end()
    assert bytes(reader.take(2)) == b"ab"
    reader.end()
    assert reader.left == 0


def test_a_string_is_a_view_of_the_message_and_no_copy() -> None:
    message = bytearray(string(b"secret"))
    view = Reader(message).string()
    message[4:] = bytes(6)
    assert view == bytes(6)


@given(st.binary(max_size=200), st.lists(st.sampled_from(READS), max_size=20))
def test_garbage_is_read_or_a_protocol_error(data: bytes, reads: list[Callable[[Reader], object]]) -> None:
    reader = Reader(data)
    try:
        for read in reads:
            read(reader)
        reader.end()
    except ProtocolError as error:
        assert str(error)
