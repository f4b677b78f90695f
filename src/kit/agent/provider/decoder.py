"""DECODER: a PEM handle becomes a key (provider-decoder(7)), wherever libcrypto loads a private key file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kit.agent import handle as handles
from kit.agent.provider import key as keys
from kit.agent.provider.callbacks import callback, immortal
from kit.agent.provider.failures import fail
from kit.agent.provider.library import NULL, ffi, lib
from kit.agent.provider.parameters import INTEGER, OCTET_STRING, UTF8_STRING, given
from kit.agent.schemes import KeyType
from kit.core.errors import KitError

_OBJECT_IS_PKEY = 2
# A handle may stand behind certificates; what is longer than this is no key file.
_FILE_LIMIT = 1024 * 1024
_CHUNK = 16 * 1024


class _Core:
    """What libcrypto lends to its providers; set when ours is initialised."""

    read: Any = None


def connect(bio_read_ex: Any) -> None:
    """Read through this function from now on."""
    _Core.read = ffi.cast("bio_read_ex *", bio_read_ex)


@callback("decoder_newctx")
def _newctx(_provider: Any) -> Any:
    return lib.calloc(1, 1)


@callback("decoder_export_object")
def _export_object(_context: Any, _reference: Any, _size: int, _take: Any, _argument: Any) -> int:
    """Refuses. libcrypto calls this entry unchecked when another provider's KEYMGMT is to take the key."""
    return 0


def entries(key_type: KeyType) -> Iterable[tuple[int, Any]]:
    """The table of the decoder for keys of this type; it leaves the others to theirs."""
    type_name = immortal(ffi.new("char[]", key_type.encode()))

    @callback("decoder_decode")
    def _decode(
        _context: Any, bio: Any, _selection: int, take: Any, argument: Any, _ask: Any, _ask_argument: Any
    ) -> int:
        try:
            handle = handles.decode(_read_all(bio))
            key = keys.named_by(handle) if handle else None
        except KitError as error:
            return fail("handle", error)
        if key is None or key.key_type is not key_type:
            return 1  # 0 would end the whole decoding
        return _hand_over(key, type_name, take, argument)

    return ((1, _newctx), (2, lib.free), (11, _decode), (20, _export_object))


def _read_all(bio: Any) -> bytes:
    buffer, count, text = ffi.new("char[]", _CHUNK), ffi.new("size_t *"), b""
    while len(text) <= _FILE_LIMIT and _Core.read(bio, buffer, _CHUNK, count) == 1 and count[0]:
        text += ffi.buffer(buffer, count[0])[:]
    return text if len(text) <= _FILE_LIMIT else b""


def _hand_over(key: keys.Key, type_name: Any, take: Any, argument: Any) -> int:
    """Give libcrypto a struct for the key; it stays ours where nobody loads it."""
    reference = ffi.new("kit_key *[1]", [keys.struct_of(key)])
    try:
        return int(
            take(
                given(
                    ("type", INTEGER, ffi.new("int[1]", [_OBJECT_IS_PKEY])),
                    ("data-type", UTF8_STRING, type_name),
                    ("reference", OCTET_STRING, reference),
                ),
                argument,
            )
        )
    finally:
        if reference[0] != NULL:
            lib.free(reference[0])
