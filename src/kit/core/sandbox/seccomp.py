"""Puts a compiled filter on this process and all its children; seccomp(2). It cannot be taken off again."""

from __future__ import annotations

import ctypes
import errno
import os

from kit.core.sandbox import linux
from kit.core.sandbox.compiler import compiled
from kit.core.sandbox.filters import Family, Role, policy
from kit.core.sandbox.linux import Kernel
from kit.core.sandbox.plan import Level
from kit.core.sandbox.syscalls import NUMBERS

_SET_MODE_FILTER, _THREADS_TOO = 1, 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def restrict(role: Role, level: Level, kernel: Kernel) -> str:
    """Leave this process the calls of its role; what was put on. Wants PR_SET_NO_NEW_PRIVS."""
    machine = linux.machine()
    if machine not in NUMBERS:
        raise OSError(errno.ENOSYS, f"no table for the processor {machine!r}")
    program = compiled(policy(role, level, Family(os.getpid(), os.getppid())), machine)
    memory = ctypes.create_string_buffer(program, len(program))
    instructions = len(program) // 8
    described = _Program(instructions, ctypes.addressof(memory))
    # A thread that somebody left running gets the filter, too, or its number comes back.
    if kernel("seccomp", _SET_MODE_FILTER, _THREADS_TOO, ctypes.byref(described)):
        raise OSError(errno.EBUSY, "a thread has a filter of its own")
    return f"{level}, {instructions} instructions"
