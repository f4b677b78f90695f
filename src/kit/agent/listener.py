"""The agent's socket in the file system: who may have it, how it appears, how it goes.

A lock file beside it, held for as long as the agent lives, decides between two agents that start at once; the
system lets go of it whatever way an agent ends, so what stands there without a holder is dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

from kit.core.errors import NotPermitted, Unavailable
from kit.core.frozen import frozen
from kit.core.paths import private_directory, shared_directory

# A client that does not wait is told EAGAIN when it is full; the connections' limit is elsewhere.
_BACKLOG = 1024
_PRIVATE = 0o600


@frozen
class Place:
    """Where somebody listens."""

    path: str
    mode: int
    group: int | None


class Listener:
    """A listening socket at `path`; `close` removes it.

    With mode 0600 it stands in a private directory. With another one, for other users, its directory may be
    searched by them, and written to by nobody but its owner.
    """

    def __init__(
        self,
        path: str,
        mode: int = 0o600,
        group: int | None = None,
        *,
        shared: bool = False,
        kind: socket.SocketKind = socket.SOCK_STREAM,
    ) -> None:
        """`shared` is for a private socket beside one for other users."""
        self.path = path
        directory = str(Path(path).parent)
        if mode == _PRIVATE and not shared:
            private_directory(directory)
        else:
            shared_directory(directory)
        self._lock_path = path + ".lock"
        self._lock = _hold_lock(self._lock_path, path)
        try:
            _remove_dead(path, kind)
            self.socket = _listen(path, mode, group, kind)
        except BaseException:
            self._let_go()
            raise
        self._identity = _identity(path)

    @classmethod
    def taken(cls, path: str, descriptors: Sequence[int]) -> Listener:
        """One that another process made and passed on."""
        listener = cls.__new__(cls)
        listener.path, listener._lock_path = path, path + ".lock"
        listener.socket, listener._lock = socket.socket(fileno=descriptors[0]), descriptors[1]
        listener._identity = _identity(path)
        return listener

    def open_to(self, mode: int, group: int | None) -> None:
        """Change who may connect."""
        _open_to(self.path, mode, group)

    @property
    def descriptors(self) -> tuple[int, int]:
        """Of the socket, and of its lock."""
        return self.socket.fileno(), self._lock

    def leave(self) -> None:
        """Leave it to another process that has it open."""
        self.socket.close()
        os.close(self._lock)

    def close(self) -> None:
        """Stop listening; the file goes if it is still the one that this process made."""
        if self.socket.fileno() < 0:
            return
        self.socket.close()
        # An agent that gave up root cannot remove what stands in root's directory; the next one can.
        with contextlib.suppress(PermissionError):
            if _identity(self.path) == self._identity:
                Path(self.path).unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        # While the lock is held nobody else has this file open for long: see _hold_lock.
        with contextlib.suppress(PermissionError):
            Path(self._lock_path).unlink(missing_ok=True)
        os.close(self._lock)


def _hold_lock(lock_path: str, path: str) -> int:
    """An open descriptor on the lock file, locked; raises Unavailable where another agent holds it."""
    while True:
        try:
            descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise Unavailable(f"cannot open {lock_path!r}: {(error.strerror or 'failed').lower()}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise _taken(path) from None
        # A holder that ends removes the file: a lock on a file that is gone keeps nobody away.
        if _identity(lock_path) == _identity_of(os.fstat(descriptor)):
            return descriptor
        os.close(descriptor)


def _remove_dead(path: str, kind: socket.SocketKind) -> None:
    """Remove a socket that nobody listens on; raise for a live one and for anything else."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise NotPermitted(f"{path!r} is there and is not a socket")
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.setblocking(False)
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
            # A full backlog is a BlockingIOError, and somebody listens.
            with contextlib.suppress(BlockingIOError):
                _connect(probe, path)
            raise _taken(path)
    Path(path).unlink(missing_ok=True)


def _connect(probe: socket.socket, path: str) -> None:
    try:
        probe.connect(path)
    except PermissionError:
        raise NotPermitted(f"{path!r} is there, and its mode lets nobody find out whose it is") from None


def _taken(path: str) -> Unavailable:
    return Unavailable(
        f"another agent answers on {path!r}",
        hint="use it, stop it (kit agent stop), or choose another --socket",
    )


def _listen(path: str, mode: int, group: int | None, kind: socket.SocketKind) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, kind)
    # Nobody connects before owner and mode are right: bind makes the file under this mask.
    before = os.umask(0o777 & ~_PRIVATE if mode == _PRIVATE else 0o777)
    bound = False
    try:
        listening.bind(path)
        bound = True
        if mode != _PRIVATE:
            _open_to(path, mode, group)
    except OSError as error:
        listening.close()
        if bound:
            Path(path).unlink(missing_ok=True)
        raise Unavailable(f"cannot listen on {path!r}: {(error.strerror or str(error)).lower()}") from None
    finally:
        os.umask(before)
    listening.listen(_BACKLOG)
    listening.setblocking(False)
    return listening


def _open_to(path: str, mode: int, group: int | None) -> None:
    try:
        os.chown(path, -1, -1 if group is None else group, follow_symlinks=False)
    except PermissionError:
        if group is None:
            raise
        _give(path, group)
    os.chmod(path, mode)  # noqa: PTH101 - beside chown


def _give(path: str, group: int) -> None:
    """As one of the group, whom no capability to change owners is needed for: a root of few has none."""
    own = os.getegid()
    os.setegid(group)
    try:
        os.chown(path, -1, group, follow_symlinks=False)
    finally:
        os.setegid(own)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        return _identity_of(os.lstat(path))
    except FileNotFoundError:
        return None


def _identity_of(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
