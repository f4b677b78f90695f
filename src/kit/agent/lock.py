"""The agent's lock: a passphrase that opens it again, kept as a salted scrypt hash.

Guesses are made slower, one after the other, each failure doubling the wait up to a limit; whoever knows the
passphrase waits his turn, too. The rest of the agent does not wait.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from kit.agent.encoding import Buffer

# 8 MiB and about 20 ms. Who reads this process's memory has the keys anyway; the hash is for the passphrase.
_COST = 2**13
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 10.0
_SALT = 16


class Lock:
    """Shut by `close`; opened by an `attempt` with the same passphrase, each `wait_s` after the last."""

    def __init__(self) -> None:
        self._salt = self._hash = b""
        self._failures = 0

    @property
    def closed(self) -> bool:
        return bool(self._hash)

    @property
    def wait_s(self) -> float:
        """How long the next attempt has to wait."""
        if not self._failures:
            return 0.0
        return min(_FIRST_WAIT_S * 2.0 ** (self._failures - 1), _LONGEST_WAIT_S)

    def close(self, passphrase: Buffer) -> None:
        """Shut it; takes its time."""
        self._salt = os.urandom(_SALT)
        self._hash = _digest(passphrase, self._salt)
        self._failures = 0

    def attempt(self, passphrase: Buffer) -> bool:
        """Is it this passphrase? Then it is open."""
        fits = self.closed and hmac.compare_digest(_digest(passphrase, self._salt), self._hash)
        self._failures = 0 if fits else min(self._failures + 1, 16)
        if fits:
            self._salt = self._hash = b""
        return fits


def _digest(passphrase: Buffer, salt: bytes) -> bytes:
    return hashlib.scrypt(passphrase, salt=salt, n=_COST, r=8, p=1, dklen=32)
