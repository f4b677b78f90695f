"""EDF+ record by record: what is in it, when it is given out, and what is said of what is missing."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.errors import UsageError
from kit.eeg.batch import Mark
from kit.eeg.recordings import edf, tals
from kit.eeg.recordings.grid import Missing
from kit.eeg.recordings.pieces import Begin
from kit.eeg.recordings.settings import Settings
from kit.eeg.records import Interrupted, Item, Lost, Reordered, Restarted, Run
from kit.eeg.scale import Scale
from tests.eeg.lines import stretch
from tests.eeg.recordings.recorded import START_US, at_rate, encoded, files, pieces_of, recorded, sent

HEADER = 256 * 8
SHAPE = edf.shape(Fraction(256), 6)
RECORD = 6 * 512 + SHAPE.annotation_bytes


def runs(*numbers: Sequence[int], sequence: int = 0) -> list[Item]:
    """Live runs; between two of them what is missing is lost."""
    items: list[Item] = []
    for some in numbers:
        if sequence != some[0]:
            items.append(Lost(sequence, some[0] - sequence, 0))
        items.append(Run(some[0], stretch(some), at_rate(some[0], len(some))))
        sequence = some[-1] + 1
    return items


def channel(file: bytes, number: int = 0) -> list[int]:
    """The counts of a channel."""
    counts: list[int] = []
    for at in range(HEADER + 512 * number, len(file), RECORD):
        counts += [value + 512 for value in array("h", file[at : at + 512])]
    return counts


def texts(file: bytes) -> list[tuple[str, str, str]]:
    """Onset, duration and text of each annotation, but for the time-keeping ones."""
    found = []
    for at in range(HEADER + 6 * 512, len(file), RECORD):
        for entry in file[at : at + SHAPE.annotation_bytes].split(b"\0"):
            stamp, _, text = entry.partition(b"\x14")
            onset, _, duration = stamp.partition(b"\x15")
            if text.strip(b"\x14"):
                found.append((onset.decode(), duration.decode(), text.rstrip(b"\x14").decode()))
    return found


def said(file: bytes) -> list[tuple[str, str, str]]:
    """The annotations behind the one about the recording, and without the padding."""
    return [one for one in texts(file) if not one[2].startswith(("kit P", "BAD_padded"))]


def test_the_header_is_that_of_the_specification() -> None:
    (file,) = recorded("edf", sent(range(300)))
    assert file[:8] == b"0       "
    assert file[184:192] == b"2048    "
    assert file[192:236].rstrip() == b"EDF+C"
    assert file[236:244] == b"2       "
    assert len(file) == HEADER + 2 * RECORD
    assert channel(file)[:300] == list(range(300))


def test_a_record_counts_when_it_is_there_and_not_before() -> None:
    outputs = encoded("edf", [runs(range(600))])
    assert isinstance(outputs[0], Begin)
    assert outputs[0].head[236:244] == b"-1      "
    assert [piece.patch for piece in pieces_of(outputs)] == [
        (236, b"1       "),
        (236, b"2       "),
        (236, b"3       "),
    ]
    assert {len(piece.data) for piece in pieces_of(outputs)} == {RECORD}


def test_lost_packets_repeat_the_last_value_and_are_told_in_one_annotation() -> None:
    (file,) = files(encoded("edf", [runs(range(250), range(560, 800))]))
    counts = channel(file)
    assert counts[:250] == list(range(250))
    assert counts[250:560] == [249] * 310
    assert counts[560:800] == list(range(560, 800))
    onset = tals.decimal(Fraction(374_070, 1_000_000) + Fraction(250, 256))
    assert said(file) == [(f"+{onset}", tals.decimal(Fraction(310, 256)), "BAD_lost 310 packets")]


def test_many_losses_in_a_record_are_one_annotation_that_tells_each() -> None:
    kept = [number for number in range(512) if number % 3]
    (file,) = files(encoded("edf", [runs([0], *[[number] for number in kept], [512], [520])]))
    ((_, _, first), (_, _, second), *_) = said(file)
    assert first.startswith("BAD_lost 85 of 253 packets: ")
    lost = [
        one.at + number
        for text in (first, second)
        for one in tals.read_missing(0, 0, text)
        for number in range(one.count)
    ]
    assert len(lost) == 170


@given(st.sets(st.integers(0, 255), min_size=2))
def test_what_is_merged_can_be_told_apart(lost: set[int]) -> None:
    missing = [Missing(at, 1, "lost") for at in sorted(lost)]
    at, span, text = tals.merged(missing)
    told = {one.at + more for one in tals.read_missing(at, span, text) for more in range(one.count)}
    assert told == lost


def test_a_late_packet_gets_its_place() -> None:
    items = runs(range(255), range(258, 262))
    late = Run(256, stretch([256]), at_rate(256, 1))
    (file,) = files(encoded("edf", [[*items, Reordered(256, 0), late], runs(range(262, 600), sequence=262)]))
    assert channel(file)[254:259] == [254, 254, 256, 254, 258]
    assert [text for _, _, text in said(file)] == ["BAD_lost 1 packet", "BAD_lost 1 packet"]


def test_a_gap_of_more_than_ten_seconds_begins_another_file() -> None:
    first, second = files(encoded("edf", [runs(range(300), range(2861, 2900))]))
    assert channel(first)[:300] == list(range(300))
    assert channel(second)[:39] == [number & 1023 for number in range(2861, 2900)]
    (only,) = files(encoded("edf", [runs(range(300), range(2860, 2900))]))
    assert len(only) == HEADER + 12 * RECORD


def test_a_device_that_was_away_is_away_for_as_long_as_the_times_say() -> None:
    before = runs(range(100))
    behind = Run(100, stretch(range(100, 600)), at_rate(100 + 512, 500))
    (file,) = files(encoded("edf", [before, [Interrupted(0, None, "gone")], [behind]]))
    assert channel(file)[612:700] == list(range(100, 188))
    assert [(duration, text) for _, duration, text in said(file)] == [
        ("2", "BAD_away"),
        ("", "kit counter 100"),
    ]


def test_a_restart_is_told_with_the_counter_behind_it() -> None:
    behind = Run(100, stretch(range(256, 300)), at_rate(100, 44))
    (file,) = files(encoded("edf", [runs(range(100)), [Restarted(100, 0, 0), behind]]))
    assert [text for _, _, text in said(file)] == ["BAD_restarted", "kit counter 0"]


def test_marks_stand_where_their_time_was_and_have_no_control_characters() -> None:
    note = Mark(START_US + 500_000, "eyes\x14 closed\n")
    (file,) = files(encoded("edf", [runs(range(300))], notes=[note]))
    ((onset, duration, text),) = said(file)
    assert (float(onset), duration, text) == (pytest.approx(0.874_07, abs=1e-5), "", "eyes  closed ")


def test_marks_that_find_no_room_get_records_of_their_own() -> None:
    notes = [Mark(START_US, f"{number} {'x' * 300}") for number in range(9)]
    (file,) = files(encoded("edf", [runs(range(256))], notes=notes))
    told = [text for _, _, text in said(file)]
    assert [text.split()[0] for text in told] == [str(number) for number in range(9)]
    assert all(len(text) == tals.TEXT_LIMIT for text in told)


def test_a_mark_of_another_clock_stands_at_the_newest_packet() -> None:
    (file,) = files(encoded("edf", [runs(range(256))], notes=[Mark(17, "x")]))
    ((onset, _, _),) = said(file)
    assert float(onset) == pytest.approx(0.374_07 + 255 / 256, abs=1e-5)


def test_pressed_buttons_are_annotations() -> None:
    states = [15] * 10 + [13] * 5 + [15] * 300
    data = b"".join(sent([number])[:-1] + bytes([state]) for number, state in enumerate(states))
    (file,) = recorded("edf", data)
    assert [(float(onset) * 256, text) for onset, _, text in said(file)] == [
        (pytest.approx(10), "button 2 pressed"),
        (pytest.approx(15), "button 2 released"),
    ]


@pytest.mark.parametrize("form", ["edf", "bdf"])
def test_a_split_goes_on_with_the_next_packet(form: str) -> None:
    parts = recorded(form, sent(range(3000)), Settings(split_s=4), pieces=7)
    assert [part[236:244].strip() for part in parts] == [b"4", b"4", b"4"]
    if form == "edf":
        assert [number for part in parts for number in channel(part)][:3000] == [
            n & 1023 for n in range(3000)
        ]
        assert [text[2].split(", ")[2] for part in parts for text in texts(part)[:1]] == ["counter 0"] * 3


def test_a_split_within_a_gap_tells_of_it_on_both_sides() -> None:
    first, second = files(encoded("edf", [runs(range(240), range(300, 600))], Settings(split_s=1)))[:2]
    assert [text for _, _, text in said(first)] == ["BAD_lost 16 packets"]
    assert [text for _, _, text in said(second)] == ["BAD_lost 44 packets"]


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 200)), min_size=1, max_size=6),
    st.lists(st.integers(1, 5000), max_size=6),
)
def test_the_file_does_not_depend_on_the_batches(gaps: list[tuple[int, int]], cuts: list[int]) -> None:
    numbers, at = [], 0
    for count, lost in gaps:
        numbers += range(at, at + count)
        at += count + lost
    data = sent(numbers)
    assert recorded("edf", data) == recorded("edf", data, pieces=len(cuts) + 1)


def test_a_file_whose_start_nobody_knows_has_no_date() -> None:
    (file,) = recorded("edf", sent(range(256)))
    assert file[88:184].startswith(b"Startdate X X X kit")
    assert file[168:184] == b"01.01.8500.00.00"


@pytest.mark.parametrize(
    ("rate", "samples", "seconds"),
    [("256", 256, "1"), ("1000/3", 333, "0.999"), ("255.9", 256, "1.000391"), ("10000", 3346, "0.3346")],
)
def test_records_are_near_a_second_and_of_a_size_that_readers_take(
    rate: str, samples: int, seconds: str
) -> None:
    rate_hz = Fraction(rate)
    cut = edf.shape(rate_hz, 6)
    assert cut.samples == samples
    header = edf.header("edf", Settings(rate_hz=rate_hz), 6, None, cut)
    assert header[244:252].decode().strip() == seconds
    assert 6 * 2 * cut.samples + cut.annotation_bytes <= 61_440


@pytest.mark.parametrize("uv", [1e-9, 1e9])
def test_a_scale_that_a_header_cannot_say_is_refused(uv: float) -> None:
    with pytest.raises(UsageError, match="cannot be said in a header"):
        recorded("edf", sent(range(256)), Settings(scale=Scale(uv)))


@pytest.mark.parametrize("uv", [0.5, 0.488, 0.24123456, 100.0])
def test_a_scale_is_in_the_header_and_to_the_last_digit_in_an_annotation(uv: float) -> None:
    scale = Scale(uv, 511.5, "given")
    (file,) = recorded("edf", sent(range(256)), Settings(scale=scale))
    low, high = file[256 + 7 * 104 : 256 + 7 * 104 + 8], file[256 + 7 * 112 : 256 + 7 * 112 + 8]
    assert float(low) == pytest.approx(scale.microvolts(0), rel=1e-5)
    assert float(high) == pytest.approx(scale.microvolts(1023), rel=1e-5)
    origin = tals.read_origin(texts(file)[0][2])
    assert origin
    assert origin.scale == scale
