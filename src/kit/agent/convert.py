"""python -I -m kit.agent.convert: RSA's n e d iqmp p q as PKCS#1 DER, in a process that ends at once.

Reads the six numbers from standard input, each a length (uint32) and that many octets, and writes the DER to
standard output. dp and dq take arithmetic, and Python's integers leave their digits on the heap: here the
heap ends with the process.
"""

from __future__ import annotations

import sys

from kit.agent.encoding import Reader
from kit.core.process import not_dumpable

_LIMIT = 8 * 1024


def main() -> None:
    not_dumpable()
    reader = Reader(sys.stdin.buffer.read(_LIMIT))
    n, e, d, iqmp, p, q = (int.from_bytes(reader.string(), "big") for _ in range(6))
    reader.end()
    numbers = (0, n, e, d, p, q, d % (p - 1), d % (q - 1), iqmp)
    body = b"".join(_integer(number) for number in numbers)
    sys.stdout.buffer.write(_value(0x30, body))
    sys.stdout.buffer.flush()


def _integer(number: int) -> bytes:
    return _value(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _value(tag: int, body: bytes) -> bytes:
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    octets = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


if __name__ == "__main__":
    main()
