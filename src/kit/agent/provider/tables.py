"""The tables that make a provider (provider(7)), and its way into libcrypto.

There is no teardown entry, each free entry is libc's own free(), and nothing is ever taken back: libcrypto
frees keys after the interpreter is gone, and no Python may run then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kit.agent.provider import decoder, keymgmt, signature
from kit.agent.provider.callbacks import callback, immortal
from kit.agent.provider.library import KEY_TYPES, NULL, ffi, lib
from kit.agent.schemes import KeyType
from kit.core.errors import Unavailable

_KEYMGMT, _SIGNATURE, _DECODER = 10, 12, 21
_QUERY_OPERATION, _BIO_READ_EX = 1027, 42
_PROPERTIES = "provider=kit"
_NAMES = {
    KeyType.RSA: "RSA:rsaEncryption:1.2.840.113549.1.1.1",
    KeyType.EC: "EC:id-ecPublicKey:1.2.840.10045.2.1",
    KeyType.ED25519: "ED25519:1.3.101.112",
    KeyType.ML_DSA_44: "ML-DSA-44:MLDSA44:2.16.840.1.101.3.4.3.17:id-ml-dsa-44",
    KeyType.ML_DSA_65: "ML-DSA-65:MLDSA65:2.16.840.1.101.3.4.3.18:id-ml-dsa-65",
    KeyType.ML_DSA_87: "ML-DSA-87:MLDSA87:2.16.840.1.101.3.4.3.19:id-ml-dsa-87",
}
_SIGNATURE_NAMES = {**_NAMES, KeyType.EC: "ECDSA"}


def _dispatch(entries: Iterable[tuple[int, Any]]) -> Any:
    """An OSSL_DISPATCH array, ended by an entry of zeros."""
    rows = [(number, ffi.cast("void (*)(void)", function)) for number, function in entries]
    return immortal(ffi.new("OSSL_DISPATCH[]", [*rows, (0, NULL)]))


def _algorithms(rows: Iterable[tuple[str, str, Any]]) -> Any:
    """An OSSL_ALGORITHM array, ended by an entry of zeros."""
    entries = [(_text(names), _text(properties), table, NULL) for names, properties, table in rows]
    return immortal(ffi.new("OSSL_ALGORITHM[]", [*entries, (NULL, NULL, NULL, NULL)]))


def _text(text: str) -> Any:
    return immortal(ffi.new("char[]", text.encode()))


_KEYMGMT_TABLE, _EC_KEYMGMT_TABLE = _dispatch(keymgmt.ENTRIES), _dispatch(keymgmt.EC_ENTRIES)
_SIGNATURE_TABLE = _dispatch(signature.ENTRIES)
_OPERATIONS = {
    _KEYMGMT: _algorithms(
        (_NAMES[key_type], _PROPERTIES, _EC_KEYMGMT_TABLE if key_type is KeyType.EC else _KEYMGMT_TABLE)
        for key_type in KEY_TYPES
    ),
    _SIGNATURE: _algorithms(
        (_SIGNATURE_NAMES[key_type], _PROPERTIES, _SIGNATURE_TABLE) for key_type in KEY_TYPES
    ),
    _DECODER: _algorithms(
        (key_type.value, f"{_PROPERTIES},input=pem", _dispatch(decoder.entries(key_type)))
        for key_type in KEY_TYPES
    ),
}


@callback("query_operation")
def _query_operation(_provider: Any, operation: int, no_cache: Any) -> Any:
    no_cache[0] = 0
    return _OPERATIONS.get(operation, NULL)


_PROVIDER_TABLE = _dispatch([(_QUERY_OPERATION, _query_operation)])


@callback("provider_init")
def _init(_handle: Any, core: Any, out: Any, context: Any) -> int:
    at = 0
    while core[at].function_id:
        if core[at].function_id == _BIO_READ_EX:
            decoder.connect(core[at].function)
        at += 1
    out[0] = _PROVIDER_TABLE
    context[0] = ffi.cast("void *", 1)  # never read, but NULL would say that there is no provider
    return 1


def load() -> None:
    """Add the provider to libcrypto, after the default one: whoever asks without a wish gets that."""
    if not (
        lib.OSSL_PROVIDER_load(NULL, b"default")
        and lib.OSSL_PROVIDER_add_builtin(NULL, b"kit", _init) == 1
        and lib.OSSL_PROVIDER_load(NULL, b"kit")
    ):
        raise Unavailable("libcrypto does not take the agent's provider")
