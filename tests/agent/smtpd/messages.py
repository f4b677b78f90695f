"""smtpd's side of the conversation, as its imsg.c and mproc.c write it."""

from __future__ import annotations

import struct

from kit.agent.smtpd.imsg import Dialect

V6_8, V7, V7_8 = Dialect(False, 3), Dialect(False, 0), Dialect(True, 0)
DIALECTS = (V6_8, V7, V7_8)
# smtpd's numbers; 6.8 counts three more.
SETUP_PEER, SETUP_DONE, CONF_START, CONF_END = 41, 42, 43, 44
RSA_PRIVENC, RSA_PRIVDEC, ECDSA_SIGN = 146, 147, 148
CONTROL, DISPATCHER = 3, 5
NAME = "SHA256:" + "5a" * 32


def message(
    dialect: Dialect, number: int, body: bytes = b"", *, peer: int = 0, descriptor: bool = False
) -> bytes:
    """A message with its header."""
    length, number = 16 + len(body), number + dialect.shift
    if dialect.marked:
        return struct.pack("=IIII", number, length | descriptor << 31, peer, 4711) + body
    return struct.pack("=IHHII", number, length, int(descriptor), peer, 4711) + body


def introduction(dialect: Dialect, peer: int = DISPATCHER) -> bytes:
    return message(dialect, SETUP_PEER, peer=peer, descriptor=True)


def request(
    data: bytes, *, name: str = NAME, ident: int = 1, modulus: int = 0, padding: int | None = None
) -> bytes:
    """The body of a request; with a padding it is RSA's."""
    body = struct.pack("=Q", ident) + b"s" + name.encode() + b"\0" + struct.pack("@N", len(data)) + data
    return body if padding is None else body + struct.pack("@NN", modulus or len(data), padding)
