"""Attributes of objects on the wire: the number alone tells how the value is written.

A value is a byte (CK_BBOOL), a u64 (CK_ULONG), a list of u64 (the mechanisms of a key), or else bytes after
their length: dates and whatever p11-kit does not know, too. Before it stands its length as the C caller sees
it. Templates inside templates are not read: no object that signs has one, and p11-kit 0.24 cannot read them.
"""

from __future__ import annotations

from typing import NamedTuple

from kit.agent.encoding import string, uint32, uint64
from kit.agent.pkcs11.codes import Attribute, CallError, Code
from kit.agent.pkcs11.values import Arguments, numbers

# A search has 1 to 3 (libp11, GnuTLS, OpenSSH, NSS); no object here has as many as this.
ATTRIBUTES_LIMIT = 64

# p11-kit's tables (rpc-message.c), whole: a byte read as a length would misread all that stands behind it.
_FLAGS = frozenset(
    {0x1, 0x2, 0x86, 0x170, 0x171, 0x200, 0x202, 0x210, 0x301, 0x302, 0x405}
    | {*range(0x103, 0x10D), *range(0x162, 0x166)}
)
_NUMBERS = frozenset(
    {0x0, 0x80, 0x87, 0x88, 0x100, 0x121, 0x133, 0x134, 0x160, 0x161, 0x166, 0x201, 0x300, 0x406, 0x500}
    | {*range(0x400, 0x405)}
)
_TEMPLATES = frozenset((0x40000211, 0x40000212, 0x40000213))

Template = list[tuple[int, bytes | None]]


class Value(NamedTuple):
    """An attribute's value: its length as a C program sees it, and its bytes on the wire."""

    length: int
    wire: bytes


def write(kind: Attribute, value: int | bytes | tuple[int, ...]) -> Value:
    """The value of this attribute."""
    if isinstance(value, tuple):
        return Value(8 * len(value), uint32(len(value)) + numbers(*value))
    if isinstance(value, bytes):
        return Value(len(value), string(value))
    if kind in _FLAGS:
        return Value(1, bytes([value]))
    if kind in _NUMBERS:
        return Value(8, uint64(value))
    # A flag that p11-kit does not know, DESTROYABLE, is bytes like anything else.
    return Value(1, string(bytes([value])))


def read_template(arguments: Arguments) -> Template:
    """`aA`: each attribute's number and its value as `write` gives it; None where none is given."""
    return [_read(arguments) for _ in range(_count(arguments))]


def read_wanted(arguments: Arguments) -> list[tuple[int, int]]:
    """`fA`: each attribute's number and the room that the caller has for it."""
    return [(arguments.count(), arguments.count()) for _ in range(_count(arguments))]


def _count(arguments: Arguments) -> int:
    count = arguments.count()
    if count > ATTRIBUTES_LIMIT:
        raise CallError(Code.ARGUMENTS_BAD)
    return count


def _read(arguments: Arguments) -> tuple[int, bytes | None]:
    kind, given = arguments.count(), arguments.byte()
    if not given:
        return kind, None
    arguments.count()  # the C length: a program of 32 bits says 4 where 8 bytes come
    if kind in _FLAGS:
        return kind, bytes([bool(arguments.byte())])
    if kind in _NUMBERS:
        return kind, uint64(arguments.number())
    if kind == Attribute.ALLOWED_MECHANISMS:
        mechanisms = [arguments.number() for _ in range(_count(arguments))]
        return kind, uint32(len(mechanisms)) + numbers(*mechanisms)
    if kind in _TEMPLATES:
        raise CallError(Code.ARGUMENTS_BAD)
    return kind, string(arguments.blob() or b"")
