"""OSSL_PARAM arrays (openssl/core.h): name, type and place of each value, ended by one without a name."""

from __future__ import annotations

from typing import Any

from kit.agent.provider.callbacks import immortal
from kit.agent.provider.library import ffi, lib

INTEGER, UNSIGNED, UTF8_STRING, OCTET_STRING = 1, 2, 4, 5
_UNMODIFIED = 2 ** (8 * ffi.sizeof("size_t")) - 1


def described(*rows: tuple[str, int]) -> Any:
    """Names and types alone: what can be asked or set."""
    return immortal(_array([(name, kind, ffi.NULL, 0) for name, kind in rows]))


def given(*rows: tuple[str, int, Any]) -> Any:
    """With values, which are C arrays or structs that the caller keeps alive."""
    return _array([(name, kind, value, ffi.sizeof(value)) for name, kind, value in rows])


def _array(rows: list[tuple[str, int, Any, int]]) -> Any:
    array = ffi.new("OSSL_PARAM[]", len(rows) + 1)
    for param, (name, kind, value, size) in zip(array, rows, strict=False):
        param.key, param.data_type = _name(name), kind
        param.data, param.data_size, param.return_size = value, size, _UNMODIFIED
    return array


_names: dict[str, Any] = {}


def _name(text: str) -> Any:
    """The name as a C string that stays."""
    known = _names.get(text)
    return known or _names.setdefault(text, immortal(ffi.new("char[]", text.encode())))


def read(params: Any, name: bytes) -> int | str | None:
    """The value of an entry that may come as number or as text; None where it is not given."""
    param = lib.OSSL_PARAM_locate_const(params, name)
    if not param:
        return None
    if param.data_type == UTF8_STRING:
        text: bytes = ffi.string(ffi.cast("char *", param.data), param.data_size)
        return text.decode("ascii", "replace")
    number = ffi.new("int *")
    return number[0] if lib.OSSL_PARAM_get_int(param, number) == 1 else "?"
