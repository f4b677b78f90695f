"""The keys that handles named, as libcrypto sees them: a number in a C struct, a public key behind it.

Key structs are copied and freed by C alone, so each holds no more than the key's number. A key, once named,
stays known: the numbers are never given twice, and 0 (what calloc leaves) names none. No lock is taken
anywhere here, because a fork in another thread could leave it locked; each step is atomic by itself.
"""

from __future__ import annotations

import itertools
import ssl
from typing import Any

from kit.agent.forms import key_id
from kit.agent.handle import Handle
from kit.agent.provider.library import KEY_TYPES, NULL, ffi, lib
from kit.agent.schemes import ML_DSA, KeyType, Scheme
from kit.core.errors import Unavailable, UsageError
from kit.core.frozen import frozen

# RFC 9881, section 2, behind the SEQUENCE's header: the AlgorithmIdentifier, which has no parameters.
_ML_DSA_ALGORITHM, _SPKI_HEAD = bytes.fromhex("300b06096086480165030403"), 4
_RSA_PKCS1_PSS_PADDING, _RSA_PSS_SALTLEN_DIGEST = 6, -1


@frozen
class Key:
    """A key of an agent; `public` is an EVP_PKEY of libcrypto's own with the public part."""

    number: int
    handle: Handle
    key_id: bytes
    key_type: KeyType
    public: Any

    def verifies(self, scheme: Scheme, signature: bytes, content: bytes) -> bool:
        """Is this a signature of this key on the content?"""
        context = ffi.gc(lib.EVP_MD_CTX_new(), lib.EVP_MD_CTX_free)
        settings = ffi.new("EVP_PKEY_CTX **")
        digest = scheme.hash_name.encode() or NULL
        if lib.EVP_DigestVerifyInit_ex(context, settings, digest, NULL, NULL, self.public, NULL) != 1:
            return False
        if scheme.pss and not (
            lib.EVP_PKEY_CTX_set_rsa_padding(settings[0], _RSA_PKCS1_PSS_PADDING) == 1
            and lib.EVP_PKEY_CTX_set_rsa_pss_saltlen(settings[0], _RSA_PSS_SALTLEN_DIGEST) == 1
        ):
            return False
        return bool(lib.EVP_DigestVerify(context, signature, len(signature), content, len(content)) == 1)


_numbers = itertools.count(1)
_by_number: dict[int, Key] = {}
_by_handle: dict[Handle, Key] = {}


def named_by(handle: Handle) -> Key:
    """The key of this handle, always the same one; raises UsageError where it cannot be one."""
    known = _by_handle.get(handle)
    if known is not None:
        return known
    key = Key(next(_numbers), handle, key_id(handle.spki), *_public(handle.spki))
    _by_number[key.number] = key
    return _by_handle.setdefault(handle, key)


def _public(spki: bytes) -> tuple[KeyType, Any]:
    start = ffi.new("unsigned char[]", spki)
    public = lib.d2i_PUBKEY(NULL, ffi.new("const unsigned char **", start), len(spki))
    for key_type in KEY_TYPES:
        if public and lib.EVP_PKEY_is_a(public, key_type.encode()) == 1:
            return key_type, public
    if spki[_SPKI_HEAD:].startswith(_ML_DSA_ALGORITHM) and not set(ML_DSA) <= set(KEY_TYPES):
        raise Unavailable(f"{ssl.OPENSSL_VERSION}, which ssl runs on, has no ML-DSA: it takes 3.5 or newer")
    raise UsageError(
        "the public key in the handle cannot be read", hint="write a new one with 'kit agent handle'"
    )


def at(struct: Any) -> Key:
    """The key that a kit_key or kit_signing names."""
    return _by_number[struct.key]


_STRUCT = ffi.typeof("kit_key *")


def struct_of(key: Key) -> Any:
    """A new kit_key for libcrypto, which frees it."""
    struct = allocate(_STRUCT)
    struct.key = key.number
    return struct


def allocate(pointer: Any) -> Any:
    """A zeroed struct of the C heap, to be ended by free(), also after Python's end."""
    memory = lib.calloc(1, ffi.sizeof(pointer.item))
    if not memory:
        raise MemoryError
    return ffi.cast(pointer, memory)


def copy(struct: Any) -> Any:
    """Another one with the same content."""
    twin = allocate(ffi.typeof(struct))
    ffi.memmove(twin, struct, ffi.sizeof(struct[0]))
    return twin
