"""The bare RSA operation, for which `cryptography` has no function: by the system's libcrypto.

Only for keys that may sign blocks, and for nothing but a block of which it is known what it is: applied to a
ciphertext, the same operation decrypts. libcrypto blinds each operation, and checks the result of its CRT
with the public exponent before it gives it away (`rsa_ossl_mod_exp`).

Importing this room reaches the library, which opens files; the zygote does it before it gives that up.
"""

from __future__ import annotations

import _hashlib
from typing import Any

from kit.agent.bare_rsa._libcrypto import ffi
from kit.core.errors import Unavailable

_NO_PADDING = 3  # RSA_NO_PADDING, openssl/rsa.h
_OPENSSL_3 = 0x30000000


class BareRSA:
    """An RSA key as libcrypto holds it; its numbers are wiped when the last reference to it goes."""

    def __init__(self, rsa: Any) -> None:
        self._rsa = ffi.gc(rsa, _lib.RSA_free)

    def apply(self, block: bytes) -> bytes:
        """The block to the power of the private exponent; raises ValueError for one that is no number below
        the modulus, or where libcrypto fails.
        """
        out = ffi.new("unsigned char[]", _lib.RSA_size(self._rsa))
        size = _lib.RSA_private_encrypt(len(block), block, out, self._rsa, _NO_PADDING)
        if size != len(out):
            _lib.ERR_clear_error()
            raise ValueError("the bare RSA operation failed")
        return bytes(ffi.buffer(out))


def load(der: memoryview | bytearray) -> BareRSA | None:
    """The RSA key in PKCS#8 or PKCS#1; None where this Python's libcrypto cannot be reached.

    What libcrypto copies on the way (the octets within PKCS#8) it wipes.
    """
    if _lib is None:
        return None
    data = ffi.from_buffer("unsigned char[]", der)
    info = _lib.d2i_PKCS8_PRIV_KEY_INFO(ffi.NULL, ffi.new("const unsigned char **", data), len(data))
    if info == ffi.NULL:
        rsa = _read_pkcs1(data, len(data))
    else:
        inner, size = ffi.new("const unsigned char **"), ffi.new("int *")
        _lib.PKCS8_pkey_get0(ffi.NULL, inner, size, ffi.NULL, info)
        rsa = _read_pkcs1(inner[0], size[0])
        _lib.PKCS8_PRIV_KEY_INFO_free(info)
    _lib.ERR_clear_error()
    if rsa == ffi.NULL:
        raise ValueError("libcrypto does not read this RSA key")
    return BareRSA(rsa)


def unreachable() -> Unavailable:
    """Why nothing can be signed with a key for which `load` gave None."""
    return Unavailable(
        "this agent cannot sign an encoded block: its Python shows no libcrypto of OpenSSL 3",
        hint="run the agent with the distribution's Python",
    )


def _read_pkcs1(data: Any, size: int) -> Any:
    return _lib.d2i_RSAPrivateKey(ffi.NULL, ffi.new("const unsigned char **", data), size)


def _reach() -> Any:
    """By the file of a module that is linked with libcrypto and not with libssl; dlsym() follows it."""
    path = getattr(_hashlib, "__file__", None)
    if path is None:
        return None  # everything is linked in, and hidden
    try:
        library = ffi.dlopen(path)
        for name in dir(library):
            getattr(library, name)
    except (OSError, AttributeError, ffi.error):
        return None
    return library if library.OpenSSL_version_num() >= _OPENSSL_3 else None


_lib = _reach()
