"""The format of a queue file that OpenSMTPD encrypts (smtpd's crypto.c; the same from 5.7 to 7.8). Pure.

    byte       1, the version
    byte[12]   IV
    byte[]     ciphertext of AES-256-GCM, as long as the plaintext
    byte[16]   tag

There is no associated data, no length, and nothing that names the key; that the tag is right says which one
it was. The key is the 32 bytes of the string that smtpd.conf(5) gives to "queue encryption", not decoded. An
empty plaintext could be sealed, but smtpd never opens one.
"""

from __future__ import annotations

from kit.core.errors import UsageError

VERSION = b"\1"
KEY_BYTES, IV_BYTES, TAG_BYTES = 32, 12, 16
HEAD_BYTES = len(VERSION) + IV_BYTES
OVERHEAD = HEAD_BYTES + TAG_BYTES
# NIST SP 800-38D, section 5.2.1.1: after that the counter would come round. smtpd's own limit is 31 more.
PLAINTEXT_LIMIT = 2**36 - 32
# The purpose of such a key.
QUEUE = "queue"
# As the audit log calls it.
CIPHER = "aes-256-gcm"


class NotSealed(UsageError):
    """The file is none that OpenSMTPD encrypted."""


def head(iv: bytes) -> bytes:
    """What stands before the ciphertext."""
    return VERSION + iv


class Splitter:
    """Takes a sealed file apart: `iv` is there once the head is, the tag is what is left at the end."""

    def __init__(self) -> None:
        self.iv = b""
        self._held = bytearray()
        self._given = 0

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        """The ciphertext that is certain to be no tag, after these bytes; raises NotSealed."""
        self._held += data
        if not self.iv:
            if self._held and self._held[:1] != VERSION:
                raise NotSealed(
                    "it is no encrypted queue file: it does not begin with the byte 01",
                    hint="one that is only compressed begins with 1f, and is read by 'zcat'",
                )
            if len(self._held) < HEAD_BYTES:
                return b""
            self.iv = bytes(self._held[len(VERSION) : HEAD_BYTES])
            del self._held[:HEAD_BYTES]
        size = max(0, len(self._held) - TAG_BYTES)
        ciphertext = bytes(memoryview(self._held)[:size])
        del self._held[:size]
        self._given += size
        return ciphertext

    def end(self) -> bytes:
        """The tag; raises NotSealed where the file is too short to be one."""
        if not self.iv and not self._held:
            raise NotSealed("it is empty")
        if not self._given:
            size = len(self._held) + (HEAD_BYTES if self.iv else 0)
            raise NotSealed(f"it has {size} bytes, and an encrypted queue file has more than {OVERHEAD}")
        return bytes(self._held)
