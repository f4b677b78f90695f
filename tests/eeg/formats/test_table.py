"""The table: how it looks, and that it can be read back."""

from __future__ import annotations

import pytest

from kit.core.errors import ProtocolError
from kit.eeg import p2, p3
from kit.eeg.formats import make_reader
from kit.eeg.records import (
    Duplicate,
    Ended,
    Gone,
    Interrupted,
    Item,
    Lost,
    Recognised,
    Reordered,
    Restarted,
    Run,
    Skipped,
    Stretch,
    Times,
)
from tests.eeg.formats.recordings import p2_packet, p3_packet, readings, written

NOON_US = 1_622_030_400_000_000
ITEMS: list[Item] = [
    Recognised("p2", 6, 0),
    Run(
        0,
        Stretch(p2.LAYOUT, 0, p2_packet(10, (519, 510, 505, 500, 493, 1023), 0x17) + p2_packet(11)),
        Times([NOON_US, NOON_US + 3906], [1, 2], [3, 4]),
    ),
    Lost(2, 3, 34),
    Lost(5, 20, 34, may_be_restart=True),
    Lost(25, 512, 34, "time", 256, 768),
    Skipped(34, b"\xa5\x5a"),
    Skipped(36, b"x" * 17),
    Skipped(53, b"", 1),
    Restarted(537, 0, 54, 200),
    Duplicate(1, 54),
    Reordered(2, 54),
    Interrupted(54, NOON_US + 86_400_000_000, "un\x1bplugged"),
    Run(537, Stretch(p3.layout(2), 54, p3_packet(4, [1, 2], 14) + p3_packet(5, [3, 4], 255))),
    Ended("end", 4, 535, 20, 1, 1, 1, 64, 1),
]
TABLE = """\
time             sequence ver  ctr   ch1   ch2   ch3   ch4   ch5   ch6  btns aux
-- P2, 6 channels --
-- 2021-05-26 UTC --
12:00:00.000000         0   2   10   519   510   505   500   493  1023  ...#   1
12:00:00.003906         1   2   11     0     1   511   512   513  1023  ....   0
-- 3 packets lost --
-- 20 packets lost (or the device began anew) --
-- 512 packets lost (256 to 768, by the time) --
-- 2 bytes skipped: a5 5a --
-- 17 bytes skipped --
-- 1 byte skipped --
-- the device began anew at 0 (or 200 packets lost) --
-- packet 1 came once more --
-- packet 2 came late --
-- the device went away at 2021-05-27 12:00:00.000000: un\\x1bplugged --
-- 1970-01-01, times by the counter --
00:00:02.097656       537   3    4     1     2     -     -     -     -  #...  14
00:00:02.101562       538   3    5     3     4     -     -     -     -  -    255
-- end (end): 4 packets, 535 lost, 20 bytes skipped --
"""


def test_each_packet_is_a_row_and_what_happens_a_line() -> None:
    assert written("table", ITEMS).decode() == TABLE


def test_a_row_of_counts_fits_on_a_narrow_terminal() -> None:
    assert max(len(line) for line in TABLE.splitlines() if not line.startswith("--")) == 80


def test_colour_is_added_only_where_it_is_asked_for() -> None:
    coloured = written("table", ITEMS, colour=True).decode()
    assert "\x1b[31m-- 3 packets lost --\x1b[0m\n" in coloured
    for style in ("\x1b[31m", "\x1b[2m", "\x1b[0m"):
        coloured = coloured.replace(style, "")
    assert coloured == TABLE


def test_what_a_table_says_is_read_back() -> None:
    found = readings(make_reader("table"), [TABLE.encode()])
    assert [span for span, _ in found] == [
        Stretch(p2.LAYOUT, 0, p2_packet(10, (519, 510, 505, 500, 493, 1023), 0x17) + p2_packet(11)),
        Skipped(34, b"\xa5\x5a"),
        Skipped(36, b"", 17),
        Skipped(53, b"", 1),
        Gone("un\\x1bplugged", 0, (NOON_US + 86_400_000_000) * 1000),
        Stretch(p3.layout(2), 54, p3_packet(4, [1, 2], 14) + p3_packet(5, [3, 4], 255)),
    ]
    first, *_, last = (times for _, times in found)
    assert first == Times([NOON_US, NOON_US + 3906])
    assert last == Times((), (), [2_097_656, 2_101_562])


@pytest.mark.parametrize(
    "wall_us", [0, -1, 253_402_300_799_999_999, 253_402_300_800_000_000, 10**18, -(10**17), -(10**14)]
)
def test_times_that_no_calendar_has_are_numbered_days(wall_us: int) -> None:
    text = written("table", [Run(0, Stretch(p2.LAYOUT, 0, p2_packet(1)), Times([wall_us], [1], [1]))])
    ((_, times),) = readings(make_reader("table"), [text])
    assert times
    assert list(times.wall_us) == [wall_us]


def test_the_day_is_told_again_when_it_changes() -> None:
    late_us = 86_400_000_000 - 1
    run = Run(
        0, Stretch(p2.LAYOUT, 0, p2_packet(1) * 3), Times([late_us, late_us + 1, late_us + 2], [1, 2, 3])
    )
    lines = written("table", [run]).decode().splitlines()[1:]
    assert [line[:15].strip() for line in lines] == [
        "-- 1970-01-01 U",
        "23:59:59.999999",
        "-- 1970-01-02 U",
        "00:00:00.000000",
        "00:00:00.000001",
    ]


ROW = "12:00:00.000000         0   2   10   519   510   505   500   493  1023  ...#   1"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("12:00", "12-00", "time: '12-00:00.000000' is not a time of the day"),
        ("  510", "", "11 cells, where a row has 12"),
        ("  510", " 51x", "ch2: '51x' is not a whole number"),
        ("  510", " 1510", "ch2: 1510 is not 0 to 1023"),
        ("  510", "    -", "ch2: '-' is not a whole number"),
        ("...#", "..#", "btns: '..#' is not four of '.' and '#'"),
        ("   2   10", "   4   10", "no protocol has version 4 and 6 channels"),
    ],
)
def test_a_wrong_row_is_named(old: str, new: str, expected: str) -> None:
    head = TABLE.splitlines()[0] + "\n-- 2021-05-26 UTC --\n"
    row = ROW.replace(old, new)
    assert row != ROW
    reader = make_reader("table")
    with pytest.raises(ProtocolError) as caught:
        readings(reader, [(head + row + "\n").encode()])
    assert str(caught.value) == f"line 3: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ROW, "line 1: no table's head"),
        (TABLE.splitlines()[0] + "\n" + ROW, "line 2: a row before the line with its day"),
        (TABLE.splitlines()[0] + "\n-- 2021-02-30 UTC --", "line 2: no such day: '2021-02-30'"),
        (TABLE.splitlines()[0] + "\n-- 3 bytes skipped: a5 --", "line 2: 1 bytes, where 3 are said"),
        (TABLE.splitlines()[0] + "\n-- 3 bytes skipped: a --", "line 2: no bytes in hexadecimal digits"),
    ],
)
def test_rows_and_remarks_that_cannot_be_are_refused(text: str, expected: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        readings(make_reader("table"), [(text + "\n").encode()])
    assert str(caught.value) == expected
