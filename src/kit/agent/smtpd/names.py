"""By which name smtpd asks for a key: since 7 by a hash of its certificate's public key, before by its pki's.

The hash is SHA-256 over the contents of the BIT STRING (OpenSSL's X509_pubkey_digest), not over the whole
SubjectPublicKeyInfo as in the agent's key id.
"""

from __future__ import annotations

import hashlib

from kit.agent import der
from kit.agent.der import BIT_STRING, SEQUENCE, Elements


def hash_name(spki: bytes) -> str:
    """The name of this public key in smtpd 7; raises ProtocolError."""
    fields = Elements(spki).inside(SEQUENCE)
    fields.take(SEQUENCE)
    bits = der.bit_string(fields.take(BIT_STRING).body)
    return "SHA256:" + hashlib.sha256(bits).hexdigest()
