"""PKCS#11 URIs of keys and the PEM file with one, read back by a reader of our own and by a library."""

from __future__ import annotations

import binascii
import hashlib
from urllib.parse import unquote, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.agent import der, pkcs11_uri
from kit.agent.naming import uri
from kit.agent.pkcs11.general import TOKEN_LABEL
from kit.agent.records import KeyRecord
from kit.core.errors import UsageError

SPKI = bytes(range(1, 91))
ODD = "a b;c/d?e%f&g=h:i\\j\"k'l\n\0é😀|*"


def _record(name: str, kind: str = "p-256", spki: bytes = SPKI) -> KeyRecord:
    return KeyRecord(name, kind, spki, b"", (), 0, 0, 0, 0, 0, (), "")


def _attributes(text: str) -> dict[str, str]:
    scheme, _, rest = text.partition(":")
    assert scheme == "pkcs11"
    return dict(part.split("=", 1) for part in rest.split(";"))  # type: ignore[misc]


def _uri_in(text: str) -> str:
    begin, *lines, end = text.splitlines()
    assert (begin, end) == ("-----BEGIN PKCS#11 PROVIDER URI-----", "-----END PKCS#11 PROVIDER URI-----")
    whole = der.Elements(binascii.a2b_base64("".join(lines)))
    inside = whole.inside(der.SEQUENCE)
    whole.end()
    assert inside.take(der.VISIBLE_STRING).body == b"PKCS#11 Provider URI v1.0"
    found = inside.take(der.UTF8_STRING).body.decode()
    inside.end()
    return found


def test_it_names_the_private_key_in_the_token_that_the_bridge_shows() -> None:
    assert pkcs11_uri.TOKEN == TOKEN_LABEL
    assert pkcs11_uri.named("web") == "pkcs11:token=kit%20agent;object=web;type=private"


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=300))
@example(ODD)
def test_any_name_survives_the_uri_and_the_file(name: str) -> None:
    text = pkcs11_uri.named(name)
    assert text.isascii()
    assert _uri_in(pkcs11_uri.encode(text)) == text
    found = _attributes(text)
    assert unquote(found["object"]) == name
    assert set(found) == {"token", "object", "type"}


def test_a_name_that_two_keys_have_is_no_name() -> None:
    other = _record("web", spki=b"other")
    text = uri(_record("web"), [_record("web"), other])
    assert unquote_to_bytes(_attributes(text)["id"]) == hashlib.sha1(SPKI, usedforsecurity=False).digest()
    assert "object" not in _attributes(text)


def test_a_key_without_a_name_is_found_by_its_id() -> None:
    assert uri(_record(""), [_record("")]) == pkcs11_uri.numbered(SPKI)


def test_a_key_that_the_token_does_not_show_has_no_uri() -> None:
    record = _record("login", "ed25519")
    with pytest.raises(UsageError, match="'login' is of type ed25519"):
        uri(record, [record])
