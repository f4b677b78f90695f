"""Every trace of a known private key: the numbers, in every form, as 8-byte windows at any alignment.

It knows the private key, which `kit.tls.traces` does not, so it finds any surviving piece of 23 bytes (24
characters of text), and numbers that cannot be told from the public key alone. Of text 8 characters are too
few: that many digits of a key stand by chance in a process that knows a table of digits. Tests only.
"""

from __future__ import annotations

import base64
import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kit.tls.memscan import Snapshot

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_WINDOW = 8
# The forms that are no text.
_BYTES = ("big-endian", "little-endian", "Python digits")


@dataclass(frozen=True, slots=True)
class _Source:
    """What a window is of: a number in a form; and the whole of it, if that is text."""

    name: str
    text: bytes

    def stands(self, memory: bytes, window: bytes) -> bool:
        """Does such a window that was found in the memory tell of the key?"""
        return not self.text or any(
            memory[at : at + 2 * _WINDOW] in self.text or memory[at - _WINDOW : at + _WINDOW] in self.text
            for at in _places(memory, window)
        )


def _places(memory: bytes, window: bytes) -> Iterator[int]:
    """Where it is, at multiples of its length that have as much on both sides."""
    at = memory.find(window, _WINDOW)
    while _WINDOW <= at <= len(memory) - 2 * _WINDOW:
        if at % _WINDOW == 0:
            yield at
        at = memory.find(window, at + 1)


def _windows_of(key: PrivateKey) -> dict[bytes, _Source]:
    windows: dict[bytes, _Source] = {}
    for number, value, size in _numbers(key):
        for form, data in _forms(value.to_bytes(size, "big")):
            source = _Source(f"{number} {form}", b"" if form in _BYTES else data)
            for at in range(len(data) - _WINDOW + 1):
                window = data[at : at + _WINDOW]
                if len(set(window)) > (2 if source.text else 5):
                    windows[window] = source
    return windows


def traces_of(key: PrivateKey, snapshot: Snapshot) -> Counter[str]:
    """How many windows of which number and form stand in the memory, at addresses that 8 divides."""
    return traces_of_each({"": key}, snapshot)[""]


def traces_of_each(keys: Mapping[str, PrivateKey], snapshot: Snapshot) -> dict[str, Counter[str]]:
    """The same for several keys, for not much more time."""
    words = {
        int.from_bytes(window, "little"): (key_name, source)
        for key_name, key in keys.items()
        for window, source in _windows_of(key).items()
    }
    found: dict[str, Counter[str]] = {name: Counter() for name in keys}
    for region in snapshot.regions:
        for word in words.keys() & set(array("Q", region.memory)):
            key_name, source = words[word]
            if source.stands(region.memory, word.to_bytes(_WINDOW, "little")):
                found[key_name][source.name] += 1
    return found


def _numbers(key: PrivateKey) -> Iterator[tuple[str, int, int]]:
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        half, whole = key.key_size // 16, key.key_size // 8
        for name, value in (("p", numbers.p), ("q", numbers.q), ("qinv", numbers.iqmp)):
            yield name, value, half
        yield "dp", numbers.dmp1, half
        yield "dq", numbers.dmq1, half
        yield "d", numbers.d, whole
        yield "d mod lambda", pow(65537, -1, math.lcm(numbers.p - 1, numbers.q - 1)), whole
        for name, prime in (("RR of p", numbers.p), ("RR of q", numbers.q)):
            yield name, pow(2, 16 * half, prime), half
    else:
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        scalar = key.private_numbers().private_value
        yield "d", scalar, 32
        yield "d in Montgomery form", (scalar << 256) % order, 32


def _forms(data: bytes) -> Iterator[tuple[str, bytes]]:
    yield "big-endian", data
    yield "little-endian", data[::-1]
    number = int.from_bytes(data, "big")
    yield (
        "Python digits",
        b"".join(
            (number >> bits & (1 << 30) - 1).to_bytes(4, "little") for bits in range(0, len(data) * 8, 30)
        ),
    )
    yield "hex", data.hex().encode()
    yield "HEX", data.hex().upper().encode()
    yield "decimal", str(number).encode()
    for phase in range(3):
        # The first and last group also hold bits of the neighbours.
        yield f"base64 {phase}", base64.b64encode(bytes(phase) + data)[4:-4]
        yield f"base64url {phase}", base64.urlsafe_b64encode(bytes(phase) + data)[4:-4]
