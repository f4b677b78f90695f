"""What is made of chunks: pauses, whose they were, and what was lost in them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from kit.eeg import p2, p3
from kit.eeg.doctor.facts import Pause, Seen
from kit.eeg.doctor.sight import Ending, Sight
from kit.eeg.records import Chunk, Packet

PERIOD_NS = 1_000_000_000 // 256


def packet(number: int) -> bytes:
    return p2.encode(Packet(0, 2, number % 256, (1, 2, 3, 4, 5, 6), 15, 0))


def see(chunks: list[Chunk], protocol: str = "auto", late_us: int = 0) -> Seen:
    sight = Sight(protocol, Fraction(256), 57600)
    for chunk in chunks:
        sight.take(chunk)
    return sight.seen(Ending("duration", None, 1.0, lambda _begin, _end: late_us, late_us))


def sent(numbers: list[int], stalls: dict[int, int] | None = None) -> list[Chunk]:
    """A chunk a packet; `stalls`: by how many nanoseconds a packet and all behind it are late."""
    chunks, late_ns = [], 0
    for number in numbers:
        late_ns += (stalls or {}).get(number, 0)
        at_ns = 10**12 + number * PERIOD_NS + late_ns
        chunks.append(Chunk(packet(number), at_ns, at_ns))
    return chunks


def test_a_clean_stream_is_counted() -> None:
    seen = see(sent(list(range(500))))
    assert (seen.packets, seen.lost, seen.skipped, seen.pauses) == (500, 0, 0, ())
    assert (seen.bytes, seen.reads, seen.largest_read, seen.packet_size) == (8500, 500, 17, 17)
    assert (seen.protocol, seen.identity) == ("p2", None)


@pytest.mark.parametrize(("late_us", "was_kits"), [(0, False), (110_000, False), (200_000, True)])
def test_a_pause_is_kits_if_kit_did_not_run_in_most_of_it(late_us: int, was_kits: bool) -> None:
    [pause] = see(sent(list(range(300)), {100: 296_000_000}), late_us=late_us).pauses
    assert pause == Pause(1700, 299_906, late_us, 0)
    assert pause.was_kits is was_kits


def test_what_is_missing_behind_a_pause_was_lost_in_it() -> None:
    numbers = [*range(100), *range(140, 200), *range(203, 400)]
    seen = see(sent(numbers))
    assert seen.lost == 43
    [pause] = seen.pauses
    assert (pause.offset, pause.lost) == (1700, 40)


def test_a_line_that_falls_silent_at_the_end_has_paused() -> None:
    chunks = sent(list(range(100)))
    silence = [Chunk(b"", 10**12 + at, 10**12 + at) for at in (900_000_000, 1_150_000_000)]
    [pause] = see([*chunks, *silence]).pauses
    assert pause.offset == 1700
    assert pause.length_us == pytest.approx(763_281, abs=2)


def test_the_wait_for_the_first_byte_is_no_pause() -> None:
    assert see([Chunk(b"", 1, 1), *sent(list(range(100)))]).pauses == ()


def test_bytes_without_times_have_no_pauses() -> None:
    seen = see([Chunk(b"".join(map(packet, range(100)))), Chunk(b"".join(map(packet, range(100, 200))))])
    assert (seen.packets, seen.pauses) == (200, ())


def test_bytes_before_the_first_packet_are_told_apart() -> None:
    data = packet(0)[5:] + b"".join(map(packet, range(1, 50))) + packet(50)[:9]
    data += b"".join(map(packet, range(51, 100)))
    seen = see([Chunk(data)])
    assert (seen.skipped, seen.skipped_at_first, seen.lost) == (21, 12, 1)
    assert {look.why: look.count for look in seen.looks} == {"no sync": 12, "cut short": 9}


def test_p3_tells_the_devices_name() -> None:
    text = b"mEEGv1.0\0"
    data = b"".join(
        p3.encode(Packet(0, 3, n % 64, (), None, text[n // 8 % 9] if n % 8 == 0 else 0)) for n in range(200)
    )
    seen = see([Chunk(data)])
    assert (seen.protocol, seen.identity, seen.packet_size) == ("p3", "mEEGv1.0", 2)
