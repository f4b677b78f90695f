"""Becoming another user for good; setresuid(2). Where root could come back, nothing goes on."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

from kit.core.errors import NotPermitted
from kit.core.process import APPLIED, UNAVAILABLE, Measure
from kit.core.sandbox import capabilities, linux
from kit.core.sandbox.linux import Kernel, prctl
from kit.core.sandbox.plan import User

_NAME = "user change"


def change(user: User | None, kernel: Kernel, kept: int = 0) -> Measure:
    """Go on as `user`, with no more than these capabilities; NotPermitted where root is not left behind."""
    if os.geteuid() != 0:
        return _stay(user)
    if user is None:
        return Measure(_NAME, UNAVAILABLE, "no user was named: it stays root")
    if not user.uid or not user.gid or not all(user.groups):
        raise NotPermitted(f"the user {user.name!r} has rights of root", hint="name an account of its own")
    try:
        _become(user, kernel, kept)
    except OSError as error:
        why = (error.strerror or "failed").lower()
        raise NotPermitted(f"cannot go on as the user {user.name!r}: {why}") from None
    _verify(user, kernel, kept)
    return Measure(_NAME, APPLIED, f"it runs as {user.name}, uid {user.uid}")


def _stay(user: User | None) -> Measure:
    if user and not _is(user):
        hint = "start it as root, or as that user"
        raise NotPermitted(f"only root can go on as the user {user.name!r}", hint=hint)
    if 0 in os.getresuid():
        raise NotPermitted("the process can become root again")
    return Measure(_NAME, APPLIED, f"it runs as uid {os.geteuid()} already")


def _become(user: User, kernel: Kernel, kept: int) -> None:
    parent, signal = os.getppid(), _death_signal(kernel)
    prctl(kernel, linux.PR_SET_KEEPCAPS, int(bool(kept)))
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    capabilities.keep(kernel, kept & capabilities.held(kernel).permitted)
    prctl(kernel, linux.PR_SET_KEEPCAPS, 0)
    if signal:
        # The change of the user cleared it.
        prctl(kernel, linux.PR_SET_PDEATHSIG, signal)
        if os.getppid() != parent:
            raise SystemExit(1)


def _verify(user: User, kernel: Kernel, kept: int) -> None:
    ways: tuple[Callable[[], None], ...] = (
        lambda: os.setuid(0),
        lambda: os.seteuid(0),
        lambda: os.setresuid(0, 0, 0),
        lambda: os.setgid(0),
        lambda: os.setgroups([0]),
    )
    left = capabilities.held(kernel)
    regained = any(_works(way) for way in ways)
    groups = set(os.getgroups()) - {*user.groups}
    if regained or not _is(user) or groups or (left.permitted | left.inheritable) & ~kept:
        raise NotPermitted(f"the process did not give up root's rights for those of {user.name!r}")


def _is(user: User) -> bool:
    return os.getresuid() == (user.uid,) * 3 and os.getresgid() == (user.gid,) * 3


def _works(way: Callable[[], None]) -> bool:
    try:
        way()
    except PermissionError:
        return False
    return True


def _death_signal(kernel: Kernel) -> int:
    signal = ctypes.c_int()
    kernel("prctl", linux.PR_GET_PDEATHSIG, ctypes.byref(signal), 0, 0, 0)
    return signal.value
