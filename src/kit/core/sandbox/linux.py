"""System calls by name, through the C library that is loaded anyway.

Everything in this package asks the kernel through a `Kernel`, so that a test can put another system in its
place. What the C library wraps goes through it, so that a machine without a table can make these calls, too.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import Any, Protocol

from kit.core.sandbox.syscalls import NUMBERS

# linux/prctl.h
PR_SET_PDEATHSIG, PR_GET_PDEATHSIG = 1, 2
PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAPBSET_READ, PR_CAPBSET_DROP = 23, 24
PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 38, 39
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
PR_SET_VMA = 0x53564D41

_WRAPPED = {"prctl", "unshare", "mlock", "mlockall", "capget", "capset"}

_libc = ctypes.CDLL(None, use_errno=True)


class Kernel(Protocol):
    """Makes the named system call; OSError is its no, ENOSYS that it does not know it."""

    def __call__(self, name: str, *arguments: Any) -> int: ...


def call(name: str, *arguments: Any) -> int:
    """The kernel that this process runs on."""
    # Each argument as a whole register: a variadic function's int would leave the upper half undefined.
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    if name in _WRAPPED and hasattr(_libc, name):
        function = getattr(_libc, name)
    else:
        function = _libc.syscall
        function.restype = ctypes.c_long
        words.insert(0, ctypes.c_long(_number(name)))
    result = int(function(*words))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def prctl(kernel: Kernel, option: int, value: int = 0) -> int:
    """prctl(2) with an argument; the unused ones have to be zero."""
    return kernel("prctl", option, value, 0, 0, 0)


def machine() -> str:
    """The architecture whose system calls this process makes; "" where a 32-bit Python hides it."""
    return os.uname().machine if sys.maxsize > 2**32 else ""


def _number(name: str) -> int:
    number = NUMBERS.get(machine(), {}).get(name)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return number
