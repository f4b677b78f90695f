"""The values in a message's body, as p11-kit's signature texts name them: `y u v s ay au fy fu`.

A CK_ULONG (`u`) has 64 bits whatever the client's machine. An array that is not there, or does not fit the
caller's room (`fy`, `fu`), is a 0 byte and a count.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, error

from kit.agent.encoding import string, uint32, uint64
from kit.agent.pkcs11.codes import CallError, Code

NULL = 0xFFFFFFFF  # in place of a blob's length, or of a mechanism: the caller passed none
_U32, _U64, _PRESENT = Struct(">I").unpack_from, Struct(">Q").unpack_from, Struct(">BI").unpack_from


class Arguments:
    """Walks through a call's arguments; a body that is not as the call's text says is CKR_ARGUMENTS_BAD.

    It costs no more than the call: a program cannot connect again before it starts again.
    """

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def byte(self) -> int:
        """`y`"""
        return self._take(1)[0]

    def number(self) -> int:
        """`u`"""
        at = self._at
        self._at = at + 8
        try:
            return _U64(self._data, at)[0]  # type: ignore[no-any-return]
        except error:
            raise CallError(Code.ARGUMENTS_BAD) from None

    def count(self) -> int:
        """`fy` and `fu`: the room of the caller's buffer, 0 asks for a length; and any other u32."""
        at = self._at
        self._at = at + 4
        try:
            return _U32(self._data, at)[0]  # type: ignore[no-any-return]
        except error:
            raise CallError(Code.ARGUMENTS_BAD) from None

    def octets(self) -> bytes:
        """`ay`; one that is not there is empty."""
        at = self._at
        try:
            present, length = _PRESENT(self._data, at)
        except error:
            raise CallError(Code.ARGUMENTS_BAD) from None
        self._at = at + 5
        if present == 1:
            return b"" if length == NULL else self._take(length)
        if present:
            raise CallError(Code.ARGUMENTS_BAD)
        return b""

    def blob(self) -> bytes | None:
        """Bytes after their length; None is a NULL."""
        length = self.count()
        return None if length == NULL else self._take(length)

    def end(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise CallError(Code.ARGUMENTS_BAD)

    def _take(self, count: int) -> bytes:
        at = self._at
        end = self._at = at + count
        if end > len(self._data):
            raise CallError(Code.ARGUMENTS_BAD)
        return self._data[at:end]


number = uint64
blob = string


def numbers(*values: int) -> bytes:
    """Several `u`."""
    return b"".join(map(uint64, values))


def text(value: str, width: int) -> bytes:
    """`s`: as wide as the C field, for the client takes no other."""
    return string(value.encode()[:width].ljust(width))


def octets_into(value: bytes, room: int) -> bytes:
    """`ay`, where the caller has room for it."""
    if room < len(value):
        return octets_length(len(value))
    return b"\x01" + string(value)


def octets_length(length: int) -> bytes:
    """`ay`, of which only the length is told."""
    return b"\x00" + uint32(length)


def numbers_into(values: Sequence[int], room: int) -> bytes:
    """`au`. A question for the length gets no items: the client would put them in a buffer of no size."""
    if not room or room < len(values):
        return b"\x00" + uint32(len(values))
    return found_numbers(values)


def found_numbers(values: Sequence[int]) -> bytes:
    """`au`, whose items are all there are for now."""
    return b"\x01" + uint32(len(values)) + numbers(*values)
