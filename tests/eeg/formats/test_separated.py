"""CSV and TSV: what a line says, and what a reader takes for one."""

from __future__ import annotations

import csv
import io
from itertools import combinations

import pytest

from kit.core.errors import ProtocolError
from kit.eeg import p2, p3
from kit.eeg.dating import Dating
from kit.eeg.formats import WRITTEN, make_reader
from kit.eeg.formats.separated import TIMES
from kit.eeg.records import Lost, Packet, Run, Skipped, Stretch, Times
from kit.eeg.scale import Scale
from tests.eeg.formats.recordings import p2_packet, p3_packet, readings, written

HEADER = (
    b"time_us,monotonic_us,sampled_us,sequence,version,counter,ch1,ch2,ch3,ch4,ch5,ch6,"
    b"buttons,auxiliary,lost_before,skipped_before\n"
)
LINE = b"1000,20,990,3,2,7,1,2,3,4,5,6,15,0,0,0\n"


def packets(text: bytes, name: str = "csv", scale: Scale | None = None) -> list[Packet]:
    spans = [span for span, _ in readings(make_reader(name, scale=scale), [text])]
    return [packet for span in spans if isinstance(span, Stretch) for packet in span.packets()]


def complaint(text: bytes, name: str = "csv") -> str:
    with pytest.raises(ProtocolError) as caught:
        packets(text, name)
    return str(caught.value)


def test_what_is_no_utf_8_is_told_also_in_a_column_that_nobody_reads() -> None:
    broken = LINE.replace(b",3,2,7,", b",\xff,2,8,")
    assert complaint(HEADER + LINE + broken + LINE) == "line 3: not UTF-8"


def test_a_line_has_times_sequence_values_and_what_went_before() -> None:
    stretch = Stretch(p2.LAYOUT, 0, p2_packet(7, (1, 2, 3, 4, 5, 6), 0x4D) + p2_packet(8))
    run = Run(12, stretch, Times([1000, 2000], [10, 20], [990, 1990]))
    items = [Lost(8, 4, 0), Skipped(0, b"abc"), Skipped(3, b"", 5), run]
    assert written("csv", items) == HEADER + (
        b"1000,10,990,12,2,7,1,2,3,4,5,6,13,4,4,8\n2000,20,1990,13,2,8,0,1,511,512,513,1023,15,0,0,0\n"
    )


def test_tsv_is_the_same_with_tabs() -> None:
    run = Run(0, Stretch(p2.LAYOUT, 0, p2_packet(7)))
    assert written("tsv", [run]) == written("csv", [run]).replace(b",", b"\t")


def test_a_packet_of_p3_leaves_what_it_lacks_empty() -> None:
    data = p3_packet(3, [10, 1023], 0x55) + p3_packet(4, [11, 0], 0xA6)
    lines = written("csv", [Run(0, Stretch(p3.layout(2), 0, data))]).splitlines()
    assert lines[1:] == [b"0,,0,0,3,3,10,1023,,,,,,85,0,0", b"3906,,3906,1,3,4,11,0,,,,,6,166,0,0"]


def test_packets_without_times_are_dated_from_the_start() -> None:
    run = Run(256, Stretch(p2.LAYOUT, 0, p2_packet(0)))
    line = written("csv", [run], dating=Dating(1_600_000_000_000_000)).splitlines()[1]
    assert line.startswith(b"1600000001000000,,1600000001000000,256,2,0,")


def test_microvolts_have_columns_of_their_own() -> None:
    run = Run(0, Stretch(p2.LAYOUT, 0, p2_packet(0, (0, 511, 512, 513, 1022, 1023))))
    text = written("csv", [run], units="uv", scale=Scale(0.241))
    header, line = text.splitlines()
    assert header.split(b",")[6:12] == [b"ch1_uv", b"ch2_uv", b"ch3_uv", b"ch4_uv", b"ch5_uv", b"ch6_uv"]
    assert line.split(b",")[6:12] == [b"-123.392", b"-0.241", b"0", b"0.241", b"122.91", b"123.151"]


def test_pythons_csv_module_reads_the_lines() -> None:
    run = Run(0, Stretch(p2.LAYOUT, 0, p2_packet(7, (1, 2, 3, 4, 5, 6))))
    (row,) = csv.DictReader(io.StringIO(written("csv", [run]).decode()))
    assert [row[f"ch{number}"] for number in range(1, 7)] == ["1", "2", "3", "4", "5", "6"]
    assert (row["monotonic_us"], row["lost_before"]) == ("", "0")


@pytest.mark.parametrize("lines", [1, 3])
def test_columns_are_found_by_their_names_in_any_order(lines: int) -> None:
    text = b'"ch2",mine,"ch1",ch3,ch4,ch5,ch6,counter\n' + lines * b"2,x,1,3,4,5,6,9\n"
    assert packets(text) == [
        Packet(number * p2.SIZE, 2, 9, (1, 2, 3, 4, 5, 6), 15, 0) for number in range(lines)
    ]


@pytest.mark.parametrize("lines", [1, 3])
def test_carriage_returns_a_byte_order_mark_and_empty_lines_are_no_harm(lines: int) -> None:
    text = b"\xef\xbb\xbf" + HEADER + lines * LINE + b"\n"
    expected = packets(HEADER + lines * LINE)
    assert len(expected) == lines
    assert packets(text.replace(b"\n", b"\r\n")) == expected


def test_skipped_bytes_are_told_of_before_their_packet() -> None:
    rows = LINE + LINE.replace(b"0,0\n", b"0,41\n") + LINE + LINE.replace(b"0,0\n", b"0,2000\n")
    found = [span for span, _ in readings(make_reader("csv"), [HEADER, rows])]
    assert [len(span) if isinstance(span, Stretch) else span for span in found] == [
        1,
        Skipped(17, b"", 41),
        2,
        Skipped(92, b"", 2000),
        1,
    ]
    assert [span.offset for span in found] == [0, 17, 58, 92, 2092]


@pytest.mark.parametrize("cut", [LINE[:-1], LINE[:20], b"1"])
def test_a_last_line_that_is_cut_is_skipped_and_not_guessed(cut: bytes) -> None:
    *_, (last, times) = readings(make_reader("csv"), [HEADER + LINE + cut])
    assert (last, times) == (Skipped(17, b"", len(cut)), None)
    assert len(packets(HEADER + LINE + cut)) == 1


@pytest.mark.parametrize("before", [0, 2, 1000])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((b",2,3,4", b",1024,3,4"), "ch2: 1024 is not 0 to 1023"),
        ((b",2,3,4", b",-1,3,4"), "ch2: -1 is not 0 to 1023"),
        ((b",2,3,4", b",1_0,3,4"), "ch2: '1_0' is not a whole number"),
        ((b",2,3,4", b", 2,3,4"), "ch2: ' 2' is not a whole number"),
        ((b",2,3,4", b",\xd9\xa1,3,4"), "ch2: '\u0661' is not a whole number"),
        ((b",2,3,4", b",\x1b[2J,3,4"), "ch2: '\\\\x1b[2J' is not a whole number"),
        ((b",2,3,4", b",\xff,3,4"), "not UTF-8"),
        ((b",2,3,4", b",,3,4"), "ch3: a value behind a channel that has none"),
        ((b",2,7,", b",2,256,"), "counter: 256 is not 0 to 255"),
        ((b",2,7,", b",2,,"), "no counter"),
        ((b",2,7,", b",0,7,"), "no protocol has version 0 and 6 channels"),
        ((b",2,7,", b",4,7,"), "no protocol has version 4 and 6 channels"),
        ((b",2,7,", b",3,64,"), "counter: 64 is not 0 to 63"),
        ((b",5,6,", b",5,,"), "no protocol has version 2 and 5 channels"),
        ((b",15,0,0,0", b",16,0,0,0"), "buttons: 16 is not 0 to 15"),
        ((b",15,0,0,0", b",15,16,0,0"), "auxiliary: 16 is not 0 to 15"),
        ((b",15,0,0,0", b",15,0,0,-3"), "skipped_before: -3 is below 0"),
        ((b"1000,", b"1e3,"), "time_us: '1e3' is not a whole number"),
        ((b",0,0\n", b",0,0,0\n"), "17 fields, where the header has 16"),
        ((b",0,0\n", b",0\n"), "15 fields, where the header has 16"),
    ],
)
def test_a_wrong_line_is_named_with_its_column(
    before: int, change: tuple[bytes, bytes], expected: str
) -> None:
    wrong = LINE.replace(*change)
    assert wrong != LINE
    assert complaint(HEADER + before * LINE + wrong + LINE) == f"line {before + 2}: {expected}"


def test_what_stands_before_a_wrong_line_is_given_out() -> None:
    reader = make_reader("csv")
    ((span, _),) = reader.feed(HEADER + 3 * LINE + b"rubbish\n" + LINE)
    assert isinstance(span, Stretch)
    assert len(span) == 3
    for _ in range(2):
        with pytest.raises(ProtocolError, match="line 5"):
            reader.feed(LINE)
    with pytest.raises(ProtocolError, match="line 5"):
        reader.finish()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"a,b,c\n", "no header with the columns 'counter', 'ch1', 'ch2' and so on"),
        (b"counter,ch2,ch3\n", "no header with the columns 'counter', 'ch1', 'ch2' and so on"),
        (b"ch1,counter,ch1\n", "two columns are called 'ch1'"),
    ],
)
def test_a_text_without_the_header_is_none_of_ours(header: bytes, expected: str) -> None:
    assert complaint(header + LINE) == f"line 1: {expected}"


@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize("known", [kinds for size in range(4) for kinds in combinations(TIMES, size)])
def test_any_of_the_times_may_be_missing(known: tuple[str, ...], lines: int) -> None:
    header = ",".join([*known, "counter", *(f"ch{number}" for number in range(1, 7))])
    line = ",".join([*(str(7 + place) for place in range(len(known))), *"1234567"])
    text = "\n".join([header, *[line] * lines, ""]).encode()
    ((span, times),) = readings(make_reader("csv"), [text])
    assert isinstance(span, Stretch)
    assert times is None or {*known} & {"time_us", "sampled_us"}
    for name in WRITTEN:
        assert written(name, [Run(0, span, times)])


def test_microvolts_that_are_no_count_are_refused() -> None:
    text = b"counter,ch1_uv,ch2_uv,ch3_uv,ch4_uv,ch5_uv,ch6_uv\n"
    assert packets(text + b"1,0,0.49,-0.51,1.02e0,-256,255.5\n")[0].channels == (512, 513, 511, 514, 0, 1023)
    assert "ch2_uv: 0.25 µV is no count" in complaint(text + b"1,0,0.25,0,0,0,0\n")
    assert "ch1_uv: 256 µV is no count" in complaint(text + b"1,256,0,0,0,0,0\n")
    assert "ch1_uv: '1e' is not a number" in complaint(text + b"1,1e,0,0,0,0,0\n")
    assert "ch1_uv: 'nan' is not a number" in complaint(text + b"1,nan,0,0,0,0,0\n")
