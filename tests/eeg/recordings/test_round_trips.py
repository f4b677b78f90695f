"""From packets to samples and back: the same packets, the same losses, and what the file says of a count."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from typing import Any

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.errors import ProtocolError, Unavailable, UsageError
from kit.eeg import p2
from kit.eeg.batch import Mark
from kit.eeg.capture import Capture
from kit.eeg.formats import sniff
from kit.eeg.intake import Intake
from kit.eeg.recordings.settings import Settings
from kit.eeg.records import Chunk, Interrupted, Item, Lost, Restarted, Run
from kit.eeg.scale import Scale
from tests.eeg.formats.recordings import COUNTS, p2_packet, p3_packet
from tests.eeg.lines import stretch
from tests.eeg.recordings.recorded import START_US, at_rate, encoded, files, recorded
from tests.eeg.recordings.test_edf_encoder import runs

FORMS = ("edf", "bdf", "xdf")


_LONG_DATA = b"".join(p2_packet(number % 256, [number % 1024] * 6) for number in range(3000))
_LONG = recorded("xdf", _LONG_DATA)[0]


def read(file: bytes, rate_hz: Fraction = Fraction(256), pieces: int = 1) -> tuple[list[Item], Intake]:
    """The items of a recording, whose format its first bytes tell."""
    intake = Intake(Capture("auto", rate_hz=rate_hz))
    size = -(-len(file) // pieces)
    items = [item for at in range(0, len(file), size) for item in intake.feed(Chunk(file[at : at + size]))]
    return [*items, *intake.end("end")], intake


def data_of(items: Sequence[Item]) -> bytes:
    return b"".join(item.stretch.data for item in items if isinstance(item, Run))


def lost(items: Sequence[Item]) -> list[tuple[int, int]]:
    return [(item.sequence, item.count) for item in items if isinstance(item, Lost)]


@st.composite
def p2_captures(draw: st.DrawFn) -> bytes:
    """Packets with gaps of less than a period, so that their counter tells them, and buttons."""
    parts, counter = [], draw(st.integers(0, 255))
    for _ in range(draw(st.integers(1, 12))):
        row = draw(st.tuples(*[COUNTS] * 6))
        for switches in draw(st.lists(st.sampled_from([15, 15, 15, 14, 7, 0]), min_size=1, max_size=40)):
            parts.append(p2_packet(counter % 256, row, switches))
            counter += 1
        counter += draw(st.sampled_from([0, 1, 2, 30, 200]))
    return b"".join(parts)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25)
@given(data=p2_captures())
def test_p2_comes_back_as_it_was(form: str, data: bytes) -> None:
    direct, _ = read(data)
    items, intake = read(recorded(form, data)[0], pieces=3)
    assert intake.format == form
    assert data_of(items) == data
    # A gap that ends at counter 0 may be a restart, but is a loss for the file.
    assert lost(items) == lost(direct)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [2, 4, 6])
@settings(max_examples=20)
@given(rows=st.lists(st.tuples(*[COUNTS] * 6), min_size=12, max_size=90), pressed=st.integers(0, 15))
def test_p3_comes_back_with_its_channels_and_buttons(
    form: str, channels: int, rows: list[tuple[int, ...]], pressed: int
) -> None:
    data = b"".join(
        p3_packet(number % 64, row[:channels], pressed if number & 7 == 4 else 0)
        for number, row in enumerate(rows)
    )
    items, _ = read(recorded(form, data)[0])
    assert data_of(items) == data


def test_the_auxiliary_data_of_p3_stays_in_xdf() -> None:
    data = b"".join(p3_packet(number % 64, [1, 2], number) for number in range(200))
    assert data_of(read(recorded("xdf", data)[0])[0]) == data


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [1, 255, 256, 300, 2000])
def test_a_loss_is_as_long_as_it_was_even_by_whole_periods(form: str, count: int) -> None:
    (file,) = files(encoded(form, [runs(range(300), range(300 + count, 900 + count))]))
    items, _ = read(file)
    assert lost(items) == [(300, count)]
    assert len(data_of(items)) == 900 * p2.SIZE


def test_a_long_gap_stays_in_xdf() -> None:
    (file,) = files(encoded("xdf", [runs(range(300), range(9300, 9900))]))
    assert lost(read(file)[0]) == [(300, 9000)]
    back = Run(300, stretch(range(300, 900)), at_rate(9300, 600))
    (file,) = files(encoded("xdf", [runs(range(300)), [Interrupted(0, None, "gone"), back]]))
    items, _ = read(file)
    assert (lost(items), len(data_of(items))) == ([], 900 * p2.SIZE)
    assert [item for item in items if isinstance(item, Interrupted)]


@pytest.mark.parametrize("form", FORMS)
def test_many_losses_in_a_second_come_back_each(form: str) -> None:
    kept = [[number] for number in range(600) if number % 3]
    (file,) = files(encoded(form, [runs([0], *kept)]))
    items, _ = read(file)
    assert lost(items) == [(number, 1) for number in range(3, 600, 3)]


@pytest.mark.parametrize("form", FORMS)
def test_a_restart_and_an_absence_come_back_as_that(form: str) -> None:
    anew = Run(100, stretch(range(256, 400)), at_rate(100 + 90, 144))
    back = Run(244, stretch(range(10, 300)), at_rate(244 + 700, 290))
    (file,) = files(
        encoded(form, [runs(range(100)), [Restarted(100, 0, 0), anew], [Interrupted(0, None, "gone"), back]])
    )
    items, _ = read(file)
    kinds = [type(item) for item in items if isinstance(item, Restarted | Interrupted)]
    assert kinds == [Restarted, Interrupted]
    assert len(data_of(items)) == (100 + 144 + 290) * p2.SIZE
    packets = [packet for item in items if isinstance(item, Run) for packet in item.stretch.packets()]
    assert [packets[place].counter for place in (99, 100, 243, 244)] == [99, 0, 143, 10]


@pytest.mark.parametrize("form", FORMS)
def test_times_and_scale_come_back(form: str) -> None:
    scale = Scale(0.24123, 511.5, "calibrated 2026-11-28")
    (file,) = files(encoded(form, [runs(range(600))], Settings(scale=scale)))
    items, intake = read(file)
    assert intake.scale == scale
    first = next(item for item in items if isinstance(item, Run))
    assert first.times
    assert abs(first.times.sampled_us[0] - START_US) <= 1
    assert not first.times.wall_us


@pytest.mark.parametrize("form", FORMS)
@given(
    texts=st.lists(
        st.tuples(st.integers(0, 2999), st.integers(0, 3000), st.text("ab", min_size=1, max_size=9)),
        max_size=30,
    ),
    edges=st.lists(st.integers(1, 2998), max_size=5),
)
def test_marks_come_back_at_their_times_whatever_was_lost(
    form: str, texts: list[tuple[int, int, str]], edges: list[int]
) -> None:
    kept = sorted(set(range(3000)) - set(edges))
    numbers = [[*run] for run in _contiguous(kept)]
    marks = sorted(
        (at_rate(packet, 1).wall_us[0] + (more if packet < 2999 else 0), text) for packet, more, text in texts
    )
    (file,) = files(encoded(form, [runs(*numbers)], notes=[Mark(*mark) for mark in marks]))
    found = sorted((mark.time_us, mark.text) for mark in read(file)[1].marks(0))
    assert sorted(text for _, text in found) == sorted(text for _, text in marks)
    assert all(abs(one[0] - other[0]) <= 2 for one, other in zip(found, marks, strict=True))


def _contiguous(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    begins = [at for at, number in enumerate(numbers) if not at or number != numbers[at - 1] + 1]
    for begin, end in pairwise([*begins, len(numbers)]):
        yield numbers[begin:end]


@pytest.mark.parametrize("form", FORMS)
def test_what_kit_tells_of_the_samples_is_no_mark(form: str) -> None:
    notes = [Mark(START_US + 1_000_000, "BAD_ blink"), Mark(START_US + 1_500_000, "button 2")]
    data = b"".join(
        p2_packet(number % 256, switches=15 - number // 40 % 2) for number in range(900) if number % 97
    )
    capture = Capture("p2")
    items = [*capture.feed(Chunk(data)), *capture.end("end")]
    (file,) = files(encoded(form, [items], Settings(start_us=START_US), notes))
    assert [mark.text for mark in read(file)[1].marks(0)] == ["BAD_ blink", "button 2"]


@pytest.mark.parametrize("form", FORMS)
def test_another_rate_has_to_be_said(form: str) -> None:
    rate_hz = Fraction(1000, 3)
    capture = Capture("p2", rate_hz=rate_hz)
    items = capture.feed(Chunk(b"".join(p2_packet(number % 256) for number in range(900))))
    (file,) = files(encoded(form, [items], Settings(rate_hz=rate_hz)))
    with pytest.raises(UsageError, match=r"the file has 333\.333 samples a second, not 256") as told:
        read(file)
    assert told.value.hint == "add --rate 1000/3"
    assert len(data_of(read(file, rate_hz)[0])) == 900 * p2.SIZE


@pytest.mark.parametrize("form", FORMS)
def test_a_second_part_reads_like_a_first_one(form: str) -> None:
    data = b"".join(p2_packet(number % 256, [number % 1024] * 6) for number in range(1300))
    parts = recorded(form, data, Settings(split_s=2))
    assert b"".join(data_of(read(part)[0]) for part in parts) == data


@pytest.mark.parametrize("form", ["edf", "xdf"])
@settings(max_examples=12)
@given(cut=st.integers(0, 12_000), torn=st.integers(0, 40))
def test_a_torn_recording_gives_what_is_whole(form: str, cut: int, torn: int) -> None:
    data = b"".join(p2_packet(number % 256, [number % 1024] * 6) for number in range(1300))
    (file,) = recorded(form, data[: 700 * p2.SIZE])
    size = max(5426, len(file) - cut)
    # Without a checksum nobody can tell zeros behind a cut chunk of XDF from its own.
    items, _ = read(file[:size] + bytes(torn if form == "edf" else 0))
    assert data.startswith(data_of(items))


@settings(max_examples=12)
@given(at=st.integers(0, 30_000), junk=st.binary(max_size=200))
def test_damage_in_xdf_costs_what_lies_before_the_next_boundary(at: int, junk: bytes) -> None:
    file, data = _LONG, _LONG_DATA
    at = 8000 + at
    try:
        items, _ = read(file[:at] + junk + file[at + 200 :])
    except ProtocolError:
        return
    got = data_of(items)
    assert len(got) % p2.SIZE == 0
    assert len(got) >= len(data) // 3


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40)
@given(head=st.integers(0, 3000), junk=st.binary(max_size=300))
def test_what_is_no_recording_is_told_and_nothing_worse(form: str, head: int, junk: bytes) -> None:
    (file,) = recorded(form, b"".join(p2_packet(number) for number in range(200)))
    head = max(head, 200)
    with suppress(ProtocolError, UsageError):
        read(file[:head] + junk + file[head + len(junk) :])


@pytest.mark.parametrize("form", FORMS)
def test_the_first_bytes_tell_the_format(form: str) -> None:
    assert sniff(recorded(form, p2_packet(1) + p2_packet(2))[0][:4096]) == form


def test_without_edfio_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = recorded("edf", p2_packet(1) + p2_packet(2))
    monkeypatch.setitem(sys.modules, "edfio", None)
    with pytest.raises(Unavailable, match="takes the library edfio") as told:
        read(file)
    assert told.value.hint == "pip install 'kit[eeg]'"


def _foreign(
    channels: int, values: Sequence[int], rate: int = 256, notes: Sequence[Any] = (), **signal: Any
) -> bytes:
    """A file that edfio wrote, as any program may."""
    kinds = {"digital_range": (0, 1023), "physical_range": (-512.0, 512.0), **signal}
    column = np.array(values, dtype=np.int16)
    target = io.BytesIO()
    edfio.Edf(
        [
            edfio.EdfSignal.from_digital(column, rate, physical_dimension="uV", **kinds)
            for _ in range(channels)
        ],
        annotations=notes,
    ).write(target)
    return target.getvalue()


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_a_foreign_file_of_counts_is_mapped_as_it_is(channels: int) -> None:
    items, intake = read(_foreign(channels, range(512)))
    packets = [packet for item in items if isinstance(item, Run) for packet in item.stretch.packets()]
    assert [packet.channels for packet in packets] == [(number,) * channels for number in range(512)]
    assert intake.scale
    assert intake.scale.uv_per_count == pytest.approx(1024 / 1023)
    assert intake.scale.microvolts(0) == pytest.approx(-512)
    assert intake.scale.origin == "file"


def test_annotations_of_a_foreign_file_are_marks() -> None:
    notes = [edfio.EdfAnnotation(1.5, None, "eyes closed"), edfio.EdfAnnotation(0.25, 1.0, "seizure?")]
    items, intake = read(_foreign(2, range(512), notes=notes))
    (run,) = (item for item in items if isinstance(item, Run))
    begun_us = run.times.sampled_us[0] if run.times else 7_000_000
    assert intake.marks(7_000_000) == [
        Mark(begun_us + 250_000, "seizure?"),
        Mark(begun_us + 1_500_000, "eyes closed"),
    ]


@pytest.mark.parametrize("digits", [12, 60, 400])
def test_an_annotation_at_the_end_of_time_is_left_out(digits: int) -> None:
    text = "x" * 500
    foreign = _foreign(2, range(512), notes=[edfio.EdfAnnotation(1.5, None, text)])
    begin = foreign.rindex(b"+", 0, foreign.index(text.encode()))
    end = foreign.index(b"\x14\0", begin)
    late = b"+" + b"9" * digits + b"\x14"
    items, intake = read(foreign[:begin] + late.ljust(end - begin, b"x") + foreign[end:])
    assert len([item for item in items if isinstance(item, Run)]) == 1
    assert intake.marks(0) == []


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (lambda: _foreign(3, range(512)), "3 channels, where OpenEEG has 2, 4 or 6"),
        (
            lambda: _foreign(2, [-2000, 2000] * 256, digital_range=(-32768, 32767)),
            "-2000 to 2000, where OpenEEG has 10 bits",
        ),
        (lambda: _foreign(2, range(512), 512), "512 samples a second, not 256"),
    ],
)
def test_a_foreign_file_that_is_no_openeeg_is_refused_with_a_reason(
    file: Callable[[], bytes], said: str
) -> None:
    with pytest.raises((ProtocolError, UsageError), match=said):
        read(file())
