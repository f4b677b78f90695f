"""A public key's names and written forms, made of its bytes alone.

Apart from `public`, since who only lists keys need not load `cryptography`.
"""

from __future__ import annotations

import binascii
import hashlib

from kit.agent.encoding import Reader, string
from kit.core.errors import UsageError

_COLUMNS = 64
_NAMED = "kit-agent-named-key-v1"


def key_id(spki: bytes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo, the name of the key on the wire (and in TLSA 3 1 1)."""
    return hashlib.sha256(spki).digest()


def id_of(spki: bytes, name: str) -> bytes:
    """The key id of any key. That of one without a public half is made of its name: what is made of a weak
    secret would help to guess it.
    """
    return key_id(spki) if spki else hashlib.sha256(string(_NAMED) + string(name)).digest()


def fingerprint(ssh_blob: bytes, spki: bytes) -> str:
    """As `ssh-keygen -l` prints it: "SHA256:" and unpadded base64 of the SSH blob's hash.

    Of a key that SSH does not have, "SPKI-SHA256:" and the same of the SubjectPublicKeyInfo's; of one without
    a public half, nothing.
    """
    if not spki:
        return ""
    head, data = ("SHA256:", ssh_blob) if ssh_blob else ("SPKI-SHA256:", spki)
    return head + _base64(hashlib.sha256(data).digest()).rstrip("=")


def pem(label: str, der: bytes) -> str:
    """RFC 7468's form, with a line end at its end."""
    body = _base64(der)
    lines = [body[at : at + _COLUMNS] for at in range(0, len(body), _COLUMNS)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def ssh_line(ssh_blob: bytes, comment: str) -> str:
    """A line of authorized_keys (sshd(8)); a line break in the comment is written as an escape."""
    if not ssh_blob:
        raise UsageError("SSH has no keys of this type", hint="write it as PEM")
    key_type = Reader(ssh_blob).text()
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in comment)
    return f"{key_type} {_base64(ssh_blob)} {safe}".rstrip()


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
