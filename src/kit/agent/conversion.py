"""Has `kit.agent.convert` turn an RSA key from an SSH message into DER, in a process of its own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping

from kit.agent.encoding import uint32
from kit.core.errors import Unavailable, UsageError

_PARTS = ("n", "e", "d", "iqmp", "p", "q")
# Twice what an RSA key of 8192 bits takes; a pipe holds 64 KiB, so neither side waits for the other.
_LIMIT = 8 * 1024
_TIME_LIMIT_S = 10


@contextlib.contextmanager
def rsa_to_der(parts: Mapping[str, memoryview]) -> Iterator[memoryview]:
    """The key as PKCS#1 DER, wiped at the end; raises UsageError for numbers that are no key."""
    if sum(4 + len(parts[name]) for name in _PARTS) > _LIMIT:
        raise UsageError("an RSA key that is too long")
    out = bytearray(_LIMIT)
    try:
        try:
            size = _convert(parts, out)
        except OSError as error:
            raise Unavailable(f"cannot convert an RSA key: {(error.strerror or 'failed').lower()}") from None
        if not size:
            raise UsageError("the numbers are no RSA key")
        with memoryview(out)[:size] as der:
            yield der
    finally:
        out[:] = bytes(len(out))


def _convert(parts: Mapping[str, memoryview], out: bytearray) -> int:
    """How many bytes of DER the child wrote into `out`; 0 where it failed."""
    # Most agents never need it, and it is large.
    from subprocess import DEVNULL, PIPE, Popen

    command = [sys.executable, "-I", "-m", "kit.agent.convert"]
    # bufsize 0: the secret passes through no buffer of Python's.
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, bufsize=0, env={}, cwd="/") as child:
        assert child.stdin and child.stdout  # noqa: S101 - for the type checker
        try:
            for name in _PARTS:
                child.stdin.write(uint32(len(parts[name])))
                child.stdin.write(parts[name])
            child.stdin.close()
            size = 0
            while got := child.stdout.readinto(memoryview(out)[size:]):  # type: ignore[attr-defined]
                size += got
            return size if child.wait(_TIME_LIMIT_S) == 0 else 0
        except BrokenPipeError:
            return 0
        finally:
            child.kill()
