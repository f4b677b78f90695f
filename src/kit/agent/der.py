"""DER (X.690), written, and read strictly: one encoding for each value, so that no two parsers differ.

Definite lengths in their shortest form, tag numbers below 31, nothing left over, bounded nesting. What
breaks that raises ProtocolError. `resembles` is the opposite: what could a careless reader take for ASN.1?
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from kit.core.errors import ProtocolError

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER = 0x01, 0x02, 0x03, 0x04, 0x06
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
UTF8_STRING, VISIBLE_STRING = 0x0C, 0x1A
_CONSTRUCTED, _CONTEXT, _HIGH_TAG = 0x20, 0x80, 0x1F

_CHANCE_LIMIT = 512
# A request with extensions nests 7 deep; the values inside an extension stand in its OCTET STRING, uncounted,
# so that a certificate of 500 names has no more of them than one of two: some 40. The limit takes 2 ms.
NESTING_LIMIT = 16
VALUES_LIMIT = 2000


class Element(NamedTuple):
    """One value: its tag octet, its contents, and the whole encoding."""

    tag: int
    body: bytes
    whole: bytes


class Elements:
    """Walks through values that stand one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        """Is there another value?"""
        return self._at < len(self._data)

    def next(self) -> Element:
        tag, start, end = _header(self._data, self._at)
        element = Element(tag, self._data[start:end], self._data[self._at : end])
        self._at = end
        return element

    def take(self, tag: int) -> Element:
        """The next value, which must have this tag."""
        element = self.next()
        if element.tag != tag:
            raise ProtocolError(f"an ASN.1 value of tag {element.tag:#04x}, where {tag:#04x} is due")
        return element

    def inside(self, tag: int) -> Elements:
        """The values inside the next one, which must have this tag."""
        return Elements(self.take(tag).body)

    def optional(self, tag: int) -> Element | None:
        """The next value if it has this tag."""
        return self.next() if self.left and self._data[self._at] == tag else None

    def end(self) -> None:
        """Nothing may be left."""
        if self.left:
            raise ProtocolError(f"{len(self._data) - self._at} bytes after the last ASN.1 value")


def encoded(tag: int, *parts: bytes | memoryview) -> bytes:
    """One value with these contents."""
    return header(tag, sum(map(len, parts))) + b"".join(parts)


def header(tag: int, length: int) -> bytes:
    """What stands before contents of this length."""
    if length < 0x80:
        return bytes([tag, length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """The tag of the value at `at`, where its contents start and where they end."""
    if at + 2 > len(data):
        raise ProtocolError("an ASN.1 value without its header")
    tag, length, start = data[at], data[at + 1], at + 2
    if tag & _HIGH_TAG == _HIGH_TAG or tag == 0:
        raise ProtocolError(f"an ASN.1 tag of {tag:#04x}")
    if length >= 0x80:
        size = length & 0x7F
        start += size
        length = int.from_bytes(data[at + 2 : start], "big")
        if not 0 < size <= 4 or start > len(data) or length < 0x80 or length >> (8 * (size - 1)) == 0:
            raise ProtocolError("an ASN.1 length that is not in its shortest form")
    if start + length > len(data):
        raise ProtocolError(f"an ASN.1 value that ends {start + length - len(data)} bytes too early")
    return tag, start, start + length


def integer(body: bytes) -> int:
    """The contents of an INTEGER."""
    if not body or (len(body) > 1 and (body[0], body[1] >> 7) in ((0x00, 0), (0xFF, 1))):
        raise ProtocolError("an INTEGER that is not in its shortest form")
    return int.from_bytes(body, "big", signed=True)


def boolean(body: bytes) -> bool:
    """The contents of a BOOLEAN; DER's TRUE is FF and nothing else."""
    if body not in (b"\x00", b"\xff"):
        raise ProtocolError("a BOOLEAN that is neither 00 nor ff")
    return body == b"\xff"


def bit_string(body: bytes) -> bytes:
    """The bits of a BIT STRING, its unused ones zero."""
    unused = body[0] if body else 8
    if unused > 7 or (unused and (len(body) == 1 or body[-1] & ((1 << unused) - 1))):
        raise ProtocolError("a BIT STRING whose unused bits are not zero")
    return body[1:]


_PADDED = re.compile(rb"(?:^|[\x00-\x7f])\x80")


def object_identifier(body: bytes) -> bytes:
    """The contents of an OBJECT IDENTIFIER, which names one thing by one encoding."""
    if not body or body[-1] & 0x80 or _PADDED.search(body):
        raise ProtocolError("an OBJECT IDENTIFIER that is not in its shortest form")
    return body


def _null(body: bytes) -> None:
    if body:
        raise ProtocolError("a NULL with contents")


# Of the universal types, those which X.509 and PKCS#10 use. A string's characters prove nothing here.
_PRIMITIVE: dict[int, Callable[[bytes], object]] = {
    BOOLEAN: boolean,
    INTEGER: integer,
    BIT_STRING: bit_string,
    OCTET_STRING: len,
    0x05: _null,
    OBJECT_IDENTIFIER: object_identifier,
    0x0A: integer,  # ENUMERATED
    0x0C: len,  # UTF8String
    0x12: len,  # NumericString
    0x13: len,  # PrintableString
    0x14: len,  # TeletexString
    0x16: len,  # IA5String
    UTC_TIME: len,
    GENERALIZED_TIME: len,
    0x1C: len,  # UniversalString
    0x1E: len,  # BMPString
}


def check(data: bytes, depth: int = 0, budget: int = VALUES_LIMIT) -> int:
    """Every value in `data`, however deep, is DER; how much of the budget of values is left."""
    if depth > NESTING_LIMIT:
        raise ProtocolError(f"ASN.1 values nested deeper than {NESTING_LIMIT}")
    at = 0
    while at < len(data):
        if not budget:
            raise ProtocolError(f"more than {VALUES_LIMIT} ASN.1 values")
        budget -= 1
        tag, start, end = _header(data, at)
        body, at = data[start:end], end
        universal = tag < 0x40
        if tag & _CONSTRUCTED:
            if universal and tag not in (SEQUENCE, SET):
                raise ProtocolError(f"an ASN.1 tag of {tag:#04x}")
            budget = check(body, depth + 1, budget)
        elif universal:
            if tag not in _PRIMITIVE:
                raise ProtocolError(f"an ASN.1 tag of {tag:#04x}")
            _PRIMITIVE[tag](body)
    return budget


def resembles(data: bytes) -> bool:
    """Could a reader of BER, however careless, take all of `data` for one SEQUENCE or SET of values?

    A TLS 1.2 ServerKeyExchange starts with random bytes; by chance it does so less than once in a million,
    since the values inside have to fit too. More than a few hundred bytes resemble it by their header alone.
    """
    if data[:1] not in (b"0", b"1"):
        return False
    start, length = _lax_length(data, 1)
    if length is None:
        return data.endswith(b"\x00\x00")
    return start + length == len(data) and (length > _CHANCE_LIMIT or _lax_values(data, start))


def _lax_values(data: bytes, at: int) -> bool:
    while at < len(data):
        if data[at] & _HIGH_TAG == _HIGH_TAG:
            return False  # no signed structure has such a tag among its fields
        start, length = _lax_length(data, at + 1)
        if length is None:
            return True  # where an indefinite length ends is not worth a parser
        at = start + length
    return at == len(data)


def _lax_length(data: bytes, at: int) -> tuple[int, int | None]:
    """Where the contents start and their length, in any form that BER knows; None is indefinite."""
    first = data[at] if at < len(data) else 0x7F
    if first < 0x80:
        return at + 1, first
    size = first & 0x7F
    return at + 1 + size, int.from_bytes(data[at + 1 : at + 1 + size], "big") if size else None
