"""What another process of the same user tries on one that holds keys: to look into it, change it, rob it.

Each attempt raises OSError where the system says no. The intruder is forked from the test, so it needs no
file that its user cannot read, and has no capability: as root without capabilities it may do to root's
processes what a plain user may do to his own.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from kit.core.sandbox.linux import call
from tests.system.accounts import ROOT

# linux/ptrace.h
_ATTACH, _DETACH, _SEIZE = 16, 17, 0x4206
# linux/prctl.h, linux/capability.h
_SET_SECUREBITS, _NO_ROOT, _CAPABILITIES_3 = 28, 1, 0x20080522
_NEW_NET, _MADV_COLD = 0x40000000, 20
_MORE_THAN_OPEN = 64

Attempt = Callable[[int], object]


def _trace(pid: int) -> None:
    call("ptrace", _ATTACH, pid, 0, 0)
    os.waitpid(pid, 0)
    call("ptrace", _DETACH, pid, 0, 0)


def _vector(address: int, size: int) -> ctypes.Array[ctypes.c_size_t]:
    return (ctypes.c_size_t * 2)(address, size)


def _copy(name: str) -> Attempt:
    """process_vm_readv and process_vm_writev at an address that Python programs have in common."""

    def attempt(pid: int) -> None:
        own = ctypes.create_string_buffer(8)
        mine, theirs = _vector(ctypes.addressof(own), 8), _vector(_mapped(pid), 8)
        call(name, pid, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)

    return attempt


def _mapped(pid: int) -> int:
    """An address that is there; nobody's where it is not told, and then the kernel asks who may first."""
    try:
        with Path(f"/proc/{pid}/maps").open() as maps:
            writable = (line for line in maps if " rw-p " in line)
            return int(next(writable).partition("-")[0], 16)
    except OSError:
        return 0x10000


def _read(name: str) -> Attempt:
    def attempt(pid: int) -> None:
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
        try:
            if name == "mem":
                os.pread(descriptor, 8, _mapped(pid))
            else:
                os.read(descriptor, 64)
        finally:
            os.close(descriptor)

    return attempt


def _write(name: str) -> Attempt:
    return lambda pid: os.close(os.open(f"/proc/{pid}/{name}", os.O_WRONLY))


def _follow(name: str) -> Attempt:
    return lambda pid: os.stat(f"/proc/{pid}/{name}")  # noqa: PTH116


def _list(name: str) -> Attempt:
    return lambda pid: os.listdir(f"/proc/{pid}/{name}")  # noqa: PTH208


def _open_descriptors(pid: int) -> None:
    """Each number alone, since the directory may be closed and what is in it open."""
    for number in range(_MORE_THAN_OPEN):
        try:
            os.close(os.open(f"/proc/{pid}/fd/{number}", os.O_RDONLY))
        except OSError:
            continue
        return
    raise PermissionError


def _steal_descriptor(pid: int) -> None:
    watch = os.pidfd_open(pid)
    try:
        for number in range(_MORE_THAN_OPEN):
            try:
                os.close(call("pidfd_getfd", watch, number, 0))
            except OSError:
                continue
            return
    finally:
        os.close(watch)
    raise PermissionError


def _enter_namespaces(pid: int) -> None:
    """The user namespace, in which one would have all capabilities over the process, and the network."""
    watch = os.pidfd_open(pid)
    try:
        for namespace in (0x10000000, _NEW_NET):
            try:
                call("setns", watch, namespace)
            except OSError:
                continue
            return
    finally:
        os.close(watch)
    raise PermissionError


def _change_memory(pid: int) -> None:
    watch = os.pidfd_open(pid)
    try:
        theirs = _vector(_mapped(pid), 4096)
        call("process_madvise", watch, ctypes.byref(theirs), 1, _MADV_COLD, 0)
    finally:
        os.close(watch)


def _let_it_dump(pid: int) -> None:
    """A core dump, as far as the limits go, wants no more than a signal."""
    limit = (ctypes.c_uint64 * 2)(2**20, 2**20)
    call("prlimit64", pid, 4, ctypes.byref(limit), 0)


ATTEMPTS: dict[str, Attempt] = {
    "ptrace attach": _trace,
    "ptrace seize": lambda pid: call("ptrace", _SEIZE, pid, 0, 0),
    "process_vm_readv": _copy("process_vm_readv"),
    "process_vm_writev": _copy("process_vm_writev"),
    "process_madvise": _change_memory,
    "pidfd_getfd": _steal_descriptor,
    "open /proc/PID/fd/N": _open_descriptors,
    "list /proc/PID/fd": _list("fd"),
    "list /proc/PID/map_files": _list("map_files"),
    **{f"read /proc/PID/{name}": _read(name) for name in ("mem", "maps", "smaps", "environ", "auxv", "io")},
    **{f"write /proc/PID/{name}": _write(name) for name in ("mem", "clear_refs", "oom_score_adj", "comm")},
    **{f"follow /proc/PID/{name}": _follow(name) for name in ("cwd", "root", "exe", "ns/net")},
    "setns": _enter_namespaces,
    "raise the core limit": _let_it_dump,
}
# These want a capability for any process: they are refused for two reasons.
NOT_IN_CONTROL = {"process_madvise", "setns"}
# What root's files in /proc allow to root, with or without capabilities; nothing of a key is in them.
OWNERS_ONLY = {f"write /proc/PID/{name}" for name in ("clear_refs", "oom_score_adj", "comm")}
OWNERS_ONLY |= {"list /proc/PID/fd"}


def successes(uid: int, pids: Sequence[int]) -> dict[int, list[str]]:
    """What succeeds on each process, for an intruder of this user, and on its own child, under -1."""
    return {int(pid): done for pid, done in json.loads(as_user(uid, lambda: _try_all(pids))).items()}


def _try_all(pids: Sequence[int]) -> str:
    control = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    try:
        tried = {pid: _succeeding(pid) for pid in pids}
        return json.dumps({**tried, -1: _succeeding(control)})
    finally:
        os.kill(control, signal.SIGKILL)


def _succeeding(pid: int) -> list[str]:
    done = []
    for name, attempt in ATTEMPTS.items():
        try:
            attempt(pid)
        except OSError:
            continue
        done.append(name)
    return done


def as_user(uid: int, work: Callable[[], str]) -> str:
    """What `work` returns in a forked child of this user without any capability."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _become(uid, work, writing)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    assert os.waitpid(child, 0)[1] == 0, "the intruder failed"
    return text


def _become(uid: int, work: Callable[[], str], writing: int) -> None:
    status = 1
    try:
        if uid != os.geteuid():
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        elif uid == ROOT:
            call("prctl", _SET_SECUREBITS, _NO_ROOT, 0, 0, 0)
            header, none = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
            call("capset", ctypes.byref(header), ctypes.byref(none))
        os.write(writing, work().encode())
        status = 0
    except BaseException:  # noqa: BLE001 - a child of the test must not become a second one
        traceback.print_exc()
    finally:
        os._exit(status)
