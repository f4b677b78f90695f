"""The check-lists by which the agent's processes give up what they do not need, each for its role.

The supervisor calls `restrain`; before it, it forks the zygote, which calls `confine` while everything is
imported and no key is loaded; each worker forked from that calls `seal`. A process without keys that speaks
to an agent for another program calls `isolate`. The order inside is not free: a user
namespace wants a dumpable process, dropping capabilities wants root, Landlock and seccomp want that no new
privileges can be had, and after the last filter nothing of all this can be called.

Not dumpable, no new privileges and the change of the user must succeed (NotPermitted); what else the system
does not give is reported in a Measure.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator

from kit.core.process import (
    OFF,
    Measure,
    attempt,
    no_core_dumps,
    no_executable_memory,
    no_new_privileges,
    undumpable,
)
from kit.core.sandbox import (
    capabilities,
    landlock,
    limits,
    linux,
    memory,
    namespaces,
    openbsd,
    seccomp,
    users,
)
from kit.core.sandbox.filters import Role
from kit.core.sandbox.linux import Kernel
from kit.core.sandbox.plan import Level, Plan

_OPENBSD = sys.platform.startswith("openbsd")
_READ_ALL = 1 << capabilities.DAC_READ_SEARCH


def restrain(plan: Plan, kernel: Kernel = linux.call) -> tuple[Measure, ...]:
    """The supervisor's: it goes on as the plan's user, and may still read every file if it was root.

    It has neither Landlock nor filters: a process in a domain of Landlock cannot signal children that were
    born outside, and it runs what `confirm` names.
    """
    return tuple(openbsd.restrain(plan) if _OPENBSD else _restrained(plan, kernel))


def confine(plan: Plan, kernel: Kernel = linux.call) -> tuple[Measure, ...]:
    """The zygote's: everything but what holding keys and forking take. In its first and only thread."""
    return tuple(openbsd.confine(plan) if _OPENBSD else _confined(plan, kernel))


def seal(plan: Plan, kernel: Kernel = linux.call) -> tuple[Measure, ...]:
    """The worker's, after the fork: no child, no thread, no file, no socket from here on."""
    return tuple(openbsd.seal(plan) if _OPENBSD else _sealed(plan, kernel))


def isolate(plan: Plan, kernel: Kernel = linux.call) -> tuple[Measure, ...]:
    """A caller's: nothing is left but its descriptors and connections to Unix sockets. In its only thread."""
    return tuple(openbsd.isolate(plan) if _OPENBSD else _isolated(plan, kernel))


def _restrained(plan: Plan, kernel: Kernel) -> Iterator[Measure]:
    os.umask(0o077)
    yield no_core_dumps()
    undumpable(kernel)
    if os.geteuid() == 0 and plan.user:
        yield attempt("bounding set", lambda: _no_bounding_set(kernel))
    yield users.change(plan.user, kernel, _READ_ALL)
    if os.geteuid() != 0:
        yield attempt("capabilities", lambda: _keep(kernel, _READ_ALL))
    yield undumpable(kernel)  # the change of the user undid it
    yield no_new_privileges(kernel)


def _confined(plan: Plan, kernel: Kernel) -> Iterator[Measure]:
    os.umask(0o077)
    yield no_core_dumps()
    yield attempt("descriptor limit", lambda: limits.descriptors(plan.descriptors))
    if plan.level is Level.OFF:
        undumpable(kernel)
        yield users.change(plan.user, kernel)
        yield undumpable(kernel)
        yield no_new_privileges(kernel)
        yield Measure("sandbox", OFF, "the configuration wants none")
        return
    time.tzset()  # the last chance to read which time zone this is
    memory.prepare()
    yield attempt("memory lock", lambda: memory.lock(kernel))
    yield attempt("namespaces", lambda: namespaces.leave(kernel))
    undumpable(kernel)
    yield attempt("empty root directory", namespaces.empty_root)
    yield attempt("bounding set", lambda: _no_bounding_set(kernel))
    yield users.change(plan.user, kernel)
    yield attempt("capabilities", lambda: _keep(kernel, 0))
    yield undumpable(kernel)  # the change of the user undid it
    yield no_new_privileges(kernel)
    yield attempt("file size limit", limits.file_size)
    yield no_executable_memory(kernel)
    yield attempt("landlock", lambda: landlock.restrict(kernel))
    yield attempt("system calls", lambda: seccomp.restrict(Role.ZYGOTE, plan.level, kernel))


def _isolated(plan: Plan, kernel: Kernel) -> Iterator[Measure]:
    """Its root directory stays: an agent that starts again may make the socket's directory anew. So does the
    size that files may have: what it logs to may be one.
    """
    os.umask(0o077)
    yield no_core_dumps()
    yield attempt("descriptor limit", lambda: limits.descriptors(plan.descriptors))
    time.tzset()  # as above
    yield attempt("namespaces", lambda: namespaces.leave(kernel))
    undumpable(kernel)
    yield attempt("bounding set", lambda: _no_bounding_set(kernel))
    yield users.change(plan.user, kernel)
    yield attempt("capabilities", lambda: _keep(kernel, 0))
    yield undumpable(kernel)
    yield no_new_privileges(kernel)
    yield attempt("process limit", limits.processes)
    yield no_executable_memory(kernel)
    yield attempt("landlock", lambda: landlock.restrict(kernel))
    yield attempt("system calls", lambda: seccomp.restrict(Role.CALLER, plan.level, kernel))


def _sealed(plan: Plan, kernel: Kernel) -> Iterator[Measure]:
    yield undumpable(kernel)
    if plan.level is Level.OFF:
        yield Measure("sandbox", OFF, "the configuration wants none")
        return
    yield attempt("memory lock", lambda: memory.lock(kernel))
    yield attempt("process limit", limits.processes)
    yield attempt("file size limit", limits.file_size)
    yield attempt("system calls", lambda: seccomp.restrict(Role.WORKER, plan.level, kernel))


def _keep(kernel: Kernel, wanted: int) -> str:
    capabilities.keep(kernel, wanted & capabilities.held(kernel).permitted)
    left = capabilities.held(kernel)
    if (left.permitted | left.inheritable) & ~wanted:
        raise OSError(errno.EPERM, "some are left")
    if not wanted:
        return "none is left"
    return "every file may be read, nothing else" if left.permitted else "root's files may not be read"


def _no_bounding_set(kernel: Kernel) -> str:
    capabilities.empty_bounding_set(kernel)
    if capabilities.held(kernel).bounding:
        raise OSError(errno.EPERM, "some are left in it")
    return "empty"
