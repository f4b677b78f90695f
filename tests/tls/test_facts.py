"""What handshake messages tell, and that no bytes whatever upset the reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.tls.cells import Version
from kit.tls.facts import Facts, read
from tests.tls.doubles import message, vector

V12, V13 = Version.TLS_1_2, Version.TLS_1_3
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def _server_hello(extensions: bytes, random: bytes = bytes(32)) -> bytes:
    body = b"\x03\x03" + random + vector(1, b"id") + b"\x13\x01\x00" + vector(2, extensions)
    return message(2, body)


_KEY_SHARE = (
    b"\x00\x2b" + vector(2, b"\x03\x04") + b"\x00\x33" + vector(2, b"\x00\x1d" + vector(2, bytes(32)))
)
_ECDHE = b"\x03\x00\x17" + vector(1, bytes(65)) + b"\x04\x03" + vector(2, bytes(70))
_DHE = (
    vector(2, bytes(256)) + vector(2, b"\x02") + vector(2, bytes(256)) + b"\x08\x04" + vector(2, bytes(256))
)
_CHAIN_1_3 = b"\x00" + vector(3, vector(3, b"leaf") + vector(2, b"ext") + vector(3, b"root") + b"\x00\x00")
_CHAIN_1_2 = vector(3, vector(3, b"leaf") + vector(3, b"root"))


def test_the_group_of_tls_1_3_is_the_key_share_of_server_hello() -> None:
    assert read([_server_hello(_KEY_SHARE)], V13) == Facts(group="x25519")


def test_a_server_hello_with_the_special_random_is_a_retry() -> None:
    retry = _server_hello(b"\x00\x33\x00\x02\x00\x18", _RETRY)
    facts = read([retry, _server_hello(b"\x00\x33" + vector(2, b"\x00\x18"))], V13)
    assert facts == Facts(group="secp384r1", hello_retry_request=True)


def test_a_server_hello_without_extensions_tells_no_group() -> None:
    assert read([message(2, b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2f\x00")], V12) == Facts()


def test_certificate_verify_names_the_scheme() -> None:
    facts = read([message(15, b"\x08\x04" + vector(2, bytes(256)))], V13)
    assert (facts.scheme, facts.signed) == ("rsa_pss_rsae_sha256", True)


@pytest.mark.parametrize(
    ("exchange", "group", "scheme"),
    [(_ECDHE, "secp256r1", "ecdsa_secp256r1_sha256"), (_DHE, "dhe2048", "rsa_pss_rsae_sha256")],
)
def test_server_key_exchange_tells_group_and_scheme(exchange: bytes, group: str, scheme: str) -> None:
    assert read([message(12, exchange)], V12) == Facts(group=group, scheme=scheme, signed=True)


def test_a_dhe_prime_of_6144_bits_is_not_taken_for_a_named_curve() -> None:
    exchange = (
        vector(2, bytes(768)) + vector(2, b"\x02") + vector(2, bytes(768)) + b"\x04\x01" + vector(2, b"s")
    )
    assert read([message(12, exchange)], V12).group == "dhe6144"


@pytest.mark.parametrize(("version", "body"), [(V12, _CHAIN_1_2), (V13, _CHAIN_1_3)])
def test_the_chain_is_given_as_sent(version: Version, body: bytes) -> None:
    assert read([message(11, body)], version).chain == (b"leaf", b"root")


def test_unknown_code_points_are_shown_as_numbers() -> None:
    assert read([message(15, b"\xfe\x01\x00\x00")], V13).scheme == "0xfe01"


def test_a_certificate_request_is_noticed() -> None:
    assert read([message(13, b"")], V13).client_certificate_requested


@pytest.mark.parametrize("body", [_ECDHE, _DHE])
def test_a_truncated_or_prolonged_key_exchange_tells_nothing(body: bytes) -> None:
    for wrong in (body[:-1], body + b"\x00", b""):
        assert not read([message(12, wrong)], V12).signed


@given(st.lists(st.binary(max_size=200)), st.sampled_from(Version))
def test_garbage_is_read_without_an_error(messages: list[bytes], version: Version) -> None:
    assert isinstance(read(messages, version), Facts)


@given(
    st.sampled_from([(2, _server_hello(_KEY_SHARE)[4:]), (11, _CHAIN_1_3), (12, _ECDHE), (12, _DHE)]),
    st.data(),
)
def test_no_cut_and_no_changed_byte_upsets_the_reader(sample: tuple[int, bytes], data: st.DataObject) -> None:
    kind, body = sample
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + bytes([data.draw(st.integers(0, 255))]) + body[at + 1 :]
    read([message(kind, changed), message(kind, body[:at])], V13)
