"""Denies this process every file, TCP port, abstract socket and foreign process; Landlock, linux/landlock.h.

Works without any privilege. What it leaves is the system calls' part: stat, UDP, the sockets in the file
system, and whatever is open already.
"""

from __future__ import annotations

import ctypes
import os

from kit.core.sandbox.linux import Kernel

_VERSION = 1 << 0
# What each version brought: the access rights to files ...
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
# ... TCP's bind and connect, and the two kinds of reach: abstract sockets and signals.
_NETWORK_SINCE, _NETWORK = 4, 0b11
_SCOPE_SINCE, _SCOPE = 6, 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scope", ctypes.c_uint64))


def restrict(kernel: Kernel) -> str:
    """Deny all that this kernel's Landlock knows to deny; what that is. Wants PR_SET_NO_NEW_PRIVS."""
    version = kernel("landlock_create_ruleset", None, 0, _VERSION)
    rules = _Ruleset(sum(rights for since, rights in _FILE_RIGHTS.items() if version >= since))
    denied, size = ["files"], 8
    if version >= _NETWORK_SINCE:
        rules.network, size = _NETWORK, 16
        denied.append("TCP")
    if version >= _SCOPE_SINCE:
        rules.scope, size = _SCOPE, 24
        denied.append("signals and abstract sockets")
    ruleset = kernel("landlock_create_ruleset", ctypes.byref(rules), size, 0)
    try:
        kernel("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
    return f"version {version}: no {', '.join(denied)}"
