"""The libcrypto that `ssl` runs on: importing this module reaches it, or raises Unavailable.

`cryptography` carries an OpenSSL of its own, which `ssl` never asks; it is of no use here. The symbols come
from the file of the `_ssl` module, because dlsym() follows its dependencies (and finds libc's calloc and
free too).
"""

from __future__ import annotations

import _ssl
import ssl
import sys
from typing import Any

from kit.agent.provider import _openssl
from kit.agent.schemes import ML_DSA, KeyType
from kit.core.errors import Unavailable

_NEEDED = (
    "OpenSSL_version_num",
    "OSSL_PROVIDER_add_builtin",
    "EVP_PKEY_export",
    "EVP_DigestVerifyInit_ex",
    "EVP_PKEY_get_size",
    "EVP_PKEY_eq",
    "calloc",
    "free",
)

_ML_DSA_SINCE = (3, 5)

ffi = _openssl.ffi


def _reach() -> Any:
    if ssl.OPENSSL_VERSION_INFO < (3, 0):
        raise _unreachable(f"its ssl runs on {ssl.OPENSSL_VERSION}, where OpenSSL 3 is needed")
    path = getattr(_ssl, "__file__", None)
    if path is None:
        raise _unreachable("its OpenSSL is built in and hidden")
    try:
        library = ffi.dlopen(path)
        for name in _NEEDED:
            getattr(library, name)
    except (OSError, ffi.error):
        raise _unreachable("its OpenSSL shows no symbols") from None
    if library.OpenSSL_version_num() != ssl.OPENSSL_VERSION_NUMBER:
        raise _unreachable("another OpenSSL stands before the one that its ssl runs on")
    return library


def _unreachable(why: str) -> Unavailable:
    # The builds that uv and others download link everything in and hide foreign symbols.
    return Unavailable(
        f"{sys.executable} cannot take keys from an agent: {why}",
        hint="use the distribution's Python ('uv venv --python /usr/bin/python3') or one built by pyenv",
    )


lib = _reach()
NULL = ffi.NULL
# Key types that this OpenSSL does not know are not offered to it.
KEY_TYPES = (
    *(KeyType.RSA, KeyType.EC, KeyType.ED25519),
    *(ML_DSA if ssl.OPENSSL_VERSION_INFO[:2] >= _ML_DSA_SINCE else ()),
)
