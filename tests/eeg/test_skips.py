"""What skipped bytes look like."""

from __future__ import annotations

import random

import pytest

from kit.eeg import p2, p3
from kit.eeg.records import Packet, Skipped
from kit.eeg.skips import why

GOOD = p2.encode(Packet(0, 2, 7, (519, 510, 505, 500, 493, 487), 7, 0))
P3 = b"".join(p3.encode(Packet(0, 3, n % 64, (519, 510, 505, 500), None, 0)) for n in range(20))


def changed(at: int, value: int) -> bytes:
    data = bytearray(GOOD)
    data[at] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "nothing"),
        (GOOD[:1], "cut short"),
        (GOOD[:2], "cut short"),
        (GOOD[:3], "cut short"),
        (GOOD[:16], "cut short"),
        (changed(4, 0x20), "high byte above 3"),
        (b"\x11\x12" + changed(14, 0x04), "high byte above 3"),
        (changed(2, 3), "version 3"),
        (changed(2, 1) + changed(2, 1), "version 1"),
        (changed(0, 0xA4), "no sync"),
        (GOOD[5:], "no sync"),
        (bytes(100), "one value"),
        (b"\xff" * 9, "one value"),
        (b"1622034547374070|2|10|519|510|505|500|493|487|7\n" * 3, "text"),
        (P3, "P3 packets"),
        (P3[3:], "P3 packets"),
        (random.Random(1).randbytes(1024), "noise"),
        (bytes(range(100)) + b"\xa5\x5a\x07" + bytes(range(100)), "noise"),
    ],
)
def test_each_kind_has_its_word(data: bytes, word: str) -> None:
    assert why(data) == word


def test_what_the_decoder_skips_is_named_after_what_was_done_to_it() -> None:
    for cut in range(1, 17):
        decoder = p2.Decoder()
        found = decoder.feed(GOOD + GOOD[:cut] + GOOD) + decoder.finish()
        [skipped] = [event for event in found if isinstance(event, Skipped)]
        assert why(skipped.data) == "cut short"
