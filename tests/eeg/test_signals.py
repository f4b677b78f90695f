"""From a capture's items to what is drawn, filtered and recorded."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from kit.eeg import p2, p3
from kit.eeg.capture import Capture
from kit.eeg.dating import Dating
from kit.eeg.records import Chunk, Interrupted, Lost, Packet, Restarted, Run, Stretch, Times
from kit.eeg.signals import Block, ButtonChange, Buttons, Gap, Signals
from tests.eeg.stats.streams import p2_stretch, run_of


def _pressed(states: list[int], sequence: int = 0) -> Run:
    data = b"".join(
        p2.encode(Packet(0, 2, (sequence + at) % 256, (512,) * 6, state, 0))
        for at, state in enumerate(states)
    )
    return Run(sequence, Stretch(p2.LAYOUT, sequence * p2.SIZE, data))


def test_a_block_has_a_column_for_each_channel() -> None:
    (block,) = Signals().take([Run(0, p2_stretch([(1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12)]))])
    assert isinstance(block, Block)
    assert [tuple(column) for column in block.channels] == [(1, 7), (2, 8), (3, 9), (4, 10), (5, 11), (6, 12)]
    assert list(block.buttons) == [15, 15]
    assert len(block) == 2


def test_p3_has_the_columns_that_it_carries() -> None:
    capture = Capture("p3")
    data = b"".join(p3.encode(Packet(0, 3, at % 64, (at, 1000 - at), None, 0)) for at in range(20))
    items = [*capture.feed(Chunk(data)), *capture.end("end")]
    blocks = [signal for signal in Signals().take(items) if isinstance(signal, Block)]
    assert sum(map(len, blocks)) == 20
    assert len(blocks[0].channels) == 2


def test_the_sampled_times_are_taken_where_there_are_any() -> None:
    times = Times([10, 20], [1, 2], [11, 21])
    (block,) = Signals().take([run_of(2, times=times)])
    assert isinstance(block, Block)
    assert list(block.times_us) == [11, 21]
    (block,) = Signals().take([run_of(2, times=Times([10, 20]))])
    assert isinstance(block, Block)
    assert list(block.times_us) == [10, 20]
    (block,) = Signals(Dating(1000, Fraction(250))).take([run_of(2, sequence=1)])
    assert isinstance(block, Block)
    assert list(block.times_us) == [5000, 9000]


def test_a_gap_stands_where_its_packets_would() -> None:
    signals = Signals(Dating(0, Fraction(250))).take([run_of(4), Lost(4, 3, 68), run_of(1, 7)])
    assert [type(signal) for signal in signals] == [Block, Gap, Block]
    assert signals[1] == Gap(4, 3, "lost", 16_000)


def test_a_restart_and_a_device_that_was_away_are_gaps_of_unknown_length() -> None:
    taken = Signals(Dating(0, Fraction(250))).take(
        [run_of(4), Restarted(4, 0, 68), Interrupted(68, 99, "gone"), Interrupted(68, None, "gone")]
    )
    assert taken[1:] == [
        Gap(4, 0, "restarted", 16_000),
        Gap(4, 0, "away", 99),
        Gap(4, 0, "away", 16_000),
    ]


def test_what_came_late_is_marked_and_what_came_twice_left_out() -> None:
    twice = run_of(1, 3)
    late = run_of(1, 4)
    signals = Signals().take(
        [run_of(4), Lost(4, 1, 68), run_of(3, 5), late, Run(3, twice.stretch, repeated=True), run_of(1, 8)]
    )
    assert [(s.sequence, s.late) for s in signals if isinstance(s, Block)] == [
        (0, False),
        (5, False),
        (4, True),
        (8, False),
    ]


def test_each_change_of_a_button_is_told_with_its_time() -> None:
    signals = Signals(Dating(0, Fraction(250)))
    buttons = Buttons()
    changes = [
        change
        for signal in signals.take([_pressed([15, 15, 14, 14]), _pressed([14, 13], 4), _pressed([15], 6)])
        if isinstance(signal, Block)
        for change in buttons.take(signal)
    ]
    assert changes == [
        ButtonChange(2, 8000, 1, True),
        ButtonChange(5, 20_000, 1, False),
        ButtonChange(5, 20_000, 2, True),
        ButtonChange(6, 24_000, 2, False),
    ]


def test_a_button_that_is_held_at_the_begin_was_not_pressed_now() -> None:
    (block,) = Signals().take([_pressed([7, 7])])
    assert isinstance(block, Block)
    assert Buttons().take(block) == []


@given(st.lists(st.integers(0, 255), min_size=1, max_size=60))
def test_any_stream_gives_blocks_in_order_and_every_packet_once(counters: list[int]) -> None:
    capture = Capture("p2")
    data = b"".join(p2.encode(Packet(0, 2, counter, (512,) * 6, 15, 0)) for counter in counters)
    signals = Signals()
    taken = []
    for at in range(0, len(data), 40):
        taken += signals.take(capture.feed(Chunk(data[at : at + 40])))
    taken += signals.take(capture.end("end"))
    at = 0
    for signal in taken:
        if isinstance(signal, Gap):
            assert signal.sequence >= at or not signal.count
            continue
        assert signal.late == (signal.sequence < at)
        at = max(at, signal.sequence + len(signal))
    blocks = [signal for signal in taken if isinstance(signal, Block)]
    assert sum(map(len, blocks)) == capture.tally.packets
