"""kit's own messages, as extensions of the SSH agent protocol; field by field in kit-agent-protocol(7).

A request is `byte 27, string NAME, fields`; an answer `byte 29, string NAME, byte status`, then the
answer's fields where status is DONE, otherwise `string message, string purpose`. Each message is a frozen
dataclass whose fields carry their wire type, in wire order, so reading and writing follow one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import IntEnum
from functools import cache
from typing import Any, ClassVar, NamedTuple, TypeVar

from kit.agent.encoding import Buffer, Reader, string, uint32, uint64
from kit.core.errors import ProtocolError

KEYS_LIMIT = 256


class Status(IntEnum):
    """What became of a request."""

    DONE = 0
    REFUSED = 1  # the key exists, and its purposes do not allow this
    UNKNOWN_KEY = 2
    LOCKED = 3
    MALFORMED = (
        4  # understood, but a field says something impossible (a key that is none, an unknown purpose)
    )
    UNAVAILABLE = 5  # a limit is reached, or this agent cannot do it
    FAILED = 6  # the private operation itself failed


class _WireType(NamedTuple):
    read: Callable[[Reader], Any]
    write: Callable[[Any], list[Buffer]]


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _read_rows(row: type[Any]) -> Callable[[Reader], Any]:
    def read(reader: Reader) -> Any:
        count = reader.uint32()
        if count > KEYS_LIMIT:
            raise ProtocolError(f"a list of {count}, where {KEYS_LIMIT} are allowed")
        return tuple(_read(row, reader) for _ in range(count))

    return read


def _write_rows(rows: Any) -> list[Buffer]:
    return [uint32(len(rows)), *(part for row in rows for part in _write(row))]


def _bytes() -> Any:
    return field(metadata={"type": _WireType(lambda r: bytes(r.string()), lambda v: [string(v)])})


def _secret() -> Any:
    """A view into the message: neither read nor written by copying, and in no repr."""
    wire_type = _WireType(Reader.string, lambda v: [uint32(len(v)), v])
    return field(repr=False, metadata={"type": wire_type})


def _text() -> Any:
    return field(metadata={"type": _WireType(lambda r: r.text(1024), lambda v: [string(v)])})


def _uint32() -> Any:
    return field(metadata={"type": _WireType(Reader.uint32, lambda v: [uint32(v)])})


def _uint64() -> Any:
    return field(metadata={"type": _WireType(Reader.uint64, lambda v: [uint64(v)])})


def _boolean() -> Any:
    return field(metadata={"type": _WireType(Reader.boolean, lambda v: [bytes([v])])})


def _list_of_names() -> Any:
    """RFC 4251's name-list."""
    wire_type = _WireType(lambda r: _names(r.text(1024)), lambda v: [string(",".join(v))])
    return field(metadata={"type": wire_type})


def _rows(row: type[Any]) -> Any:
    return field(metadata={"type": _WireType(_read_rows(row), _write_rows)})


@dataclass(frozen=True)
class Sign:
    """Sign `content` with a TLS SignatureScheme; `purpose` is what the caller says that it is for."""

    name: ClassVar[str] = "sign@kit"
    key_id: bytes = _bytes()  # SHA-256 of the SubjectPublicKeyInfo
    scheme: int = _uint32()
    purpose: str = _text()
    content: bytes = _bytes()


@dataclass(frozen=True)
class Decrypt:
    """RSA PKCS#1 v1.5 decryption with implicit rejection (draft-irtf-cfrg-rsa-guidance)."""

    name: ClassVar[str] = "decrypt@kit"
    key_id: bytes = _bytes()
    ciphertext: bytes = _bytes()


@dataclass(frozen=True)
class Generate:
    """Make a key inside the agent; `kind` is one of `schemes.KINDS`. No lifetime is 0."""

    name: ClassVar[str] = "generate@kit"
    key_name: str = _text()
    kind: str = _text()
    purposes: tuple[str, ...] = _list_of_names()
    lifetime_s: int = _uint32()


@dataclass(frozen=True)
class Add:
    """Hand over a private key: unencrypted DER of PKCS#8, PKCS#1 or SEC 1."""

    name: ClassVar[str] = "add@kit"
    key_name: str = _text()
    purposes: tuple[str, ...] = _list_of_names()
    lifetime_s: int = _uint32()
    private_key: memoryview = _secret()


@dataclass(frozen=True)
class List:
    """Every key that there is, with its public side and its counters."""

    name: ClassVar[str] = "list@kit"


@dataclass(frozen=True)
class Remove:
    """Forget one key."""

    name: ClassVar[str] = "remove@kit"
    key_id: bytes = _bytes()


@dataclass(frozen=True)
class GetStatus:
    """How is the agent?"""

    name: ClassVar[str] = "status@kit"


@dataclass(frozen=True)
class Stop:
    """End the agent in good order."""

    name: ClassVar[str] = "stop@kit"


Request = Sign | Decrypt | Generate | Add | List | Remove | GetStatus | Stop
_REQUESTS: dict[str, type[Request]] = {
    kind.name: kind for kind in (Sign, Decrypt, Generate, Add, List, Remove, GetStatus, Stop)
}
NAMES = tuple(_REQUESTS)


@dataclass(frozen=True)
class KeyRecord:
    """A key as the agent lists it; times are seconds of the Unix epoch, 0 is never."""

    key_name: str = _text()
    kind: str = _text()
    spki: bytes = _bytes()  # SubjectPublicKeyInfo, DER
    ssh_blob: bytes = _bytes()  # RFC 4253, section 6.6
    purposes: tuple[str, ...] = _list_of_names()
    added_s: int = _uint64()
    expires_s: int = _uint64()
    signed: int = _uint64()
    decrypted: int = _uint64()
    refused: int = _uint64()


@dataclass(frozen=True)
class Measure:
    """One hardening measure: `state` is "applied", "unavailable" or "refused", `detail` says why."""

    measure: str = _text()
    state: str = _text()
    detail: str = _text()


@dataclass(frozen=True)
class Signature:
    """In TLS's own form: ECDSA as DER, RSA and Ed25519 as they are."""

    signature: bytes = _bytes()


@dataclass(frozen=True)
class Plaintext:
    """What the ciphertext held; for a bad one, bytes that look no different (implicit rejection)."""

    plaintext: memoryview = _secret()


@dataclass(frozen=True)
class KeyList:
    """The answer to `List`; of one key, to `Generate` and `Add`."""

    keys: tuple[KeyRecord, ...] = _rows(KeyRecord)


@dataclass(frozen=True)
class Done:
    """The answer to `Remove` and `Stop`: nothing to add."""


@dataclass(frozen=True)
class AgentStatus:
    """The answer to `GetStatus`; counters count since the start."""

    version: str = _text()
    pid: int = _uint32()
    started_s: int = _uint64()
    locked: bool = _boolean()
    keys: int = _uint32()
    connections: int = _uint32()
    accepted: int = _uint64()
    signed: int = _uint64()
    decrypted: int = _uint64()
    refused: int = _uint64()
    failed: int = _uint64()
    malformed: int = _uint64()
    rejected: int = _uint64()  # connections of other users, and those beyond the limit
    measures: tuple[Measure, ...] = _rows(Measure)


Answer = Signature | Plaintext | KeyList | Done | AgentStatus


@dataclass(frozen=True)
class Failure:
    """Any status but DONE; `purpose` names the purpose that a refusal is about."""

    status: Status
    message: str
    purpose: str = ""


_T = TypeVar("_T")


def parse_request(name: str, reader: Reader) -> Request | None:
    """The request after its name, or None where kit has no such extension."""
    if name not in _REQUESTS:
        return None
    request = _read(_REQUESTS[name], reader)
    reader.end()
    return request


def encode(message: Request | Answer) -> list[Buffer]:
    """The message's fields, in parts so that a secret is not copied."""
    return _write(message)


def encode_answer(answer: Answer | Failure) -> list[Buffer]:
    """The status, then the fields."""
    if isinstance(answer, Failure):
        return [bytes([answer.status]), string(answer.message[:1024]), string(answer.purpose)]
    return [bytes([Status.DONE]), *_write(answer)]


def parse_answer(answer: type[_T], reader: Reader) -> _T | Failure:
    """The answer's fields after the extension's name."""
    status = reader.byte()
    if status == Status.DONE:
        result: _T | Failure = _read(answer, reader)
    else:
        result = Failure(_status(status), reader.text(4096), reader.text())
    reader.end()
    return result


def _status(number: int) -> Status:
    try:
        return Status(number)
    except ValueError:
        raise ProtocolError(f"an answer of status {number}") from None


@cache
def _columns(kind: Any) -> tuple[tuple[str, _WireType], ...]:
    return tuple((f.name, f.metadata["type"]) for f in fields(kind))


def _read(kind: type[_T], reader: Reader) -> _T:
    return kind(*[wire_type.read(reader) for _, wire_type in _columns(kind)])  # type: ignore[arg-type]


def _write(message: Any) -> list[Buffer]:
    columns = _columns(type(message))  # type: ignore[arg-type]
    return [part for name, wire_type in columns for part in wire_type.write(getattr(message, name))]
