"""The SSH agent protocol's messages (draft-ietf-sshm-ssh-agent), both ways; kit's own ones in `extension`.

A message is what stands in one frame: a byte that tells its type, then its fields. What an agent must not
understand (an unknown type, a certificate, a constraint that it cannot keep) parses to `Unsupported` and is
answered with a failure; what breaks the encoding raises ProtocolError and costs the peer its connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from functools import partial

from kit.agent import extension
from kit.agent.encoding import Buffer, Reader, string, uint32
from kit.core.errors import ProtocolError
from kit.core.frozen import frozen

MESSAGE_LIMIT = 256 * 1024  # OpenSSH's AGENT_MAX_LEN

FAILURE, SUCCESS = 5, 6
REQUEST_IDENTITIES, IDENTITIES_ANSWER = 11, 12
SIGN_REQUEST, SIGN_RESPONSE = 13, 14
ADD_IDENTITY, REMOVE_IDENTITY, REMOVE_ALL_IDENTITIES = 17, 18, 19
LOCK, UNLOCK = 22, 23
ADD_ID_CONSTRAINED = 25
EXTENSION, EXTENSION_FAILURE, EXTENSION_RESPONSE = 27, 28, 29
_CONSTRAIN_LIFETIME, _CONSTRAIN_CONFIRM, _CONSTRAIN_EXTENSION = 1, 2, 255


@frozen
class RequestIdentities:
    """SSH_AGENTC_REQUEST_IDENTITIES."""


@frozen
class SignRequest:
    """SSH_AGENTC_SIGN_REQUEST: `content` is whole, not a digest."""

    key_blob: bytes
    content: bytes
    flags: int


@frozen
class AddIdentity:
    """SSH_AGENTC_ADD_IDENTITY and …_CONSTRAINED; `parts` are views of the private key, by the draft's names.

    RSA: n e d iqmp p q. ECDSA: curve q d. Ed25519: pk k (seed and public key, 64 bytes).
    """

    key_type: str
    parts: dict[str, memoryview] = field(repr=False)
    comment: str
    lifetime_s: int = 0


@frozen
class RemoveIdentity:
    """SSH_AGENTC_REMOVE_IDENTITY."""

    key_blob: bytes


@frozen
class RemoveAllIdentities:
    """SSH_AGENTC_REMOVE_ALL_IDENTITIES."""


@frozen
class Lock:
    """SSH_AGENTC_LOCK."""

    passphrase: memoryview = field(repr=False)


@frozen
class Unlock:
    """SSH_AGENTC_UNLOCK."""

    passphrase: memoryview = field(repr=False)


@frozen
class Query:
    """The extension "query": which extensions are there?"""


@frozen
class Unsupported:
    """A well-formed wish that this agent does not fulfil; `why` is for the log."""

    why: str
    is_extension: bool = False


Request = (
    RequestIdentities
    | SignRequest
    | AddIdentity
    | RemoveIdentity
    | RemoveAllIdentities
    | Lock
    | Unlock
    | Query
    | Unsupported
    | extension.Request
)

_RSA_PARTS = ("n", "e", "d", "iqmp", "p", "q")


def parse_request(message: Buffer) -> Request:
    """The request in one frame's bytes; its views live as long as `message` is not wiped."""
    reader = Reader(message)
    number = reader.byte()
    if number not in _PARSERS:
        return Unsupported(f"message type {number}")
    return _PARSERS[number](reader)


def _parse_empty(request: Request, reader: Reader) -> Request:
    reader.end()
    return request


def _parse_sign(reader: Reader) -> Request:
    request = SignRequest(bytes(reader.string()), bytes(reader.string()), reader.uint32())
    reader.end()
    return request


def _parse_remove(reader: Reader) -> Request:
    request = RemoveIdentity(bytes(reader.string()))
    reader.end()
    return request


def _parse_lock(reader: Reader) -> Request:
    request = Lock(reader.string())
    reader.end()
    return request


def _parse_unlock(reader: Reader) -> Request:
    request = Unlock(reader.string())
    reader.end()
    return request


def _parse_add(reader: Reader) -> Request:
    key_type, parts = _private_key(reader)
    if not parts:
        return Unsupported(f"a key of type {key_type!r}")
    comment = reader.text(limit=1024)
    reader.end()
    return AddIdentity(key_type, parts, comment)


def _parse_add_constrained(reader: Reader) -> Request:
    key_type, parts = _private_key(reader)
    if not parts:
        return Unsupported(f"a key of type {key_type!r}")
    comment, lifetime_s = reader.text(limit=1024), 0
    while reader.left:
        constraint = reader.byte()
        if constraint != _CONSTRAIN_LIFETIME:
            # Whatever follows cannot be kept, so the key is not taken: a constraint is never dropped.
            names = {_CONSTRAIN_CONFIRM: "confirmation", _CONSTRAIN_EXTENSION: "an extension"}
            return Unsupported(f"a key constrained by {names.get(constraint, f'number {constraint}')}")
        lifetime_s = reader.uint32()
    return AddIdentity(key_type, parts, comment, lifetime_s)


def _private_key(reader: Reader) -> tuple[str, dict[str, memoryview]]:
    """The key's type and parts; no parts for a type that the agent does not hold."""
    key_type = reader.text()
    if key_type == "ssh-rsa":
        return key_type, {name: reader.mpint() for name in _RSA_PARTS}
    if key_type.startswith("ecdsa-sha2-nistp") and "@" not in key_type:
        return key_type, {"curve": reader.string(), "q": reader.string(), "d": reader.mpint()}
    if key_type == "ssh-ed25519":
        return key_type, {"pk": reader.string(), "k": reader.string()}
    return key_type, {}


def _parse_extension(reader: Reader) -> Request:
    name = reader.text()
    if name == "query":
        reader.end()
        return Query()
    request = extension.parse_request(name, reader)
    return Unsupported(f"extension {name!r}", is_extension=True) if request is None else request


_PARSERS: dict[int, Callable[[Reader], Request]] = {
    REQUEST_IDENTITIES: partial(_parse_empty, RequestIdentities()),
    SIGN_REQUEST: _parse_sign,
    ADD_IDENTITY: _parse_add,
    ADD_ID_CONSTRAINED: _parse_add_constrained,
    REMOVE_IDENTITY: _parse_remove,
    REMOVE_ALL_IDENTITIES: partial(_parse_empty, RemoveAllIdentities()),
    LOCK: _parse_lock,
    UNLOCK: _parse_unlock,
    EXTENSION: _parse_extension,
}


# The agent's answers.


def failure() -> bytes:
    return bytes([FAILURE])


def success() -> bytes:
    return bytes([SUCCESS])


def extension_failure() -> bytes:
    return bytes([EXTENSION_FAILURE])


def identities_answer(identities: list[tuple[bytes, str]]) -> bytes:
    """(key blob, comment) of each key."""
    keys = b"".join(string(blob) + string(comment) for blob, comment in identities)
    return bytes([IDENTITIES_ANSWER]) + uint32(len(identities)) + keys


def sign_response(signature_format: str, blob: bytes) -> bytes:
    """The blob as RFC 4253, 5656 and 8709 give it for the format (e.g. "rsa-sha2-256")."""
    return bytes([SIGN_RESPONSE]) + string(string(signature_format) + string(blob))


def query_response() -> bytes:
    names = b"".join(string(name) for name in ("query", *extension.NAMES))
    return bytes([EXTENSION_RESPONSE]) + string("query") + names


def extension_response(name: str, body: bytes) -> bytes:
    return bytes([EXTENSION_RESPONSE]) + string(name) + body


# The client's side of the same.


def extension_request(name: str) -> bytes:
    """The head of an extension message; its fields follow."""
    return bytes([EXTENSION]) + string(name)


def lock_request(number: int, passphrase: Buffer) -> list[Buffer]:
    """The parts of a LOCK or UNLOCK message, the passphrase uncopied."""
    return [bytes([number]) + uint32(len(passphrase)), passphrase]


def read_success(answer: Buffer) -> bool:
    """Was this request fulfilled?"""
    reader = Reader(answer)
    number = reader.byte()
    reader.end()
    if number not in (SUCCESS, FAILURE):
        raise ProtocolError(f"an answer of type {number}")
    return number == SUCCESS


def read_extension_response(answer: Buffer, name: str) -> Reader | None:
    """The fields of the answer to extension `name`; None where the agent does not know that extension."""
    reader = Reader(answer)
    number = reader.byte()
    if number in (FAILURE, EXTENSION_FAILURE):
        reader.end()
        return None
    if number != EXTENSION_RESPONSE or reader.text() != name:
        raise ProtocolError(f"an answer of type {number} to {name!r}")
    return reader
