"""A whole capture: the same report whatever it is cut into, its sums, and its memory."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kit.eeg.capture import Capture
from kit.eeg.records import Chunk, Duplicate, Item, Lost, Reordered, Run, Skipped
from kit.eeg.scale import Scale
from kit.eeg.stats.diagnosis import diagnose
from kit.eeg.stats.gathering import Statistics
from kit.eeg.stats.record import record
from tests.eeg.stats.streams import p2_stretch, p3_stretch, run_of, with_gaps


def _damaged(seed: int) -> bytes:
    """Packets of which some are missing, cut or flipped, and noise between them."""
    draw = random.Random(seed)
    out = bytearray()
    rows = [tuple(draw.choice((0, 1023, draw.randrange(400, 600))) for _ in range(6)) for _ in range(400)]
    data = p2_stretch(rows).data
    for at in range(0, len(data), 17):
        packet = bytearray(data[at : at + 17])
        fate = draw.random()
        if fate < 0.05:
            continue
        if fate < 0.08:
            packet[draw.randrange(17)] ^= 1 << draw.randrange(8)
        elif fate < 0.1:
            del packet[draw.randrange(17)]
        elif fate < 0.12:
            packet += draw.randbytes(draw.randrange(40))
        out += packet
    return bytes(out)


def _measured(data: bytes, sizes: list[int]) -> dict[str, Any]:
    capture, statistics = Capture("p2"), Statistics()
    at = 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        statistics.add(capture.feed(Chunk(data[at : at + size])))
        at += size
    statistics.add(capture.end("end"))
    report = statistics.report(capture.tally.rate)
    return record(report, diagnose(report), Scale())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 900), min_size=1, max_size=8))
def test_the_report_does_not_depend_on_the_chunks(seed: int, sizes: list[int]) -> None:
    data = _damaged(seed)
    assert _measured(data, sizes) == _measured(data, [len(data)])


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_every_byte_is_counted_once_and_the_sums_agree(seed: int) -> None:
    data = _damaged(seed)
    found = _measured(data, [len(data)])
    received = found["packets"] + found["duplicates"]
    assert found["bytes"] == len(data) == 17 * received + found["skipped_bytes"]
    assert found["expected"] == found["packets"] + found["lost"]
    if not found["reordered"]:
        assert sum(row["from"] * row["gaps"] for row in found["gap_lengths"]) == found["lost"]
    assert sum(found["course"]["received"]) == found["packets"]
    assert sum(found["course"]["lost"]) == found["lost"]
    for channel in found["channels"]:
        assert channel["min"] <= channel["mean"] <= channel["max"]


def test_a_report_in_between_changes_nothing() -> None:
    items = with_gaps([(50, 2), (700, 1), (1400, 30)], 2000)
    once, often = Statistics(), Statistics()
    once.add(items)
    for item in items:
        often.add([item])
        often.report()
    scale = Scale()
    assert record(often.report(), (), scale) == record(once.report(), (), scale)


def test_a_packet_that_came_twice_or_late_is_counted_as_it_should_be() -> None:
    again = replace(run_of(1, 9), repeated=True)
    items: list[Item] = [run_of(10), Duplicate(9, 170), again]
    items += [
        Lost(10, 2, 187, low=2, high=2),
        run_of(1, 12),
        Reordered(11, 204),
        run_of(1, 11),
        run_of(5, 13),
    ]
    statistics = Statistics()
    statistics.add(items)
    report = statistics.report()
    assert (report.packets, report.expected, report.losses.lost) == (17, 18, 1)
    assert (report.duplicates, report.reordered) == (1, 1)
    assert report.losses.patterns.lengths.rows() == [(1, 1, 1)]
    assert sum(bucket.lost for bucket in report.losses.course) == 1
    assert report.channels[0].longest_flat == 17


def test_what_only_the_time_tells_widens_the_bounds() -> None:
    exact, unsure = Statistics(), Statistics()
    for statistics, low, high in ((exact, 256, 256), (unsure, 200, 300)):
        statistics.add([run_of(1000), Lost(1000, 256, 0, "time", low, high), run_of(1000, 1256)])
    narrow, wide = exact.report().losses, unsure.report().losses
    assert (wide.low, wide.lost, wide.high) == (200, 256, 300)
    assert wide.by_time == 256
    assert wide.share_low < narrow.share_low < narrow.share < narrow.share_high < wide.share_high


def test_skipped_bytes_are_told_apart_by_their_place() -> None:
    statistics = Statistics()
    statistics.add([Skipped(0, b"abc"), run_of(5), Skipped(88, b"de"), run_of(5, 5), Skipped(175, b"f")])
    skipped = statistics.report().skipped
    assert (skipped.bytes, skipped.runs, skipped.leading, skipped.inserted) == (6, 3, 3, 2)


def test_a_long_run_of_noise_in_pieces_is_one_run() -> None:
    statistics = Statistics()
    statistics.add(Skipped(at, b"\x07\x99" * 512) for at in range(0, 1024 * 20, 1024))
    report = statistics.report()
    assert (report.skipped.runs, report.skipped.bytes, len(report.skipped.looks)) == (1, 20480, 1)
    assert len(report.skipped.looks[0].sample) < 100


def test_channels_are_measured_across_a_change_of_protocol() -> None:
    statistics = Statistics()
    statistics.add([run_of(10), Run(10, p3_stretch([(1, 2)] * 5))])
    report = statistics.report()
    assert [channel.low for channel in report.channels] == [1, 2, 512, 512, 512, 512]


def test_memory_does_not_grow_with_the_capture() -> None:
    capture, statistics = Capture("p2"), Statistics()
    draw = random.Random(1)
    pieces = [_damaged(seed) for seed in range(4)]

    def feed(count: int) -> int:
        for _ in range(count):
            statistics.add(capture.feed(Chunk(draw.randbytes(4096) + draw.choice(pieces))))
        statistics.report()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = feed(40)
        assert feed(160) < first + 400_000
    finally:
        tracemalloc.stop()
