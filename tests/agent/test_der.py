"""DER is read in its one encoding, and whatever a careless reader could take for ASN.1 is seen."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from kit.agent import der
from kit.agent.der import Elements
from kit.core.errors import ProtocolError
from tests.agent.samples import KINDS, certificate, request


def h(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize(
    "good",
    [
        "3000",
        "3003020100",
        "310302017f",
        "020200ff",
        "0202ff7f",
        "0101ff",
        "010100",
        "0500",
        "0603550403",
        "030100",
        "03020780",
        "a003020102",
        "8101ff",
        "06012a",
        "0c00",
        "0a0101",
    ],
)
def test_what_is_der_passes(good: str) -> None:
    der.check(h(good))


def test_a_long_form_length_passes_where_the_short_form_does_not_reach() -> None:
    der.check(h("308180" + "0500" * 64))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("30", "header"),
        ("3001", "too early"),
        ("3080 0000", "shortest form"),  # indefinite
        ("308103020100", "shortest form"),  # 3 fits in one byte
        ("30820080" + "0500" * 64, "shortest form"),
        ("30850000000003020100", "shortest form"),
        ("3084", "shortest form"),
        ("30ff", "shortest form"),
        ("1f8101 00", "tag of 0x1f"),
        ("bf8101 00", "tag of 0xbf"),
        ("0000", "tag of 0x00"),
        ("2403040161", "tag of 0x24"),  # a string in pieces
        ("100302 0100", "tag of 0x10"),  # a SEQUENCE that is not constructed
        ("0903800101", "tag of 0x09"),  # REAL, of which X.509 knows nothing
        ("0200", "INTEGER"),
        ("02020001", "INTEGER"),
        ("0202ff80", "INTEGER"),
        ("010101", "BOOLEAN"),
        ("0100", "BOOLEAN"),
        ("0102ffff", "BOOLEAN"),
        ("050100", "NULL"),
        ("0300", "BIT STRING"),
        ("030101", "BIT STRING"),
        ("03020181", "BIT STRING"),
        ("03020880", "BIT STRING"),
        ("0600", "OBJECT IDENTIFIER"),
        ("06025580", "OBJECT IDENTIFIER"),
        ("0604551d8013", "OBJECT IDENTIFIER"),  # a second name for basicConstraints
        ("06028001", "OBJECT IDENTIFIER"),
        ("3003020100 30", "header"),
    ],
)
def test_what_is_not_der_is_refused(bad: str, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        der.check(h(bad))


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = b"\x30" + bytes([len(data)]) + data
    return data


def test_nesting_is_bounded() -> None:
    der.check(nested(der.NESTING_LIMIT))
    with pytest.raises(ProtocolError, match="nested deeper"):
        der.check(nested(der.NESTING_LIMIT + 1))


def test_the_number_of_values_is_bounded() -> None:
    def values(count: int) -> bytes:
        inner = b"\x05\x00" * (count - 1)
        return b"\x30\x82" + len(inner).to_bytes(2, "big") + inner

    assert der.check(values(der.VALUES_LIMIT)) == 0
    for many in (values(der.VALUES_LIMIT + 1), values(der.VALUES_LIMIT // 2) * 3):
        with pytest.raises(ProtocolError, match=f"more than {der.VALUES_LIMIT} "):
            der.check(many)


def test_elements_are_walked_in_order_and_to_the_end() -> None:
    elements = Elements(h("020105 3003 0101ff 8100"))
    assert der.integer(elements.take(der.INTEGER).body) == 5
    assert elements.optional(der.INTEGER) is None
    inside = elements.inside(der.SEQUENCE)
    assert der.boolean(inside.take(der.BOOLEAN).body) is True
    inside.end()
    with pytest.raises(ProtocolError, match="2 bytes after"):
        elements.end()
    assert elements.optional(0x81) == (0x81, b"", b"\x81\x00")
    assert not elements.left
    elements.end()
    with pytest.raises(ProtocolError, match="without its header"):
        elements.next()


def test_an_element_of_another_tag_is_refused() -> None:
    with pytest.raises(ProtocolError, match="tag 0x31, where 0x30 is due"):
        Elements(h("3100")).take(der.SEQUENCE)


@given(st.binary(max_size=300))
def test_garbage_is_der_or_a_protocol_error(data: bytes) -> None:
    try:
        der.check(data)
    except ProtocolError:
        return
    if data[:1] in (b"0", b"1") and len(Elements(data).next().whole) == len(data):
        assert der.resembles(data)


@given(st.integers(-(2**200), 2**200))
def test_any_integer_in_its_shortest_form_is_read(value: int) -> None:
    body = value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True)
    assert der.integer(body) == value


@pytest.mark.parametrize("kind", KINDS)
def test_real_structures_are_der_and_resemble_it(kind: str) -> None:
    for data in (
        certificate(kind).tbs_certificate_bytes,
        certificate(kind).public_bytes(Encoding.DER),
        request(kind),
    ):
        der.check(data)
        assert der.resembles(data)


@pytest.mark.parametrize(
    "careless",
    [
        "3003020100",
        "308103020100",
        "3088000000000000 0003020100",  # zeros in front, as OpenSSL skips them
        "3080 020100 0000",
        "3100",
        "3009 3080 020100 020100 00",  # a value of indefinite length inside
        "3004 81810100",
        "30040281 0100",
    ],
)
def test_what_only_a_careless_reader_takes_for_asn1_resembles_it(careless: str) -> None:
    assert der.resembles(h(careless))


@pytest.mark.parametrize(
    "other", ["", "30", "3001", "300302010000", "30020201", "3003bf0100", "0203010203", "308000"]
)
def test_what_nobody_takes_for_asn1_does_not_resemble_it(other: str) -> None:
    assert not der.resembles(h(other))


def test_random_bytes_resemble_asn1_rarely_even_behind_a_fitting_header() -> None:
    chance = random.Random(1)
    tries = 20_000
    hits = sum(der.resembles(b"\x30\x62" + chance.randbytes(98)) for _ in range(tries))
    assert hits / tries < 0.03  # times 2^-15 for the two bytes: less than one handshake in a million
