"""The keys of queue files, and the files that are under way with them: AES-256-GCM, a piece at a time.

Rules of this file: whoever seals never chooses the IV, since a second file under one IV would give away both,
and the means to forge more; a key's octets are wiped when it is let go, and no file goes on without its key.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from typing import Any, NamedTuple
from weakref import WeakSet

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import GCM

from kit.agent.queue.format import IV_BYTES, PLAINTEXT_LIMIT, TAG_BYTES
from kit.core.errors import Unavailable, UsageError

Buffer = bytes | bytearray | memoryview
# `update_into` wants room for a whole block more than it was given, less one byte.
_MORE_ROOM = 15


class Interrupted(Unavailable):
    """The key of a file that was under way is not to be used any more."""


class Ended(NamedTuple):
    """What is known at the end of a file: the tag of a sealed one, the key that an opened one fits."""

    tag: bytes
    key_id: bytes


class QueueKey:
    """A key's octets; every file that is under way with it ends with it."""

    def __init__(self, octets: Buffer) -> None:
        self._octets = bytearray(octets)
        self._passes: WeakSet[_Pass] = WeakSet()

    def __repr__(self) -> str:
        return "<QueueKey>"

    def __del__(self) -> None:
        self._octets[:] = bytes(len(self._octets))

    def same(self, other: QueueKey) -> bool:
        return hmac.compare_digest(self._octets, other._octets)

    def encrypt(self, iv: bytes) -> _Pass:
        return self._begin(Cipher(AES256(self._octets), GCM(iv)).encryptor())

    def decrypt(self, iv: bytes) -> _Pass:
        return self._begin(Cipher(AES256(self._octets), GCM(iv)).decryptor())

    def interrupt(self) -> None:
        """No file goes on."""
        for one in tuple(self._passes):
            one.stop()

    def wipe(self) -> None:
        """It is not used any more; OpenSSL wipes what it made of it."""
        self.interrupt()
        self._octets[:] = bytes(len(self._octets))

    def _begin(self, context: Any) -> _Pass:
        begun = _Pass(context)
        self._passes.add(begun)
        return begun


class _Pass:
    """One key's way through one file."""

    def __init__(self, context: Any) -> None:
        self._context = context

    @property
    def context(self) -> Any:
        if self._context is None:
            raise Interrupted(
                "the key was removed or changed, or the agent locked, while the file was under way",
                hint="try again",
            )
        return self._context

    def stop(self) -> None:
        self._context = None


class _Under:
    """What sealing and opening share: the count of what came."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0

    def _count(self, piece: Buffer) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise UsageError(f"the file is too large: more than {self._limit} bytes of plaintext")


class Sealing(_Under):
    """A file that is being sealed with one key, under an IV that is made here."""

    def __init__(self, key_id: bytes, key: QueueKey, limit: int = PLAINTEXT_LIMIT) -> None:
        super().__init__(limit)
        self.iv = os.urandom(IV_BYTES)
        self.key_ids = (key_id,)
        self._pass = key.encrypt(self.iv)

    def feed(self, piece: Buffer) -> bytearray:
        """The piece's ciphertext."""
        self._count(piece)
        return _update(self._pass, piece)

    def end(self, tag: bytes) -> Ended:
        if tag:
            raise UsageError("a file that is being sealed has no tag yet")
        if not self._size:
            raise UsageError("there is nothing to seal: an empty file could never be opened")
        context = self._pass.context
        context.finalize()
        return Ended(context.tag, b"")


class Opening(_Under):
    """A file that is being opened with one key, or checked against several, which gives no plaintext."""

    def __init__(
        self, keys: Mapping[bytes, QueueKey], iv: bytes, *, wanted: bool, limit: int = PLAINTEXT_LIMIT
    ) -> None:
        super().__init__(limit)
        if len(iv) != IV_BYTES:
            raise UsageError(f"an IV of {len(iv)} bytes, where {IV_BYTES} are due")
        if not keys or (wanted and len(keys) > 1):
            raise UsageError("a file is opened with one key, and checked against one or more")
        self.key_ids = tuple(keys)
        self._wanted = wanted
        self._passes = {key_id: key.decrypt(iv) for key_id, key in keys.items()}

    def feed(self, piece: Buffer) -> bytearray:
        """The piece's plaintext where it is wanted, else nothing."""
        self._count(piece)
        for one in self._passes.values():
            plaintext = _update(one, piece)
            if self._wanted:
                return plaintext
            plaintext[:] = bytes(len(plaintext))
        return bytearray()

    def end(self, tag: bytes) -> Ended:
        """Whose is the tag? That of an empty file is nobody's, as in smtpd."""
        if len(tag) != TAG_BYTES:
            raise UsageError(f"a tag of {len(tag)} bytes, where {TAG_BYTES} are due")
        fitting = [key_id for key_id, one in self._passes.items() if _fits(one, tag)]
        return Ended(b"", fitting[0] if fitting and self._size else b"")


UnderWay = Sealing | Opening


def _update(one: _Pass, piece: Buffer) -> bytearray:
    room = bytearray(len(piece) + _MORE_ROOM)
    del room[one.context.update_into(piece, room) :]
    return room


def _fits(one: _Pass, tag: bytes) -> bool:
    try:
        one.context.finalize_with_tag(tag)
    except InvalidTag:
        return False
    return True
