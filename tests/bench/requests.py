"""Requests to sign as frames made beforehand, each with how a good answer to it begins."""

from __future__ import annotations

import os
from dataclasses import dataclass

from kit.agent import extension, wire
from kit.agent.encoding import string, uint32
from kit.core.framing import frame

_VERIFY_CONTENT = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(range(48))
_SSH_CONTENT = b"SSHSIG" + b"".join(string(part) for part in ("file", "", "sha512", os.urandom(64)))


@dataclass(frozen=True)
class Question:
    """A framed request. `head` tells a signature from a refusal, which is quick and would look good."""

    frame: bytes
    head: bytes


def tls_question(key_id: bytes, scheme: int) -> Question:
    """sign@kit for a TLS 1.3 server."""
    request = extension.Sign(key_id, scheme, "tls-server", _VERIFY_CONTENT)
    framed = bytes(frame(wire.extension_request(request.name), *extension.encode(request)))
    return Question(framed, wire.extension_response(request.name, bytes([extension.Status.DONE])))


def ssh_question(key_blob: bytes) -> Question:
    """SSH_AGENTC_SIGN_REQUEST, which every agent knows."""
    framed = frame(bytes([wire.SIGN_REQUEST]), string(key_blob), string(_SSH_CONTENT), uint32(0))
    return Question(bytes(framed), bytes([wire.SIGN_RESPONSE]))
