"""What a process can do so that others learn less from it, measure by measure, each with what became of it.

A measure is "applied", "unavailable" (this system does not know it) or "refused" (it knows it and says no);
the whole of a sandbox can be "off". The two that protect a key from the same user, not dumpable and no new
privileges, must be applied: without them nothing starts. `sandbox.confine` puts them in order.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import sys
from collections.abc import Callable, Collection

from kit.core.errors import NotPermitted
from kit.core.frozen import frozen
from kit.core.sandbox import linux
from kit.core.sandbox.linux import Kernel, prctl

# OFF: the administrator does not want it.
APPLIED, UNAVAILABLE, REFUSED, OFF = "applied", "unavailable", "refused", "off"
_STANDARD_DESCRIPTORS, _ALL_DESCRIPTORS = 3, 2**20
_MISSING = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)  # the last is Landlock's that is not switched on


@frozen
class Measure:
    """A hardening measure; `detail` says how far it goes, or why it does not."""

    name: str
    state: str
    detail: str = ""


def not_dumpable() -> None:
    """Keep the same user's debuggers and core dumps away; for a short-lived process with a secret."""
    no_core_dumps()
    undumpable(linux.call)


def die_with_parent(parent: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Get this signal when the parent's thread that started this process ends; end now if it did already."""
    if sys.platform == "linux":
        prctl(linux.call, linux.PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        raise SystemExit(1)


def name_process(name: str) -> None:
    """What ps -e and top(1) call this process, at most 15 bytes; where that cannot be, as before."""
    with contextlib.suppress(OSError):
        linux.call("prctl", linux.PR_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0)


def close_others(kept: Collection[int]) -> None:
    """Close every descriptor but these and the standard three; what a fork left open is another's door."""
    below = _STANDARD_DESCRIPTORS
    for descriptor in sorted(d for d in kept if d >= _STANDARD_DESCRIPTORS):
        os.closerange(below, descriptor)
        below = descriptor + 1
    os.closerange(below, _ALL_DESCRIPTORS)


def raise_descriptor_limit(wanted: int) -> int:
    """Allow `wanted` open descriptors, or as many as the system gives; how many there are now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def attempt(name: str, measure: Callable[[], str]) -> Measure:
    """Take the measure, which returns its detail, and say what became of it."""
    try:
        return Measure(name, APPLIED, measure())
    except (OSError, ValueError) as error:
        missing = isinstance(error, OSError) and error.errno in _MISSING
        why = (error.strerror or "failed").lower() if isinstance(error, OSError) else str(error)
        return Measure(name, UNAVAILABLE if missing else REFUSED, why)


def required(name: str, measure: Callable[[], str]) -> Measure:
    """Take the measure, or go no further: NotPermitted."""
    done = attempt(name, measure)
    if done.state != APPLIED:
        raise NotPermitted(f"the system does not let this process be {name!r}: {done.detail}")
    return done


def no_core_dumps() -> Measure:
    return attempt("no core dumps", _no_core)


def undumpable(kernel: Kernel) -> Measure:
    """Required: it is all that stands between the keys and another process of the same user."""
    return required("not dumpable", lambda: _not_dumpable(kernel))


def no_new_privileges(kernel: Kernel) -> Measure:
    """Required: a program with set-user-ID would take back what was given up."""
    return required("no new privileges", lambda: _no_new_privileges(kernel))


def no_executable_memory(kernel: Kernel) -> Measure:
    return attempt("no new executable memory", lambda: _no_executable_memory(kernel))


def _no_core() -> str:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return ""


def _not_dumpable(kernel: Kernel) -> str:
    prctl(kernel, linux.PR_SET_DUMPABLE, 0)
    if prctl(kernel, linux.PR_GET_DUMPABLE):
        raise OSError(errno.EPERM, "it stays dumpable")
    return ""


def _no_new_privileges(kernel: Kernel) -> str:
    prctl(kernel, linux.PR_SET_NO_NEW_PRIVS, 1)
    if not prctl(kernel, linux.PR_GET_NO_NEW_PRIVS):
        raise OSError(errno.EPERM, "it has no effect")
    return ""


def _no_executable_memory(kernel: Kernel) -> str:
    prctl(kernel, linux.PR_SET_MDWE, linux.PR_MDWE_REFUSE_EXEC_GAIN)
    return ""
