"""Reading to an end: by wish, by the source's own, by an error; and what a person is told meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import NegativeAnswer, ProtocolError, Unavailable, UsageError
from kit.eeg import p2
from kit.eeg.capture import Capture
from kit.eeg.dating import Dating
from kit.eeg.intake import Intake
from kit.eeg.limits import Limit
from kit.eeg.notes import PATIENCE_BYTES, Watch, wrong_speed
from kit.eeg.reading import Stream
from kit.eeg.reading import open as open_stream
from kit.eeg.records import (
    Chunk,
    Duplicate,
    Ended,
    Gone,
    Interrupted,
    Item,
    Lost,
    Packet,
    Run,
    Skipped,
    Stretch,
)
from kit.eeg.summary import complaint, summary, too_much_lost
from kit.eeg.tally import Tally

PERIOD_NS = 1_000_000_000 // 256
GONE = Unavailable("it is gone")


def packet(number: int) -> bytes:
    return p2.encode(Packet(0, 2, number & 255, (512, 513, 514, 515, 516, number % 1024), 15, 0))


def packets(numbers: Sequence[int]) -> bytes:
    return b"".join(map(packet, numbers))


def live(numbers: Sequence[int], begun_ns: int = 10**12) -> list[Chunk | Gone]:
    """A read a packet, each at its time."""
    return [Chunk(packet(n), begun_ns + n * PERIOD_NS, 10**18 + begun_ns + n * PERIOD_NS) for n in numbers]


class Pieces:
    """A source that gives what it was given, and then ends or fails."""

    def __init__(self, pieces: Sequence[bytes | Chunk | Gone], error: Exception | None = None) -> None:
        self.name = "pieces"
        self.live = bool(pieces) and not isinstance(pieces[0], bytes)
        self.closed = False
        self.given = 0
        self._pieces = pieces
        self._error = error

    def chunks(self) -> Iterator[Chunk | Gone]:
        for piece in self._pieces:
            self.given += 1
            yield Chunk(piece) if isinstance(piece, bytes) else piece
        if self._error:
            raise self._error

    def close(self) -> None:
        self.closed = True


def stream_of(source: Pieces, limit: Limit | None = None, start_us: int = 0) -> Stream:
    return Stream(source, Intake(Capture("p2"), "raw"), limit or Limit(), Dating(start_us))


def received(items: Sequence[Item]) -> bytes:
    return b"".join(item.stretch.data for item in items if isinstance(item, Run))


# --- streams


def test_every_item_comes_and_the_end_last() -> None:
    items = list(stream_of(Pieces([b"\x00" * 5 + packets(range(3)), packets([5, 6])])))
    assert received(items) == packets([0, 1, 2, 5, 6])
    assert [type(item) for item in items] == [Skipped, Run, Lost, Run, Ended]
    assert items[-1] == Ended("end", 5, 2, 5, 0, 0, 0, 5 + 5 * 17, 7 * 1_000_000 // 256)


def test_packets_are_dated_by_their_sequence_where_the_source_has_no_times() -> None:
    samples = list(stream_of(Pieces([packets([7, 8, 11])]), start_us=1_000_000).packets())
    assert [sample.packet.counter for sample in samples] == [7, 8, 11]
    assert [sample.sequence for sample in samples] == [0, 1, 4]
    assert [sample.wall_us for sample in samples] == [1_000_000, 1_003_906, 1_015_625]
    assert {sample.monotonic_us for sample in samples} == {None}


def test_packets_have_the_times_of_a_live_source() -> None:
    samples = list(stream_of(Pieces(live(range(50)))).packets())
    line_us = 16 * 10_000_000 / 57_600  # the bytes behind a packet's first one
    assert len(samples) == 50
    for number, sample in enumerate(samples):
        arrival_us = (10**12 + number * PERIOD_NS) / 1000 - line_us
        assert sample.monotonic_us is not None
        assert abs(sample.monotonic_us - arrival_us) < 2
        assert sample.wall_us - sample.monotonic_us == 10**15


def test_a_packet_that_came_twice_is_one_packet() -> None:
    stream = stream_of(Pieces([packets([0, 1, 1, 2])]))
    assert [sample.sequence for sample in stream.packets()] == [0, 1, 2]
    assert stream.tally.duplicates == 1


def test_what_came_before_an_error_is_given_out_before_it_is_raised() -> None:
    seen: list[Item] = []
    with pytest.raises(Unavailable, match="it is gone"):
        for item in stream_of(Pieces([packets(range(4)) + packet(4)[:9]], GONE)):
            seen.append(item)
    assert received(seen) == packets(range(4))
    assert isinstance(seen[-2], Skipped)
    assert seen[-2].data == packet(4)[:9]
    assert isinstance(seen[-1], Ended)
    assert seen[-1].reason == "error"


def test_a_device_that_goes_away_leaves_a_mark() -> None:
    pieces = live(range(300))
    pieces.insert(200, Gone("unplugged", 10**12 + 200 * PERIOD_NS, 10**18))
    items = list(stream_of(Pieces(pieces)))
    at = next(index for index, item in enumerate(items) if isinstance(item, Interrupted))
    assert received(items[:at]) == packets(range(200))
    assert items[at] == Interrupted(200 * 17, 10**15, "unplugged")


def test_stop_ends_a_stream_in_good_order() -> None:
    source = Pieces([packets([number]) for number in range(100)])
    items: list[Item] = []
    stream = stream_of(source)
    for batch in stream.batches():
        items += batch
        if stream.tally.packets == 10:
            stream.stop()
    assert received(items) == packets(range(source.given))
    assert source.given < 13
    assert isinstance(items[-1], Ended)
    assert items[-1].reason == "interrupt"


def test_a_batch_comes_for_each_read_even_for_an_empty_one() -> None:
    batches = list(stream_of(Pieces([b"", b"", packets(range(2))])).batches())
    assert batches[:2] == [[], []]
    assert len(batches) == 4


def test_reads_of_a_live_source_are_handed_on_some_at_a_time() -> None:
    batches = list(stream_of(Pieces(live(range(512)))).batches())
    assert 40 < len(batches) < 60


def test_the_first_read_after_a_pause_is_handed_on_at_once() -> None:
    later_ns = 10**12 + 2 * 10**9
    batches = stream_of(Pieces([*live(range(1)), *live([1], later_ns)])).batches()
    assert received(next(batches)) == packets([0])
    assert received(next(batches)) == packets([1])


def test_a_read_that_waits_is_handed_on_when_nothing_follows() -> None:
    silence = Chunk(b"", 10**12 + 10**9, 10**18)
    batches = list(stream_of(Pieces([*live(range(3)), silence])).batches())
    assert [received(batch) for batch in batches] == [packets([0]), packets([1, 2]), b""]


def test_packets_have_the_same_times_together_as_one_by_one() -> None:
    pieces = live([*range(100), *range(103, 400)])
    together = [sample.monotonic_us for sample in stream_of(Pieces(pieces)).packets()]
    capture = Capture("p2")
    alone: list[Item] = [item for piece in pieces if isinstance(piece, Chunk) for item in capture.feed(piece)]
    runs = [item for item in alone if isinstance(item, Run) and item.times]
    assert together == [time_us for run in runs if run.times for time_us in run.times.monotonic_us]


def test_the_block_closes_the_source() -> None:
    source = Pieces([packets(range(4))])
    with stream_of(source) as stream:
        next(stream.packets())
    assert source.closed


@pytest.mark.parametrize(
    "wrong", [{"protocol": "p4"}, {"rate_hz": 0}, {"count": 0}, {"duration_s": -1.0}, {"baud": 0}]
)
def test_opening_refuses_what_makes_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        open_stream("sim:", **wrong)  # type: ignore[arg-type]


# --- limits


@given(st.integers(1, 60), st.lists(st.integers(0, 300), max_size=40), st.booleans())
def test_a_count_is_kept_to_the_packet_at_any_chunking(count: int, cuts: list[int], damaged: bool) -> None:
    data = packets(range(8)) + b"noise" * damaged + packets([8, 8, 9, 12, 11, *range(13, 20)])
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    whole = list(stream_of(Pieces([data])))
    stream = stream_of(Pieces(pieces), Limit(count))
    items = list(stream)
    assert received(items) == received(whole)[: 17 * count]
    printed = stream.tally.packets + stream.tally.duplicates
    assert printed == min(count, len(received(whole)) // 17)
    end = items[-1]
    assert isinstance(end, Ended)
    assert end.reason == ("count" if count <= len(received(whole)) // 17 else "end")
    assert end.packets == stream.tally.packets


def test_nothing_is_counted_that_was_noticed_beyond_the_count() -> None:
    stream = stream_of(Pieces([packets([0, 1, 2, 9, 10, 10])]), Limit(3))
    items = list(stream)
    assert [type(item) for item in items] == [Run, Ended]
    assert stream.tally.lost == 0


def test_a_stream_with_a_count_reads_no_more_than_it_needs() -> None:
    source = Pieces([packets([number]) for number in range(100)])
    assert len(received(list(stream_of(source, Limit(10))))) == 170
    assert source.given < 13


@pytest.mark.parametrize(
    ("duration_s", "expected"), [(0.5, 128), (0.001, 1), (1 / 256, 1), (1.01 / 256, 2), (100, 1000)]
)
def test_the_duration_of_a_file_is_that_of_its_packets(duration_s: float, expected: int) -> None:
    items = list(stream_of(Pieces([packets(range(1000))]), Limit(None, duration_s)))
    assert len(received(items)) == 17 * expected


def test_lost_packets_take_their_time_too() -> None:
    stream = stream_of(Pieces([packets([*range(100), *range(120, 300)])]), Limit(None, 0.5))
    list(stream)
    assert (stream.tally.packets, stream.tally.lost) == (108, 20)


def test_a_gap_across_the_end_of_the_duration_is_not_counted() -> None:
    stream = stream_of(Pieces([packets([*range(100), *range(200, 300)])]), Limit(None, 0.5))
    list(stream)
    assert (stream.tally.packets, stream.tally.lost) == (100, 0)


def test_the_duration_of_a_live_source_is_that_of_the_clock() -> None:
    quick = live(range(1000))
    stream = stream_of(Pieces(quick), Limit(None, 1.0, Fraction(128)))
    items = list(stream)
    assert abs(stream.tally.packets - 256) <= 1
    assert items[-1].reason == "duration"  # type: ignore[union-attr]


def test_a_live_read_that_brings_more_than_the_duration_is_cut() -> None:
    end_ns = 10**12 + 1000 * PERIOD_NS
    late = [Chunk(b"", 10**12, 10**18), Chunk(packets(range(40)), end_ns, 10**18)]
    line_s = 40 * 17 * 10 / 57_600
    duration_s = (end_ns - 10**12) / 1e9 - line_s / 2
    stream = stream_of(Pieces(late), Limit(None, duration_s))
    list(stream)
    assert abs(stream.tally.packets - 20) <= 1


def test_a_silent_live_source_ends_when_the_duration_is_over() -> None:
    silence = [Chunk(b"", 10**12 + tick * 250_000_000, 10**18) for tick in range(100)]
    source = Pieces(silence)
    items = list(stream_of(source, Limit(None, 2.0)))
    assert source.given == 9
    assert items == [Ended("duration", 0, 0, 0, 0, 0, 0, 0, 0)]


def test_the_packet_that_completes_a_count_may_be_one_that_came_twice() -> None:
    items = list(stream_of(Pieces([packets([0, 1, 1, 2])]), Limit(3)))
    assert [type(item) for item in items[:3]] == [Run, Duplicate, Run]
    assert received(items) == packets([0, 1, 1])


def test_a_run_within_no_limit_is_passed_on_as_it_is() -> None:
    run = Run(0, Stretch(p2.LAYOUT, 0, packets(range(4))))
    assert Limit().take([run])[0] is run


# --- remarks


def test_silence_is_remarked_once_and_after_two_seconds() -> None:
    watch = Watch("/dev/ttyUSB0", 57_600)
    said = [watch.look(now_ms * 1000, 0) for now_ms in range(5000, 10_000, 250)]
    assert [text for text in said if text] == ["no bytes from '/dev/ttyUSB0' yet"]
    assert said[8] is not None


def test_noise_is_remarked_after_two_seconds() -> None:
    watch = Watch("/dev/ttyUSB0", 57_600)
    assert watch.look(0, 10) is None
    assert watch.look(1_900_000, 1000) is None
    said = watch.look(2_000_000, 1000)
    assert said == "bytes come from '/dev/ttyUSB0', but no packet: a wrong speed? try --baud 115200"
    assert watch.look(9_000_000, 9000) is None


def test_noise_is_remarked_at_once_where_there_is_much_of_it() -> None:
    watch = Watch("/dev/ttyUSB0", 115_200)
    said = watch.look(10_000, PATIENCE_BYTES)
    assert said is not None
    assert said.endswith("--baud 57600")


@pytest.mark.parametrize("name", ["socket://localhost:5000", "sim:", "standard input"])
def test_what_has_no_speed_is_not_said_to_have_a_wrong_one(name: str) -> None:
    assert wrong_speed(name, 57_600) is None
    assert Watch(name, 57_600).look(0, PATIENCE_BYTES) == f"bytes come from {name!r}, but no packet"


# --- the end


def _tally(pieces: Sequence[bytes | Chunk | Gone]) -> Tally:
    stream = stream_of(Pieces(pieces))
    list(stream)
    return stream.tally


def test_the_summary_names_what_there_was_and_only_that() -> None:
    assert summary(_tally([packets(range(256))])) == ["256 packets in 1.0 s, none lost by the counter"]
    assert summary(_tally([b"\x00" + packets([0])])) == [
        "1 packet in 0.0 s, none lost by the counter, 1 byte skipped"
    ]
    [line] = summary(_tally([packets([0, 1, 1, 2, 6, 7]) + b"\x00" * 2000]))
    assert line == "5 packets in 0.0 s, 3 lost (37.50 %), 2,000 bytes skipped, 1 duplicate"


def test_the_summary_gives_bounds_where_the_loss_is_not_sure() -> None:
    tally = _tally([packets(range(100))])
    tally.lost, tally.lost_low, tally.lost_high = 256, 200, 300
    assert summary(tally)[0].endswith("256 lost (71.91 %), at least 200 and at most 300")


def test_the_summary_of_no_packet_says_nothing_of_losses() -> None:
    assert summary(_tally([b"\x00" * 10])) == ["0 packets in 0.0 s, 10 bytes skipped"]


def test_a_capture_without_bytes_and_one_without_packets_are_two_complaints() -> None:
    empty, noise = _tally([]), _tally([b"\x00" * 100])
    assert isinstance(complaint(empty, "x", 0), Unavailable)
    found = complaint(noise, "x", 100)
    assert isinstance(found, ProtocolError)
    assert str(found) == "'x' is not an OpenEEG stream: no packet in 100 bytes"
    assert complaint(_tally([packets([0])]), "x", 17) is None


def test_more_than_the_allowed_share_is_too_much_and_the_share_itself_is_not() -> None:
    tally = _tally([packets([*range(90), *range(100, 110)])])  # 10 of 110
    assert too_much_lost(tally, 100 * 10 / 110) is None
    error = too_much_lost(tally, 9)
    assert isinstance(error, NegativeAnswer)
    assert str(error) == "9.09 % of the packets were lost, where 9 % are allowed"


def test_what_comes_through_a_pipe_is_not_recorded(tmp_path: Path) -> None:
    file, fifo = tmp_path / "file", tmp_path / "fifo"
    file.write_bytes(packets([0, 1]))
    os.mkfifo(fifo)
    for source, recorded in ((str(file), True), (str(fifo), False), ("sim:speed=max", True), ("sim:", False)):
        with open_stream(source) as stream:
            assert stream.recorded is recorded


def test_a_restful_stream_reads_what_came_together_at_once() -> None:
    with open_stream("sim:seed=3", together_s=0.05, duration_s=0.5) as stream:
        stream.restful = True
        runs = [item for items in stream.batches() for item in items if isinstance(item, Run)]
    assert stream.tally.lost == 0
    assert stream.tally.packets == sum(len(run.stretch) for run in runs)
    assert stream.tally.packets > 100
