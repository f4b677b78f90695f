"""KEYMGMT: what libcrypto asks of a key that it must not look into (provider-keymgmt(7)).

Each question about the public part goes on to libcrypto's own public key. The private part is never given
out; export refuses when it is asked for, as libcrypto first tries to move a key to its default provider.
"""

from __future__ import annotations

from typing import Any

from kit.agent.provider import key as keys
from kit.agent.provider.callbacks import callback, immortal
from kit.agent.provider.library import NULL, ffi, lib
from kit.agent.provider.parameters import INTEGER, OCTET_STRING, UNSIGNED, UTF8_STRING, described

_SELECT_PRIVATE_KEY = 0x01
_OPERATION_SIGNATURE = 12

_GETTABLE = described(
    ("bits", INTEGER),
    ("security-bits", INTEGER),
    ("max-size", INTEGER),
    ("default-digest", UTF8_STRING),
    ("mandatory-digest", UTF8_STRING),
    ("group", UTF8_STRING),
    ("encoded-pub-key", OCTET_STRING),
    ("pub", OCTET_STRING),
    ("n", UNSIGNED),
    ("e", UNSIGNED),
)
_EXPORTED = described(("n", UNSIGNED), ("e", UNSIGNED), ("group", UTF8_STRING), ("pub", OCTET_STRING))
_ECDSA = immortal(ffi.new("char[]", b"ECDSA"))


@callback("keymgmt_new")
def _new(_provider: Any) -> Any:
    return NULL  # a key comes from a handle only


@callback("keymgmt_load")
def _load(reference: Any, _size: int) -> Any:
    """Take over the struct that the decoder made."""
    struct, reference[0] = reference[0], NULL
    return struct


@callback("keymgmt_get_params")
def _get_params(struct: Any, params: Any) -> int:
    return int(lib.EVP_PKEY_get_params(keys.at(struct).public, params))


@callback("keymgmt_gettable_params")
def _gettable_params(_provider: Any) -> Any:
    return _GETTABLE


@callback("keymgmt_query_operation_name")
def _ec_operation_name(operation: int) -> Any:
    return _ECDSA if operation == _OPERATION_SIGNATURE else NULL


@callback("keymgmt_has")
def _has(_struct: Any, _selection: int) -> int:
    return 1


@callback("keymgmt_match")
def _match(one: Any, other: Any, _selection: int) -> int:
    return int(lib.EVP_PKEY_eq(keys.at(one).public, keys.at(other).public) == 1)


@callback("keymgmt_import")
def _import(_struct: Any, _selection: int, _params: Any) -> int:
    return 0


@callback("keymgmt_types")
def _import_types(_selection: int) -> Any:
    return NULL


@callback("keymgmt_export")
def _export(struct: Any, selection: int, take: Any, argument: Any) -> int:
    if selection & _SELECT_PRIVATE_KEY:
        return 0
    return int(lib.EVP_PKEY_export(keys.at(struct).public, selection, take, argument))


@callback("keymgmt_types")
def _export_types(selection: int) -> Any:
    return NULL if selection & _SELECT_PRIVATE_KEY else _EXPORTED


@callback("keymgmt_dup")
def _dup(struct: Any, _selection: int) -> Any:
    return keys.copy(struct)


# A table with half of a pair, or without load, free or has, is dropped without a word.
ENTRIES = (
    (1, _new),
    (8, _load),
    (10, lib.free),
    (11, _get_params),
    (12, _gettable_params),
    (21, _has),
    (23, _match),
    (40, _import),
    (41, _import_types),
    (42, _export),
    (43, _export_types),
    (44, _dup),
)
EC_ENTRIES = (*ENTRIES, (20, _ec_operation_name))
