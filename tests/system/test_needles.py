"""What the scans of memory rest on: a piece of a key is found wherever it stands, and chance is no piece."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from kit.tls.memscan import Region, Snapshot
from tests.system.needles import traces_of

KEY = rsa.generate_private_key(65537, 2048)
QINV = str(KEY.private_numbers().iqmp).encode()
P = KEY.private_numbers().p.to_bytes(128, "big")


def found(*pieces: bytes) -> dict[str, int]:
    """Each piece in a page of its own, in the middle of what is no key's."""
    regions = tuple(Region(1 << 32, bytes(64) + piece + bytes(64 - len(piece) % 8)) for piece in pieces)
    return dict(traces_of(KEY, Snapshot(1, regions, 0)))


@pytest.mark.parametrize("shift", range(8))
def test_a_piece_is_found_at_any_place(shift: int) -> None:
    fill = os.urandom(shift)
    assert set(found(fill + QINV[30:54])) == {"qinv decimal"}
    assert set(found(fill + P.hex()[10:34].encode())) == {"p hex"}
    assert set(found(fill + P[5:28])) == {"p big-endian"}


def test_digits_that_are_a_key_s_by_chance_are_no_trace_of_it() -> None:
    assert found(*(QINV[at : at + 8] for at in range(len(QINV) - 8))) == {}
    assert found(b"01234567" + QINV[40:48] + b"89abcdef") == {}
