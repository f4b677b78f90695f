"""A network, a file system and names of one's own, with nothing in them; namespaces(7), chroot(2)."""

from __future__ import annotations

import errno
import os

from kit.core.sandbox.linux import Kernel

_USER = 0x10000000
# linux/sched.h
_KINDS = {"network": 0x40000000, "ipc": 0x08000000, "mounts": 0x00020000, "host name": 0x04000000}
_PLACES = ("/run", "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - an unguessable name, gone at once


def leave(kernel: Kernel) -> str:
    """Leave the system's namespaces: as root directly, else by way of a user namespace; which ones are left.

    A user namespace has to come before the process is not dumpable: then /proc/self belongs to root.
    """
    ways = "" if os.geteuid() == 0 else _own_user_namespace(kernel)
    done, refused = [], None
    for name, flag in _KINDS.items():
        try:
            kernel("unshare", flag)
            done.append(name)
        except OSError as error:
            refused = error
    if refused and not done:
        raise refused
    return ", ".join(done) + ways


def empty_root() -> str:
    """Go where there is no file and none can be made: into a directory that is removed already."""
    directory = _removed_directory()
    try:
        os.fchdir(directory)
        try:
            os.chroot(".")
        finally:
            os.chdir("/")
    finally:
        os.close(directory)
    return "an empty directory that is removed"


def _own_user_namespace(kernel: Kernel) -> str:
    """Rehearsed in a child: where the maps may not be written, one would come out as nobody."""
    child = os.fork()
    if not child:
        status = 1
        try:
            _enter_user_namespace(kernel)
            status = 0
        except OSError as error:
            status = error.errno or status
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    if number := os.waitstatus_to_exitcode(ended):
        number = number if number > 0 else errno.EPERM
        raise OSError(number, f"no user namespace: {os.strerror(number).lower()}")
    _enter_user_namespace(kernel)
    return ", in a user namespace"


def _enter_user_namespace(kernel: Kernel) -> None:
    """The user keeps his number in it, and there is no other one."""
    uid, gid = os.geteuid(), os.getegid()
    kernel("unshare", _USER)
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        file = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, content.encode())
        finally:
            os.close(file)


def _removed_directory() -> int:
    """A descriptor of a directory that was made for this and has no name any more."""
    name = f"kit-{os.urandom(16).hex()}"
    for place in _PLACES:
        path = f"{place}/{name}"
        try:
            os.mkdir(path, 0o700)  # noqa: PTH102 - pathlib is large
        except OSError:
            continue
        try:
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        finally:
            os.rmdir(path)  # noqa: PTH106
    raise OSError(errno.EROFS, f"no directory can be made in {', '.join(_PLACES)}")
