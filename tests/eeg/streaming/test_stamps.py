"""When a packet was sampled, on LSL's clock."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kit.eeg.signals import Block, Buttons, Gap
from kit.eeg.streaming import markers
from kit.eeg.streaming.description import Origin
from kit.eeg.streaming.stamps import Moment, Placed, Stamps, stamp_among

RATE_HZ = Fraction(250)
MOMENT = Moment(lsl_us=5_000_000, wall_us=1_000_000)


def _block(sequence: int, times_us: list[int], buttons: list[int] | None = None) -> Block:
    column = (512,) * len(times_us)
    return Block(sequence, times_us, (column,) * 2, buttons or [15] * len(times_us))


def test_live_packets_keep_the_distances_of_their_sampled_times() -> None:
    stamps = Stamps(RATE_HZ, live=True)
    assert stamps.of_block(_block(0, [990_000, 994_000]), MOMENT) == [4_990_000, 4_994_000]
    later = Moment(lsl_us=6_000_000, wall_us=99_000_000)  # somebody set the wall clock
    assert stamps.of_block(_block(2, [998_000]), later) == [4_998_000]


def test_lost_packets_count_and_their_gap_stands_where_the_first_would() -> None:
    stamps = Stamps(RATE_HZ, live=False)
    first = stamps.of_block(_block(0, [0] * 10), MOMENT)
    assert stamps.of_gap(Gap(10, 5, "lost", 0), MOMENT) == first[-1] + 4000
    (behind,) = stamps.of_block(_block(15, [0]), Moment(5_060_000, 0))
    assert abs(behind - first[-1] - 6 * 4000) < 1000


def test_a_mark_of_a_recording_stands_among_the_packets_that_it_stood_among() -> None:
    placed: list[Placed] = [
        ([1000, 5000], [7_000_000, 7_004_100]),
        ([90_000, 94_000], [8_000_000, 8_004_000]),
    ]
    found = {at: stamp_among(placed, at) for at in (999, 1000, 4999, 5001, 60_000, 94_000, 94_001)}
    assert found == {
        999: None,
        1000: 7_000_000,
        4999: 7_003_999,
        5001: 7_004_101,
        60_000: 7_059_100,
        94_000: 8_004_000,
        94_001: None,
    }
    assert stamp_among([], 5) is None


def test_a_gap_before_the_first_packet_is_now() -> None:
    assert Stamps(RATE_HZ, live=True).of_gap(Gap(0, 0, "away", 0), MOMENT) == 5_000_000


def test_packets_of_a_pipe_are_laid_out_by_their_rate_and_not_by_the_reads() -> None:
    stamps = Stamps(RATE_HZ, live=False)
    found: list[int] = []
    for at in range(500):  # four packets at once, each 16 ms, and half of the reads are late
        found += stamps.of_block(_block(4 * at, [0] * 4), Moment(16_000 * at + 9_000 * (at % 2), 0))
    steps = [after - before for before, after in pairwise(found)]
    assert max(abs(step - 4000) for step in steps[200:]) < 150


@given(
    st.booleans(),
    st.lists(st.tuples(st.integers(-(10**7), 10**7), st.integers(1, 40), st.integers(0, 300)), max_size=30),
)
def test_stamps_rise_strictly_whatever_the_clocks_do(live: bool, steps: list[tuple[int, int, int]]) -> None:
    stamps, sequence, now_us, found = Stamps(RATE_HZ, live), 0, 10**9, list[int]()
    for step_us, count, lost in steps:
        now_us += step_us
        sequence += lost
        times_us = [now_us + 4000 * at for at in range(count)]
        found += stamps.of_block(_block(sequence, times_us), Moment(now_us, now_us))
        sequence += count
    assert all(after > before for before, after in pairwise(found))


def test_a_mark_by_the_wall_clock_is_moved_to_lsls() -> None:
    assert MOMENT.of_wall(900_000) == 4_900_000


def test_markers_tell_what_is_missing_and_why() -> None:
    assert markers.of_gap(Gap(3, 1, "lost", 0)) == "lost 1 packet"
    assert markers.of_gap(Gap(3, 7, "lost", 0)) == "lost 7 packets"
    assert markers.of_gap(Gap(3, 0, "restarted", 0)) == "device restarted"
    assert markers.of_gap(Gap(3, 0, "away", 0)) == "device away"
    assert markers.of_late(_block(3, [0])) == "1 packet came late and is left out"
    assert markers.of_late(_block(3, [0, 1])) == "2 packets came late and are left out"


def test_a_button_is_marked_at_the_stamp_of_its_packet() -> None:
    block = _block(7, [0, 1, 2], [15, 14, 15])
    assert markers.of_buttons(Buttons(), block, [100, 200, 300]) == [
        (200, "button 1 pressed"),
        (300, "button 1 released"),
    ]


def test_the_source_is_the_same_each_time_and_an_adapter_wherever_it_is_plugged_in() -> None:
    assert Origin("/dev/ttyUSB0", "lab").source_id == "kit-eeg lab /dev/ttyUSB0"
    adapters = [Origin(f"/dev/ttyUSB{port}", "lab", serial_number="A5") for port in range(2)]
    assert {adapter.source_id for adapter in adapters} == {"kit-eeg A5"}
