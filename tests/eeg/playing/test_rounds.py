"""A recording played: its bytes as they are, and no seam between two rounds."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.eeg.capture import Capture
from kit.eeg.formats import make_reader
from kit.eeg.playing.rounds import Rounds
from kit.eeg.records import Chunk, Item, Lost, Packet, Restarted, Run, Skipped
from kit.eeg.simulator.wish import Wish
from tests.eeg.simulator.sending import send

RATE = Fraction(256)
FAULTS = ("lost:rate=0.02:burst=2", "flip:rate=0.02", "garbage:rate=0.01", "lost-bytes:rate=0.01")


def _items(data: bytes) -> list[Item]:
    capture = Capture()
    return [*capture.feed(Chunk(data)), *capture.end("end")]


def _played(data: bytes, rounds: int, looping: bool = True, piece: int = 1 << 20) -> bytes:
    player, out = Rounds(RATE, 256, looping), b""
    for _ in range(rounds):
        capture = Capture()
        for first in range(0, len(data), piece):
            items = capture.feed(Chunk(data[first : first + piece]))
            out += b"".join(sending.data for sending in player.take(items))
        out += b"".join(sending.data for sending in player.take(capture.end("end")))
        out += b"".join(sending.data for sending in player.end())
    return out


def _packets(items: list[Item]) -> list[Packet]:
    return [packet for item in items if isinstance(item, Run) for packet in item.stretch.packets()]


@settings(max_examples=25)
@given(st.integers(0, 30), st.integers(1, 4000), st.sampled_from(["p2", "p3"]))
def test_played_once_every_byte_is_as_it_was(cut: int, piece: int, protocol: str) -> None:
    data = send(*FAULTS, wish=Wish(protocol=protocol), count=300).data[cut:]  # type: ignore[arg-type]
    assert _played(data, 1, looping=False, piece=piece) == data


@settings(max_examples=25)
@given(st.integers(40, 700), st.integers(0, 30), st.integers(0, 30), st.sampled_from(["p2", "p3"]))
def test_between_two_rounds_nothing_is_lost_skipped_or_doubled(
    count: int, head: int, tail: int, protocol: str
) -> None:
    data = send(wish=Wish(protocol=protocol), count=count).data  # type: ignore[arg-type]
    data = data[head : len(data) - tail]
    found = _items(_played(data, 3))
    first = next(at for at, item in enumerate(found) if isinstance(item, Run))
    assert [item for item in found[first:] if isinstance(item, Lost | Skipped | Restarted)] == []


def test_the_auxiliary_byte_of_p3_stays_the_one_of_its_counter() -> None:
    data = send(wish=Wish(protocol="p3"), count=205).data
    original = _packets(_items(data))
    kept = 200  # whole eights
    assert _packets(_items(_played(data, 2)))[kept].auxiliary == original[0].auxiliary
    for at, packet in enumerate(_packets(_items(_played(data, 2)))):
        before = original[at % kept]
        assert packet.counter & 7 == before.counter & 7
        assert (packet.auxiliary, packet.channels) == (before.auxiliary, before.channels)


def test_losses_of_the_recording_are_the_losses_of_each_round() -> None:
    data = send("lost:every=40:burst=3", count=500).data
    once = [item.count for item in _items(data) if isinstance(item, Lost)]
    assert [item.count for item in _items(_played(data, 3)) if isinstance(item, Lost)] == once * 3


def test_a_restart_of_the_device_is_one_in_every_round() -> None:
    """The counter begins at 0, however far it had been moved."""
    data = send("restart:at=0.3", count=400).data
    counters = [packet.counter for packet in _packets(_items(_played(data, 2)))]
    restart = counters.index(0, 1)
    assert restart < 100
    assert counters[400] == (counters[399] + 1) % 256 != 0
    assert counters[400 + restart] == 0


@pytest.mark.parametrize(("step_us", "expected_ms"), [(10_000, 10), (0, 0), (-5, 3), (10**12, 3)])
def test_a_packet_comes_at_its_time_or_where_that_is_none_a_period_later(
    step_us: int, expected_ms: int
) -> None:
    start_us = 1_700_000_000_000_000
    lines = [f"{start_us + n * step_us}|2|{n}|1|2|3|4|5|6|15\n" for n in range(2)]
    reader, capture, player = make_reader("eegreader"), Capture(), Rounds(RATE, 1, looping=False)
    items: list[Item] = []
    for span, times in [*reader.feed("".join(lines).encode()), *reader.finish()]:
        assert not isinstance(span, Skipped)
        items += capture.accept(span, times)  # type: ignore[arg-type]
    items += capture.end("end")
    ready_ns = [sending.ready_ns for sending in [*player.take(items), *player.end()]]
    assert [at // 1_000_000 for at in ready_ns] == [0, expected_ms]


def test_without_times_a_gap_takes_its_time() -> None:
    """At the nominal rate, by the sequence number, and over the seam, too."""
    data, player = send("lost:every=100:burst=50", count=200).data, Rounds(RATE, 1, looping=True)
    ready_ns = [s.ready_ns for _ in range(2) for s in [*player.take(_items(data)), *player.end()]]
    slots = [round(at * 256 / 1e9) for at in ready_ns]
    counters = [packet.counter for packet in _packets(_items(_played(data, 2)))]
    assert [slot % 256 for slot in slots] == [(c - counters[0]) % 256 for c in counters]
    assert max(b - a for a, b in pairwise(slots)) == 51
