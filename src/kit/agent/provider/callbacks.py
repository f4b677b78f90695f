"""Python functions as C callbacks, for ever.

cffi writes the failure (0 or NULL) into the result before Python runs, so a callback that raises, even
before its first line, has failed. ctypes does not: there a raising callback is taken for success. libcrypto
keeps what it was given until after the interpreter is gone, hence nothing made here is ever freed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, TypeVar

from kit.agent.provider import failures
from kit.agent.provider._openssl import ffi

_T = TypeVar("_T")


def immortal(thing: _T) -> _T:
    """The thing, with a reference that nobody gives back."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    return thing


def callback(c_type: str) -> Callable[[Callable[..., Any]], Any]:
    """Make the function a C function of this type (a typedef of `declare`)."""

    def make(function: Callable[..., Any]) -> Any:
        pointer = ffi.typeof(f"{c_type} *")
        failure = ffi.NULL if pointer.result.kind == "pointer" else 0
        return immortal(ffi.callback(pointer, function, error=failure, onerror=failures.keep))

    return make
