"""OpenBSD's pledge(2) and unveil(2). Written from the manual pages and never run: untested.

A violation is not an error but the end of the process (SIGABRT). pledge's promises are groups of system
calls; what a process has promised it can only narrow. Not given: "sendfd" (the supervisor, which is not
pledged, sends the descriptors), "prot_exec", and but to a caller "unix".
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from typing import Any

from kit.core.process import OFF, Measure, attempt, no_core_dumps
from kit.core.sandbox import limits, namespaces, users
from kit.core.sandbox.plan import Level, Plan

# "proc" is fork, kill and setrlimit; waiting for children is "stdio".
_ZYGOTE, _WORKER, _CALLER = "stdio recvfd proc", "stdio recvfd", "stdio recvfd unix"

_libc = ctypes.CDLL(None, use_errno=True)


def restrain(plan: Plan) -> Iterator[Measure]:
    """The supervisor's: no promises, for it runs what `confirm` names."""
    os.umask(0o077)
    yield no_core_dumps()
    yield users.change(plan.user, _without_capabilities)


def confine(plan: Plan) -> Iterator[Measure]:
    """The zygote's. The same user's debuggers are kept away by kern.global_ptrace, which is 0."""
    os.umask(0o077)
    yield no_core_dumps()
    yield attempt("descriptor limit", lambda: limits.descriptors(plan.descriptors))
    if plan.level is not Level.OFF:
        yield attempt("empty root directory", namespaces.empty_root)
    yield users.change(plan.user, _without_capabilities)
    yield from _promised(plan, _ZYGOTE)


def seal(plan: Plan) -> Iterator[Measure]:
    """The worker's."""
    yield from _promised(plan, _WORKER)


def isolate(plan: Plan) -> Iterator[Measure]:
    """The caller's: what it does not promise, "rpath" above all, is every file but the sockets."""
    os.umask(0o077)
    yield no_core_dumps()
    yield attempt("descriptor limit", lambda: limits.descriptors(plan.descriptors))
    yield users.change(plan.user, _without_capabilities)
    yield from _promised(plan, _CALLER)


def _promised(plan: Plan, promises: str) -> Iterator[Measure]:
    if plan.level is Level.OFF:
        yield Measure("sandbox", OFF, "the configuration wants none")
        return
    if promises == _ZYGOTE:
        yield attempt("unveil", _nothing_visible)
    yield attempt("pledge", lambda: _pledge(promises))


def _nothing_visible() -> str:
    _call("unveil", b"/", b"")
    _call("unveil", None, None)
    return "no file"


def _pledge(promises: str) -> str:
    _call("pledge", promises.encode("ascii"), b"")
    return promises


def _without_capabilities(name: str, *arguments: Any) -> int:
    """The Kernel of a system where root's rights end with his number."""
    return 0


def _call(name: str, first: bytes | None, second: bytes | None) -> None:
    function = getattr(_libc, name)
    function.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
    if function(first, second) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
