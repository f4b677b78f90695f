"""RSA's numbers from an SSH message as PKCS#1 DER: for a process that ends at once.

dp and dq take arithmetic, and Python's integers leave their digits on the heap: where this runs, the heap
ends with the process (`processes.offspring`).
"""

from __future__ import annotations

from collections.abc import Mapping

_PARTS = ("n", "e", "d", "iqmp", "p", "q")
# Twice what an RSA key of 8192 bits takes.
LIMIT = 8 * 1024


def size(parts: Mapping[str, memoryview]) -> int:
    """How many bytes the numbers have."""
    return sum(len(parts[name]) for name in _PARTS)


def rsa_to_der(parts: Mapping[str, memoryview]) -> bytes:
    """The key as PKCS#1 DER; raises ArithmeticError or ValueError for numbers that are no key."""
    n, e, d, iqmp, p, q = (int.from_bytes(parts[name], "big") for name in _PARTS)
    numbers = (0, n, e, d, p, q, d % (p - 1), d % (q - 1), iqmp)
    body = b"".join(_integer(number) for number in numbers)
    return _value(0x30, body)


def _integer(number: int) -> bytes:
    return _value(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _value(tag: int, body: bytes) -> bytes:
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    octets = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body
