"""PKCS#11 URIs (RFC 7512), which name a key of the token, and the PEM file that holds one.

The file stands where a key file stood: OpenSSL's pkcs11-provider reads it wherever a program has OpenSSL load
a private key. Like a handle it holds nothing secret.

    -----BEGIN PKCS#11 PROVIDER URI-----   then base64, 64 columns, of the DER of
      SEQUENCE { VisibleString "PKCS#11 Provider URI v1.0", UTF8String URI }
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote, quote_from_bytes

from kit.agent import der
from kit.agent.forms import pem

LABEL = "PKCS#11 PROVIDER URI"
TOKEN = "kit agent"
_VERSION = b"PKCS#11 Provider URI v1.0"


def named(key_name: str) -> str:
    """The private key of this name, whichever key that is when a program looks."""
    return _uri(f"object={quote(key_name, safe='')}")


def numbered(spki: bytes) -> str:
    """The private half of exactly this key, by the id that the token gives it."""
    key_id = hashlib.sha1(spki, usedforsecurity=False).digest()
    return _uri(f"id={quote_from_bytes(key_id, safe='')}")


def encode(uri: str) -> str:
    """The text of a PEM file that holds the URI."""
    body = der.encoded(der.VISIBLE_STRING, _VERSION) + der.encoded(der.UTF8_STRING, uri.encode())
    return pem(LABEL, der.encoded(der.SEQUENCE, body))


def _uri(attribute: str) -> str:
    return f"pkcs11:token={quote(TOKEN, safe='')};{attribute};type=private"
