"""Messages as frozen dataclasses whose fields carry their wire type, in wire order. Pure.

Reading and writing follow that one table, for kit's own extensions of the agent protocol and for what the
agent's processes say to each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields
from functools import cache
from typing import Any, NamedTuple, TypeVar

from kit.agent.encoding import Buffer, Reader, string, uint32, uint64
from kit.core.errors import ProtocolError

_T = TypeVar("_T")
# Who may use a key is the longest list of names: 256 of "uid:4294967294".
_TEXT, _NAMES = 1024, 4096


class _WireType(NamedTuple):
    read: Callable[[Reader], Any]
    write: Callable[[Any], list[Buffer]]


def _field(read: Callable[[Reader], Any], write: Callable[[Any], list[Buffer]]) -> Any:
    return field(metadata={"type": _WireType(read, write)})


def octets() -> Any:
    return _field(lambda r: bytes(r.string()), lambda v: [string(v)])


def secret() -> Any:
    """A view into the message: neither read nor written by copying, and in no repr."""
    wire_type = _WireType(Reader.string, lambda v: [uint32(len(v)), v])
    return field(repr=False, metadata={"type": wire_type})


def text() -> Any:
    return _field(lambda r: r.text(_TEXT), lambda v: [string(v)])


def remark(limit: int = _TEXT) -> Any:
    """A text for people, of any length when it is written: what exceeds the limit is cut off."""
    return _field(lambda r: r.text(_TEXT), lambda v: [string(_cut(v, limit))])


def number32() -> Any:
    return _field(Reader.uint32, lambda v: [uint32(v)])


def number64() -> Any:
    return _field(Reader.uint64, lambda v: [uint64(v)])


def flag() -> Any:
    return _field(Reader.boolean, lambda v: [bytes([v])])


def names() -> Any:
    """RFC 4251's name-list."""
    return _field(lambda r: _split(r.text(_NAMES)), lambda v: [string(",".join(v))])


def numbers() -> Any:
    """A set of uint32."""
    return _field(_read_numbers, lambda v: [string(b"".join(map(uint32, sorted(v))))])


def counts() -> Any:
    """Any number of uint64, in their order."""
    return _field(_read_counts, lambda v: [string(b"".join(map(uint64, v)))])


def rows(row: type[Any], limit: int) -> Any:
    """A count up to `limit`, and that many messages of one kind."""
    return _field(_read_rows(row, limit), _write_rows)


def read(kind: type[_T], reader: Reader) -> _T:
    """The message's fields; raises ProtocolError."""
    return kind(*[wire_type.read(reader) for wire_type in _readers(kind)])  # type: ignore[arg-type]


def write(message: Any) -> list[Buffer]:
    """The message's fields, in parts so that a secret is not copied."""
    columns = _columns(type(message))  # type: ignore[arg-type]
    return [part for name, wire_type in columns for part in wire_type.write(getattr(message, name))]


@cache
def _columns(kind: Any) -> tuple[tuple[str, _WireType], ...]:
    return tuple((f.name, f.metadata["type"]) for f in fields(kind))


@cache
def _readers(kind: Any) -> tuple[_WireType, ...]:
    return tuple(wire_type for _, wire_type in _columns(kind))


def _cut(text: str, limit: int) -> bytes:
    """Between two characters; a file's name may hold some that UTF-8 has not."""
    return text.encode(errors="replace")[:limit].decode(errors="ignore").encode()


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _read_numbers(reader: Reader) -> frozenset[int]:
    raw = bytes(reader.string())
    if len(raw) % 4:
        raise ProtocolError(f"a set of numbers in {len(raw)} bytes")
    return frozenset(int.from_bytes(raw[at : at + 4], "big") for at in range(0, len(raw), 4))


def _read_counts(reader: Reader) -> tuple[int, ...]:
    raw = bytes(reader.string())
    if len(raw) % 8:
        raise ProtocolError(f"a row of counts in {len(raw)} bytes")
    return tuple(int.from_bytes(raw[at : at + 8], "big") for at in range(0, len(raw), 8))


def _read_rows(row: type[Any], limit: int) -> Callable[[Reader], Any]:
    def read_rows(reader: Reader) -> Any:
        count = reader.uint32()
        if count > limit:
            raise ProtocolError(f"a list of {count}, where {limit} are allowed")
        return tuple(read(row, reader) for _ in range(count))

    return read_rows


def _write_rows(rows: Any) -> list[Buffer]:
    return [uint32(len(rows)), *(part for row in rows for part in write(row))]
