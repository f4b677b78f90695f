"""OpenBSD's imsg as smtpd's parent speaks it to its ca process, in all of its versions.

In host order: u32 type; u16 length, u16 flags (bit 0: a descriptor comes along), or since 7.8 both in one
u32 with the top bit for the descriptor; u32 peer, u32 pid. The length counts these 16 bytes. The numbers of
the types moved, too: 6.8 counts three more. The first message is always a peer's introduction, which has
nothing but a descriptor, and so tells which of the four it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import Enum

from kit.core.errors import ProtocolError
from kit.core.frozen import frozen

HEADER = 16
MESSAGE_LIMIT = 16384  # imsg.h: MAX_IMSGSIZE
_DESCRIPTOR_FLAG, _DESCRIPTOR_MARK = 1, 0x80000000
_OLD, _NEW = struct.Struct("=IHHII"), struct.Struct("=IIII")


class Kind(Enum):
    """The messages that a key process has to know; their numbers in smtpd 7."""

    SETUP_PEER = 41
    SETUP_DONE = 42
    RSA_PRIVENC = 146
    RSA_PRIVDEC = 147
    ECDSA_SIGN = 148
    OTHER = -1


_IN_6_8 = 3


@frozen
class Dialect:
    """How a version of smtpd writes its headers and counts its types."""

    marked: bool  # the descriptor's flag is in the length's word
    shift: int

    @property
    def names_keys(self) -> bool:
        """Are keys asked for by the name of their pki, as in 6.8, and not by their hash?"""
        return self.shift == _IN_6_8

    def kind(self, number: int) -> Kind:
        return _KINDS.get(number - self.shift, Kind.OTHER)

    def read(self, header: bytes) -> tuple[int, int, bool, int]:
        """Type, length, whether a descriptor comes along, peer."""
        if self.marked:
            number, length, peer, _ = _NEW.unpack(header)
            return number, length & ~_DESCRIPTOR_MARK, bool(length & _DESCRIPTOR_MARK), peer
        number, length, flags, peer, _ = _OLD.unpack(header)
        return number, length, bool(flags & _DESCRIPTOR_FLAG), peer

    def encode(self, kind: Kind, body: bytes, pid: int) -> bytes:
        """A whole message without a descriptor."""
        number, length = kind.value + self.shift, HEADER + len(body)
        if self.marked:
            return _NEW.pack(number, length, 0, pid) + body
        return _OLD.pack(number, length, 0, 0, pid) + body


_KINDS = {kind.value: kind for kind in Kind}
_DIALECTS = tuple(Dialect(marked, shift) for marked in (False, True) for shift in (0, _IN_6_8))


@frozen
class Message:
    """A message; the descriptor that comes along is the channel's next one."""

    kind: Kind
    peer: int
    has_descriptor: bool
    body: bytes


class Decoder:
    """Messages from the bytes of one channel; without a dialect it learns that from the first."""

    def __init__(self, dialect: Dialect | None = None) -> None:
        self.dialect = dialect
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Every message that is complete now; raises ProtocolError, after which nothing is read any more."""
        self._buffer += data
        while len(self._buffer) >= HEADER:
            header = bytes(self._buffer[:HEADER])
            dialect = self.dialect or self._learn(header)
            number, length, has_descriptor, peer = dialect.read(header)
            if not HEADER <= length <= MESSAGE_LIMIT:
                raise ProtocolError(f"a message of smtpd with a length of {length}")
            if len(self._buffer) < length:
                return
            body = bytes(self._buffer[HEADER:length])
            del self._buffer[:length]
            yield Message(dialect.kind(number), peer, has_descriptor, body)

    def _learn(self, header: bytes) -> Dialect:
        for dialect in _DIALECTS:
            number, length, has_descriptor, _ = dialect.read(header)
            if dialect.kind(number) is Kind.SETUP_PEER and (length, has_descriptor) == (HEADER, True):
                self.dialect = dialect
                return dialect
        raise ProtocolError("smtpd does not begin as any version that is known")
