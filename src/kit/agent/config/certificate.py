"""What a certificate file says about its leaf: whose key, for which names, until when. Pure.

Nothing is verified: whoever uses the certificate does that. The rest of the chain is not read.
"""

from __future__ import annotations

import binascii
from datetime import UTC, datetime

from kit.agent import der
from kit.agent.der import (
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    Element,
    Elements,
)
from kit.agent.x509 import signed_fields
from kit.core.errors import ProtocolError
from kit.core.frozen import frozen

_COMMON_NAME, _ALTERNATIVE_NAMES = bytes.fromhex("550403"), bytes.fromhex("551d11")
_DNS_NAME, _EXTENSIONS = 0x82, 0xA3
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


@frozen
class Leaf:
    """A certificate; `names` are its DNS names, or without any its common names."""

    der: bytes
    spki: bytes
    names: tuple[str, ...]
    begins_s: float
    ends_s: float


def from_pem(text: bytes) -> bytes:
    """The DER of the first certificate in PEM, which in a chain is the leaf."""
    begin = text.find(_BEGIN)
    end = text.find(_END, begin)
    if begin < 0 or end < 0:
        raise ProtocolError("it holds no certificate")
    try:
        return binascii.a2b_base64(text[begin + len(_BEGIN) : end])
    except binascii.Error:
        raise ProtocolError("its base64 is damaged") from None


def read_leaf(certificate: bytes) -> Leaf:
    """Raises ProtocolError where the DER is no certificate (RFC 5280, section 4.1)."""
    fields = signed_fields(certificate)
    validity = fields.inside(SEQUENCE)
    begins_s, ends_s = _time(validity.next()), _time(validity.next())
    subject, spki = fields.inside(SEQUENCE), fields.take(SEQUENCE).whole
    return Leaf(certificate, spki, _alternative_names(fields) or _common_names(subject), begins_s, ends_s)


def _time(element: Element) -> float:
    """Seconds of the Unix epoch; RFC 5280, section 4.1.2.5.1 says which century two digits mean."""
    text = element.body.decode("ascii", "replace")
    if element.tag == der.UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    if len(text) != len("YYYYMMDDHHMMSSZ") or not text[:-1].isdecimal():
        raise ProtocolError("a time that is none")
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, 14, 2))
    try:
        return datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        raise ProtocolError("a time that is none") from None


def _alternative_names(fields: Elements) -> tuple[str, ...]:
    while fields.left:
        element = fields.next()
        if element.tag == _EXTENSIONS:
            return _dns_names(Elements(element.body).inside(SEQUENCE))
    return ()


def _dns_names(extensions: Elements) -> tuple[str, ...]:
    while extensions.left:
        extension = extensions.inside(SEQUENCE)
        identifier = extension.take(OBJECT_IDENTIFIER).body
        extension.optional(der.BOOLEAN)
        if identifier == _ALTERNATIVE_NAMES:
            names = Elements(extension.take(OCTET_STRING).body).inside(SEQUENCE)
            return tuple(_text(name.body) for name in _each(names) if name.tag == _DNS_NAME)
    return ()


def _common_names(subject: Elements) -> tuple[str, ...]:
    found = []
    while subject.left:
        relative = subject.inside(SET)
        while relative.left:
            attribute = relative.inside(SEQUENCE)
            if attribute.take(OBJECT_IDENTIFIER).body == _COMMON_NAME:
                found.append(_text(attribute.next().body))
    return tuple(found)


def _each(elements: Elements) -> list[Element]:
    found = []
    while elements.left:
        found.append(elements.next())
    return found


def _text(octets: bytes) -> str:
    return octets.decode(errors="replace")
