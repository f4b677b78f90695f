"""What a client program (PKCS#11's "application") has open: sessions, searches, signatures under way."""

from __future__ import annotations

import hashlib
from typing import Any

from kit.agent.extension import Sign, SignDigest
from kit.agent.pkcs11.codes import CallError, Code
from kit.agent.pkcs11.mechanisms import Digest, Means
from kit.agent.pkcs11.objects import Key
from kit.agent.pkcs11.token import Token
from kit.agent.wire import MESSAGE_LIMIT

# The clients that were tried have a few each; p11-kit's own server sets no limit.
SESSIONS_LIMIT = 256
# What the agent takes whole, within a message that also says for which key and whom.
CONTENT_LIMIT = MESSAGE_LIMIT - 1024
# What comes in pieces. TLS and SSH sign some hundred bytes, a CSR some thousand; more is a document.
TOTAL_LIMIT = 1024 * 1024
# What waits in all sessions of a client for its end; that of thousands of handshakes would fit.
KEPT_LIMIT = 2 * CONTENT_LIMIT
# A DigestInfo of SHA-512 has 83 bytes.
_DIGEST_LIMIT = 128


class Operation:
    """A signature under way. Content is kept as long as the agent would take it, then only hashed.

    A digest may come in parts, too, which PKCS#11 does not know: pkcs11-tool 0.26 has it so.
    """

    __slots__ = ("_hash", "_size", "content", "key", "means")

    def __init__(self, key: Key, means: Means) -> None:
        self.key = key
        self.means = means
        self.content = bytearray()
        self._size = 0
        self._hash: Any = None

    @property
    def in_parts(self) -> bool:
        """Has a part arrived?"""
        return self._size > 0

    def update(self, part: bytes) -> None:
        """Take the next part; raises CallError for too much."""
        self._size += len(part)
        if self._size > (_DIGEST_LIMIT if isinstance(self.means, Digest) else TOTAL_LIMIT):
            raise CallError(Code.DATA_LEN_RANGE)
        if self._hash is not None:
            self._hash.update(part)
            return
        self.content += part
        if len(self.content) > CONTENT_LIMIT and not isinstance(self.means, Digest):
            self._hash = hashlib.new(self.means.hash_name, self.content)
            self.content = bytearray()

    def request(self) -> Sign | SignDigest:
        """What to ask the agent, now that all parts are here."""
        if self._hash is None or isinstance(self.means, Digest):
            return self.request_for(bytes(self.content))
        return SignDigest(self.key.key_id, self.means.scheme, "", self._hash.digest())

    def request_for(self, data: bytes) -> Sign | SignDigest:
        """What to ask the agent where everything comes at once."""
        means = self.means
        if isinstance(means, Digest):
            scheme, digest = means.read(data)
            return SignDigest(self.key.key_id, scheme, "", digest)
        if len(data) <= CONTENT_LIMIT:
            return Sign(self.key.key_id, means.scheme, "", data)
        return SignDigest(self.key.key_id, means.scheme, "", hashlib.new(means.hash_name, data).digest())


class Session:
    """One session."""

    __slots__ = ("found", "operation", "read_write")

    def __init__(self, read_write: bool) -> None:
        self.read_write = read_write
        self.found: list[int] | None = None  # what a search has left to hand out
        self.operation: Operation | None = None


class Application:
    """All that one connection has made; it ends with the connection, or at C_Finalize."""

    __slots__ = ("_last", "initialized", "logged_in", "sessions", "token", "version")

    def __init__(self) -> None:
        self.version = 0  # the highest that the client speaks
        self.initialized = False
        self.logged_in = False
        self.token = Token()
        self.sessions: dict[int, Session] = {}
        self._last = 0

    def open(self, read_write: bool) -> int:
        """A new session's handle."""
        if len(self.sessions) >= SESSIONS_LIMIT:
            raise CallError(Code.SESSION_COUNT)
        self._last += 1
        self.sessions[self._last] = Session(read_write)
        return self._last

    def session(self, handle: int) -> Session:
        found = self.sessions.get(handle)
        if found is None:
            raise CallError(Code.SESSION_HANDLE_INVALID)
        return found

    def close(self, handle: int) -> None:
        self.session(handle)
        del self.sessions[handle]
        self.logged_in = self.logged_in and bool(self.sessions)

    def close_all(self) -> None:
        self.sessions.clear()
        self.logged_in = False

    def kept(self) -> int:
        """How many bytes of content wait for more."""
        return sum(len(one.operation.content) for one in self.sessions.values() if one.operation)
