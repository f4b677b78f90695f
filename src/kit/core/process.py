"""What a process can do so that others learn less from it, measure by measure, each with what became of it.

Linux, through ctypes on the C library that is loaded anyway. A measure is "applied", "unavailable" (this
system does not know it) or "refused" (it knows it and says no). The two that protect a key from the same
user, not dumpable and no new privileges, must be applied: without them nothing starts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kit.core.errors import NotPermitted

APPLIED, UNAVAILABLE, REFUSED = "applied", "unavailable", "refused"

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
_PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS = 38, 39
_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN = 65, 1
# asm-generic/mman.h; MCL_ONFAULT locks a page when it is first touched, so that unused stacks cost nothing.
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
# malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_CAP_IPC_LOCK = 14
_ROOM_FOR_KEYS = 1024 * 1024  # an RSA key takes 5 KiB; the usual limit for locked memory is 8 MiB

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Measure:
    """A hardening measure; `detail` says how far it goes, or why it does not."""

    name: str
    state: str
    detail: str = ""


def harden() -> tuple[Measure, ...]:
    """The check-list for a process that will hold keys; before the first secret, in the first thread."""
    os.umask(0o077)
    return (
        # Before the process is not dumpable: then /proc/self belongs to root.
        _attempt("memory lock", _lock_memory),
        _attempt("no core dumps", _no_core),
        _required("not dumpable", _not_dumpable),
        _required("no new privileges", _no_new_privileges),
        _attempt("no new executable memory", _no_executable_memory),
    )


def sandbox() -> tuple[Measure, ...]:
    """What a process gives up once everything is open and imported: the place for namespaces, chroot,
    Landlock and seccomp, in this order, in a process that still has one thread.
    """
    return (Measure("sandbox", UNAVAILABLE, "not part of this version"),)


def not_dumpable() -> None:
    """Keep the same user's debuggers and core dumps away; for a short-lived process with a secret."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _not_dumpable()


def die_with_parent(parent: int) -> None:
    """Get SIGTERM when the parent's thread that started this process ends; end now if it did already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(1)


def raise_descriptor_limit(wanted: int) -> int:
    """Allow `wanted` open descriptors, or as many as the system gives; how many there are now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _attempt(name: str, measure: Callable[[], str]) -> Measure:
    try:
        return Measure(name, APPLIED, measure())
    except (OSError, ValueError) as error:
        missing = isinstance(error, OSError) and error.errno in (errno.EINVAL, errno.ENOSYS)
        why = (error.strerror or "failed").lower() if isinstance(error, OSError) else str(error)
        return Measure(name, UNAVAILABLE if missing else REFUSED, why)


def _required(name: str, measure: Callable[[], str]) -> Measure:
    done = _attempt(name, measure)
    if done.state != APPLIED:
        raise NotPermitted(f"the system does not let this process be {name!r}: {done.detail}")
    return done


def _no_core() -> str:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return ""


def _not_dumpable() -> str:
    _prctl(_PR_SET_DUMPABLE, 0)
    if _prctl(_PR_GET_DUMPABLE):
        raise OSError(errno.EPERM, "it stays dumpable")
    return ""


def _no_new_privileges() -> str:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if not _prctl(_PR_GET_NO_NEW_PRIVS):
        raise OSError(errno.EPERM, "it has no effect")
    return ""


def _no_executable_memory() -> str:
    _prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN)
    return ""


def _lock_memory() -> str:
    """Keep memory out of the swap: all of it where that is allowed, else the heap as it is now."""
    _prepare_heap()
    if _may_lock_all():
        _call(_libc.mlockall, ctypes.c_int(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT))
        return "all of it"
    size = 0
    for start, end in _heap():
        _call(_libc.mlock, ctypes.c_void_p(start), ctypes.c_size_t(end - start))
        size += end - start
    return f"the first {size >> 10} KiB of the heap"


def _may_lock_all() -> bool:
    """Is there no limit? With one, locking what comes makes the first allocation beyond it fail."""
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return limit == resource.RLIM_INFINITY or bool(_effective_capabilities() >> _CAP_IPC_LOCK & 1)


def _effective_capabilities() -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123 - as below
        return next((int(line.split()[1], 16) for line in status if line.startswith("CapEff:")), 0)


def _prepare_heap() -> None:
    """Let every thread allocate from the one heap, and give that room now, so that keys come to lie in it."""
    try:
        _libc.mallopt(ctypes.c_int(_M_ARENA_MAX), ctypes.c_int(1))
        _libc.mallopt(ctypes.c_int(_M_TRIM_THRESHOLD), ctypes.c_int(16 * _ROOM_FOR_KEYS))
        _libc.mallopt(ctypes.c_int(_M_MMAP_THRESHOLD), ctypes.c_int(2 * _ROOM_FOR_KEYS))
    except AttributeError:
        return  # a C library without these; its heap is locked as it is
    _libc.malloc.restype = ctypes.c_void_p
    _libc.free(ctypes.c_void_p(_libc.malloc(ctypes.c_size_t(_ROOM_FOR_KEYS))))
    _libc.mallopt(ctypes.c_int(_M_MMAP_THRESHOLD), ctypes.c_int(128 * 1024))


def _heap() -> Iterator[tuple[int, int]]:
    with open("/proc/self/maps", encoding="ascii", errors="replace") as maps:  # noqa: PTH123 - pathlib is large
        for line in maps:
            if line.rstrip().endswith("[heap]"):
                start, _, end = line.split()[0].partition("-")
                yield int(start, 16), int(end, 16)


def _prctl(option: int, value: int = 0) -> int:
    zero = ctypes.c_ulong(0)
    return _call(_libc.prctl, ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero)


def _call(function: Callable[..., int], *arguments: object) -> int:
    result = function(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
