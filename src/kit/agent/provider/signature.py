"""SIGNATURE: digest-and-sign in one step, with the content whole (provider-signature(7)).

That the content is whole is why a provider was chosen: the agent sees what it signs.
"""

from __future__ import annotations

from typing import Any

from kit.agent.provider import key as keys
from kit.agent.provider import signing
from kit.agent.provider.callbacks import callback
from kit.agent.provider.failures import fail
from kit.agent.provider.library import ffi, lib
from kit.agent.provider.parameters import UTF8_STRING, described, read
from kit.agent.schemes import SCHEMES, KeyType, Scheme
from kit.core.errors import KitError, UsageError

_SETTABLE = described(("pad-mode", UTF8_STRING), ("saltlen", UTF8_STRING))
_CONTEXT = ffi.typeof("kit_signing *")
# kit_signing.hash; 0 is "none", as Ed25519 and ML-DSA have it.
_HASHES = ("", "sha256", "sha384", "sha512")
_HASH_NUMBERS = {
    name: number
    for number, hash_name in enumerate(_HASHES)
    for name in (
        hash_name.encode(),
        hash_name.upper().encode(),
        hash_name.upper().replace("SHA", "SHA2-").encode(),
    )
}
_PADDINGS = {1: 1, "pkcs1": 1, 6: 6, "pss": 6}
_PSS = 6
# RFC 8446, section 4.2.3: the salt is as long as the digest.
_SALT_LENGTHS = (-1, "digest")
# Other forms of FIPS 204 than the pure one with an empty context; TLS asks for none of them.
_FORMS_OF_ML_DSA = (b"context-string", b"message-encoding", b"mu", b"deterministic", b"test-entropy")
_SCHEMES: dict[tuple[KeyType, str, bool], Scheme] = {
    (scheme.key_type, scheme.hash_name, scheme.pss): scheme for scheme in SCHEMES.values()
}


@callback("signature_newctx")
def _newctx(_provider: Any, _properties: Any) -> Any:
    return keys.allocate(_CONTEXT)


@callback("signature_dupctx")
def _dupctx(context: Any) -> Any:
    return keys.copy(context)


@callback("signature_digest_sign_init")
def _digest_sign_init(context: Any, digest: Any, struct: Any, params: Any) -> int:
    if struct:
        context.key = struct.key
    if digest:
        number = _HASH_NUMBERS.get(ffi.string(digest))
        if number is None:
            name = ffi.string(digest).decode("ascii", "replace")
            return fail(_key_name(context), UsageError(f"the agent does not sign with {name!r}"))
        context.hash = number
    return _set(context, params)


@callback("signature_set_ctx_params")
def _set_ctx_params(context: Any, params: Any) -> int:
    return _set(context, params)


def _set(context: Any, params: Any) -> int:
    if not params:
        return 1
    for name in _FORMS_OF_ML_DSA:
        if lib.OSSL_PARAM_locate_const(params, name):
            return fail(_key_name(context), UsageError(f"the agent signs with no {name.decode()!r}"))
    padding, salt = read(params, b"pad-mode"), read(params, b"saltlen")
    if padding is not None:
        if padding not in _PADDINGS:
            return fail(_key_name(context), UsageError(f"the agent has no RSA padding {padding!r}"))
        context.padding = _PADDINGS[padding]
    if salt is not None and salt not in _SALT_LENGTHS:
        return fail(_key_name(context), UsageError(f"the agent signs with no salt of length {salt!r}"))
    return 1


@callback("signature_settable_ctx_params")
def _settable_ctx_params(_context: Any, _provider: Any) -> Any:
    return _SETTABLE


@callback("signature_digest_sign")
def _digest_sign(  # noqa: PLR0913, PLR0917 -- as libcrypto calls it
    context: Any, out: Any, size: Any, room: int, content: Any, length: int
) -> int:
    """Called twice: without a place for the signature to learn its size, then for the signature."""
    key = keys.at(context)
    if not out:
        size[0] = lib.EVP_PKEY_get_size(key.public)
        return 1
    try:
        signature = signing.sign(key, _scheme(context, key), ffi.buffer(content, length)[:])
        if len(signature) > room:
            raise UsageError(f"a signature of {len(signature)} bytes, where {room} have room")
    except KitError as error:
        return fail(_key_name(context), error)
    ffi.memmove(out, signature, len(signature))
    size[0] = len(signature)
    return 1


def _scheme(context: Any, key: keys.Key) -> Scheme:
    hash_name, pss = _HASHES[context.hash], context.padding == _PSS
    scheme = _SCHEMES.get((key.key_type, hash_name, pss))
    if scheme is None:
        raise UsageError(f"the agent does not sign with {hash_name or 'no digest'!r} and this key")
    return scheme


def _key_name(context: Any) -> str:
    return f"key {keys.at(context).handle.key_name!r}"


ENTRIES = (
    (1, _newctx),
    (8, _digest_sign_init),
    (11, _digest_sign),
    (16, lib.free),
    (17, _dupctx),
    (20, _set_ctx_params),
    (21, _settable_ctx_params),
)
