"""Keeps memory out of the swap; mlock(2).

A lock is not inherited by fork, so each process locks for itself. Pages are locked when they are touched:
otherwise locking would copy, in each child, every page that it shares with its parent.
"""

from __future__ import annotations

import ctypes
import resource
from functools import cache

from kit.core.sandbox.capabilities import held
from kit.core.sandbox.linux import Kernel

# asm-generic/mman.h
_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4
_RANGE_ON_FAULT = 1
# malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_CAP_IPC_LOCK = 14
_ROOM_FOR_KEYS = 1024 * 1024  # an RSA key takes 5 KiB; the usual limit for locked memory is 8 MiB

_libc = ctypes.CDLL(None, use_errno=True)


def lock(kernel: Kernel) -> str:
    """Lock all there is and will be where there is no limit; else the heap, where OpenSSL keeps its numbers.

    With a limit, locking what comes makes the first allocation beyond it fail, and locking the stack makes
    the process die where it would have grown; root's exemption ends when he becomes another user.
    """
    if _unlimited():
        kernel("mlockall", _CURRENT | _FUTURE | _ON_FAULT)
        return "all of it"
    size = _lock_heap(kernel)
    return f"the first {size >> 10} KiB of the heap"


def prepare() -> None:
    """Let every thread allocate from the one heap, and give that room now, so that keys come to lie in it."""
    _heap_start()
    try:
        _libc.mallopt(ctypes.c_int(_M_ARENA_MAX), ctypes.c_int(1))
        _libc.mallopt(ctypes.c_int(_M_TRIM_THRESHOLD), ctypes.c_int(16 * _ROOM_FOR_KEYS))
        _libc.mallopt(ctypes.c_int(_M_MMAP_THRESHOLD), ctypes.c_int(2 * _ROOM_FOR_KEYS))
    except AttributeError:
        return  # a C library without these; its heap is locked as it is
    _libc.malloc.restype = ctypes.c_void_p
    _libc.free(ctypes.c_void_p(_libc.malloc(ctypes.c_size_t(_ROOM_FOR_KEYS))))
    _libc.mallopt(ctypes.c_int(_M_MMAP_THRESHOLD), ctypes.c_int(128 * 1024))


def _unlimited() -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        return resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    return True


def _lock_heap(kernel: Kernel) -> int:
    start, end = _heap_start(), _break()
    if not start < end:
        raise OSError(0, "it is not known where the heap begins")
    size = end - start
    limit, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != hard:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
        limit = hard
    if not held(kernel).effective >> _CAP_IPC_LOCK & 1:
        size = min(size, limit)
    kernel("mlock2", start, size, _RANGE_ON_FAULT)
    return size


@cache
def _heap_start() -> int:
    """Asked first while /proc may be read, and remembered: it never moves, in no child either."""
    try:
        with open("/proc/self/maps", "rb") as maps:  # noqa: PTH123 - pathlib is large
            heap = next((line for line in maps if line.rstrip().endswith(b"[heap]")), b"0-0")
    except OSError:
        return 0
    return int(heap.partition(b"-")[0], 16)


def _break() -> int:
    _libc.sbrk.restype = ctypes.c_void_p
    return int(_libc.sbrk(ctypes.c_long(0)) or 0)
