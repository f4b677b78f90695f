"""The agent's lock: a passphrase that opens it again, kept as a salted scrypt hash.

Guesses are made slower, one after the other, each failure doubling the wait up to a limit; whoever knows the
passphrase waits his turn, too. The rest of the agent does not wait.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable

# 8 MiB and about 20 ms. Who reads this process's memory has the keys anyway; the hash is for the passphrase.
_COST = 2**13
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 10.0
_SALT = 16


class Lock:
    """Shut by `close`, opened by `open` after an `attempt` with the same passphrase."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep
        self._salt = self._hash = b""
        self._failures = 0

    @property
    def closed(self) -> bool:
        return bool(self._hash)

    def prepare(self, passphrase: memoryview) -> tuple[bytes, bytes]:
        """Salt and hash of a passphrase, for `close`; takes its time."""
        salt = os.urandom(_SALT)
        return salt, _digest(passphrase, salt)

    def close(self, prepared: tuple[bytes, bytes]) -> None:
        """Shut it."""
        self._salt, self._hash = prepared
        self._failures = 0

    def attempt(self, passphrase: memoryview) -> bool:
        """Is it this passphrase? In a thread that may sleep; `open` follows in the loop."""
        if self._failures:
            self._sleep(min(_FIRST_WAIT_S * 2 ** (self._failures - 1), _LONGEST_WAIT_S))
        fits = self.closed and hmac.compare_digest(_digest(passphrase, self._salt), self._hash)
        self._failures = 0 if fits else min(self._failures + 1, 16)
        return fits

    def open(self) -> None:
        self._salt = self._hash = b""


def _digest(passphrase: memoryview, salt: bytes) -> bytes:
    return hashlib.scrypt(passphrase, salt=salt, n=_COST, r=8, p=1, dklen=32)
