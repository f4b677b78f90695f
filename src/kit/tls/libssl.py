"""Forcing what a client offers: the signature algorithms and groups of an `ssl.SSLContext`.

Python has methods for this from 3.15 on. Before, the SSL_CTX behind the context is reached with ctypes: plain
calls, no callbacks. Two checks stand before the first write: the library found must be the one that `ssl`
runs on, and it must read back, from where the SSL_CTX is thought to be, the versions set through `ssl`.
Where that fails nothing is forced, and the caller is told.
"""

from __future__ import annotations

import _ssl
import ctypes
import platform
import ssl
import sys
from collections.abc import Callable
from functools import cache

# From openssl/ssl.h and tls1.h; these numbers are the ABI of the macros SSL_CTX_set1_sigalgs_list and so on.
_SET_GROUPS_LIST, _SET_SIGALGS_LIST = 92, 98
_GET_MIN_PROTO_VERSION, _GET_MAX_PROTO_VERSION = 130, 131
_Control = Callable[[int, int, int, bytes | None], int]


def has_ml_dsa() -> bool:
    """Does the OpenSSL that `ssl` runs on have ML-DSA, and the hybrid groups of ML-KEM?"""
    return ssl.OPENSSL_VERSION_INFO >= (3, 5)


def force(context: ssl.SSLContext, signature_algorithms: str, groups: str) -> bool:
    """Let `context` offer exactly these (colon-separated); False where this interpreter cannot do it.

    The context's minimum and maximum version must be set before: they are what the check reads back.
    """
    if hasattr(context, "set_server_sigalgs") and hasattr(context, "set_groups"):
        context.set_server_sigalgs(signature_algorithms)
        context.set_groups(groups)
        return True
    control, pointer = _control(), _pointer(context)
    if control is None or not pointer or not _is_layout_known(control, pointer, context):
        return False
    return all(
        control(pointer, command, 0, text.encode()) == 1
        for command, text in ((_SET_GROUPS_LIST, groups), (_SET_SIGALGS_LIST, signature_algorithms))
    )


@cache
def _control() -> _Control | None:
    """SSL_CTX_ctrl of the library that `_ssl` is linked with; None where there is none to be found."""
    path = getattr(_ssl, "__file__", None)
    if platform.python_implementation() != "CPython" or sys.version_info >= (3, 15) or path is None:
        return None
    try:
        library = ctypes.CDLL(path)
        number, control = library.OpenSSL_version_num, library.SSL_CTX_ctrl
    except (OSError, AttributeError):
        return None
    number.argtypes, number.restype = [], ctypes.c_ulong
    if number() != ssl.OPENSSL_VERSION_NUMBER:
        return None
    control.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]
    control.restype = ctypes.c_long
    return control


def _pointer(context: ssl.SSLContext) -> int | None:
    """PySSLContext's first field after the object header is its SSL_CTX *."""
    return ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value


def _is_layout_known(control: _Control, pointer: int, context: ssl.SSLContext) -> bool:
    seen = (
        control(pointer, _GET_MIN_PROTO_VERSION, 0, None),
        control(pointer, _GET_MAX_PROTO_VERSION, 0, None),
    )
    return seen == (context.minimum_version, context.maximum_version)
