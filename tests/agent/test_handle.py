"""The PEM handle, both ways, whole, damaged and among other text."""

from __future__ import annotations

import binascii
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.encoding import string
from kit.agent.handle import LABEL, Handle, decode, encode
from kit.core.errors import UsageError

HANDLE = Handle(b"\x30\x2a" + bytes(range(200)), "mail", "/run/user/1000/kit/agent.sock")
TEXT = encode(HANDLE).encode()


def pem(body: bytes) -> bytes:
    middle = binascii.b2a_base64(body)
    return f"-----BEGIN {LABEL}-----\n".encode() + middle + f"-----END {LABEL}-----\n".encode()


def test_a_handle_survives_the_way_there_and_back() -> None:
    assert decode(TEXT) == HANDLE


@given(st.binary(min_size=1, max_size=2000), st.text(max_size=60), st.text(max_size=100))
def test_any_handle_survives(spki: bytes, name: str, path: str) -> None:
    handle = Handle(spki, name, path)
    assert decode(encode(handle).encode()) == handle


def test_it_is_pem_of_64_columns_after_one_line_for_people() -> None:
    lines = TEXT.decode().splitlines()
    assert lines[0] == "Names the key 'mail' in a kit agent; holds no secret."
    assert (lines[1], lines[-1]) == (f"-----BEGIN {LABEL}-----", f"-----END {LABEL}-----")
    assert all(len(line) == 64 for line in lines[2:-2])
    assert 0 < len(lines[-2]) <= 64


def test_a_name_with_a_line_break_cannot_forge_a_block() -> None:
    name = f"x\n-----BEGIN {LABEL}-----\nAAAA\n-----END {LABEL}-----\n"
    assert decode(encode(Handle(b"spki", name)).encode()) == Handle(b"spki", name)


def test_a_path_that_is_not_utf8_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        encode(Handle(b"spki", "n", "/tmp/\udcff"))


def test_it_is_found_behind_a_certificate_and_with_dos_line_ends() -> None:
    certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert decode((certificate + TEXT + certificate).replace(b"\n", b"\r\n")) == HANDLE
    assert decode(certificate + TEXT.rstrip(b"\n")) == HANDLE


@pytest.mark.parametrize("text", [b"", b"nothing", b"x" + TEXT[TEXT.index(b"-----") :], b"\xff" * 100])
def test_text_without_a_block_holds_no_handle(text: bytes) -> None:
    assert decode(text) is None


MAGIC = string("kit-agent-key-v1")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TEXT[:-10], "no line '-----END"),
        (TEXT.replace(b"KEY-----\n", b"KEY-----\n!", 1), "base64 is wrong"),
        (pem(b""), "too early"),
        (pem(string("kit-agent-key-v2")), "does not begin with 'kit-agent-key-v1'"),
        (pem(MAGIC + string("spki")), "too early"),
        (pem(MAGIC + string("") + string("n") + string("")), "names no key"),
        (pem(MAGIC + string("spki") + string("n") + string("") + b"x"), "1 bytes after the end"),
        (pem(MAGIC + string("spki") + string(b"\xff") + string("")), "not UTF-8"),
        (pem(MAGIC + string("spki") + string("n" * 1025) + string("")), "a text of 1025 bytes"),
        (pem(bytes(20000)), "longer than 16384"),
    ],
)
def test_a_damaged_handle_says_what_is_wrong(text: bytes, why: str) -> None:
    with pytest.raises(UsageError, match="the agent key handle is damaged") as caught:
        decode(text)
    assert why in str(caught.value)
    assert caught.value.hint == "write a new one with 'kit agent handle'"


@given(st.binary(max_size=300))
def test_garbage_in_the_block_is_a_usage_error_or_a_handle(body: bytes) -> None:
    with suppress(UsageError):
        assert isinstance(decode(pem(body)), Handle)


@given(st.integers(0, len(TEXT) - 1), st.integers(0, 255))
def test_one_wrong_byte_never_escapes_as_another_error(at: int, value: int) -> None:
    text = bytearray(TEXT)
    text[at] = value
    with suppress(UsageError):
        decode(bytes(text))
