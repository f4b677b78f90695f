"""The files that a configuration names: private keys to be opened for others to read, and certificates.

Whoever opens a key file here never reads it. It is opened only where nobody but root and the agent's user can
read or replace its content; everything about it is asked of the open descriptor, which no rename can change.
"""

from __future__ import annotations

import errno
import os
import stat

from kit.agent.config.certificate import Leaf, from_pem, read_leaf
from kit.agent.loader import SecretBuffer
from kit.core.errors import KitError, NotPermitted, ProtocolError, Unavailable, UsageError

# O_NONBLOCK: a FIFO in its place would wait for its writer. It means nothing to a regular file.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_SEQUENCE = 0x30


def open_key(path: str, uid: int | None = None, gid: int | None = None) -> int:
    """A descriptor of the key file, for an agent of this user and group, by default the calling ones.

    Raises NotPermitted with the reason for a file that others could have read or written.
    """
    try:
        descriptor = os.open(path, _FLAGS | os.O_NOFOLLOW)
    except OSError as error:
        raise _not_opened(error, "key file", path) from None
    except ValueError:
        raise UsageError("the path holds a null character") from None
    try:
        owner, group = os.geteuid() if uid is None else uid, os.getegid() if gid is None else gid
        _check_key(os.fstat(descriptor), path, owner, group)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_certificate(path: str) -> Leaf:
    """The leaf in a certificate file, PEM or DER; a file with a private key in it is refused unread."""
    secret = SecretBuffer()
    try:
        _read(path, secret)
        return read_leaf(_certificate_in(secret))
    except (ProtocolError, UsageError) as error:
        raise UsageError(f"no certificate from {path!r}: {error}", hint=error.hint) from None
    finally:
        secret.wipe()


def _check_key(status: os.stat_result, path: str, uid: int, gid: int) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"the key file {path!r} is no regular file")
    if status.st_uid not in (0, uid):
        raise NotPermitted(
            f"the key file {path!r} belongs to neither root nor the agent's user (uid {status.st_uid})",
            hint=f"chown root {path}",
        )
    of_own_group = mode & 0o077 == 0o040 and status.st_uid == 0 and status.st_gid == gid
    if mode & 0o077 and not of_own_group:
        verb = "write to" if mode & 0o022 else "read" if mode & 0o044 else "execute"
        raise NotPermitted(
            f"others can {verb} the key file {path!r} (mode {mode:04o}, gid {status.st_gid})",
            hint=f"chmod 600 {path}, and think of the key as known to them",
        )


def _not_opened(error: OSError, what: str, path: str) -> KitError:
    if isinstance(error, PermissionError):
        return NotPermitted(f"no permission to read the {what} {path!r}")
    if error.errno == errno.ELOOP:
        return NotPermitted(
            f"the {what} {path!r} is a symbolic link, or leads through a loop of them",
            hint="name the file that 'readlink -f' prints: who can change a link could swap the key",
        )
    if isinstance(error, FileNotFoundError):
        return Unavailable(f"there is no {what} {path!r}")
    return Unavailable(f"cannot read the {what} {path!r}: {(error.strerror or 'failed').lower()}")


def _read(path: str, secret: SecretBuffer) -> None:
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError("it is no regular file")
            secret.read_from(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _not_opened(error, "certificate", path) from None
    except ValueError:
        raise UsageError("the path holds a null character") from None


def _certificate_in(secret: SecretBuffer) -> bytes:
    """The leaf's DER; nothing is copied out of the memory before it is known that no key is in it."""
    memory = secret.memory
    if memory.find(b"PRIVATE KEY-----", 0, secret.size) >= 0:
        raise UsageError("it holds a private key, too", hint="give the certificate a file of its own")
    if secret.size < 8 or memory[0] != _SEQUENCE:
        return from_pem(memory[: secret.size])
    # A certificate begins with a SEQUENCE in a SEQUENCE, a private key with a version.
    header = 2 + (memory[1] & 0x7F if memory[1] & 0x80 else 0)
    if memory[header] != _SEQUENCE:
        raise UsageError("it holds no certificate")
    return memory[: secret.size]
