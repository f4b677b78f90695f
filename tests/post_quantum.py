"""What one of the systems alone can test: Debian 12's OpenSSL (3.0) has no ML-DSA, Debian 13's (3.5) has."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from functools import cache

import pytest

OPENSSL_WITH_ML_DSA = (3, 5)


def in_ssl() -> bool:
    """Does the OpenSSL of Python's ssl have ML-DSA?"""
    return ssl.OPENSSL_VERSION_INFO[:2] >= OPENSSL_WITH_ML_DSA


@cache
def in_program() -> bool:
    """Does the program `openssl`? Where there is none, `tests.peers` says so."""
    path = shutil.which("openssl")
    if path is None:
        return True
    words = subprocess.run([path, "version"], capture_output=True, text=True, check=True, timeout=30).stdout
    return tuple(map(int, words.split()[1].split(".")[:2])) >= OPENSSL_WITH_ML_DSA


needs_ml_dsa_in_ssl = pytest.mark.skipif(
    not in_ssl(), reason=f"{ssl.OPENSSL_VERSION}, on which Python's ssl runs, has no ML-DSA; Debian 13's has"
)
needs_ml_dsa_in_openssl = pytest.mark.skipif(
    not in_program(), reason="this openssl has no ML-DSA; Debian 13's (3.5) has"
)
needs_no_ml_dsa_in_ssl = pytest.mark.skipif(
    in_ssl(), reason=f"{ssl.OPENSSL_VERSION} has ML-DSA; what it is like without is tested on Debian 12 (3.0)"
)
