"""The walk from bytes to items: order, times, totals."""

from __future__ import annotations

from kit.eeg.capture import Capture
from kit.eeg.p2 import encode
from kit.eeg.records import Chunk, Ended, Gone, Interrupted, Lost, Packet, Run, Skipped


def _bytes(*numbers: int) -> bytes:
    return b"".join(encode(Packet(0, 2, number % 256, (number % 1024,) * 6, 15, 0)) for number in numbers)


def test_the_items_are_in_the_order_of_the_bytes() -> None:
    capture = Capture("p2")
    items = capture.feed(Chunk(_bytes(1, 2) + b"??" + _bytes(5)))
    items += capture.end("end")
    assert [type(item) for item in items] == [Run, Skipped, Lost, Run, Ended]
    assert items[-1] == Ended("end", 3, 2, 2, 0, 0, 0, 53, 19531)


def test_an_interruption_stands_behind_what_was_held() -> None:
    capture = Capture("p2")
    items = capture.feed(Chunk(_bytes(1) + b"\xa5\x5a", 10_000_000, 20_000_000))
    items += capture.interrupt(Gone("unplugged", 11_000_000, 21_000_000))
    assert items[1:] == [Skipped(17, b"\xa5\x5a"), Interrupted(19, 21_000, "unplugged")]
