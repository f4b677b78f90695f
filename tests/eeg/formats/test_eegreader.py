from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import ProtocolError
from kit.eeg import p2, p3
from kit.eeg.dating import Dating
from kit.eeg.formats.eegreader import EegreaderWriter
from kit.eeg.formats.eegreader_reader import EegreaderReader
from kit.eeg.formats.interface import Reading
from kit.eeg.records import Lost, Packet, Run, Skipped, Stretch, Times
from tests.peers import find

C_SOURCE = Path(__file__).parents[2] / "bench" / "eegreader.c"
# From the README of the C tool.
REAL = b"""\
1622034547374070|2|10|519|510|505|500|493|487|7
1622034547374071|2|11|519|510|506|501|495|489|7
1622034547387645|2|12|519|511|506|501|495|489|7
1622034547387646|2|13|519|511|505|499|493|487|7
"""

p2_packets = st.builds(
    Packet,
    offset=st.just(0),
    version=st.just(2),
    counter=st.integers(0, 255),
    channels=st.tuples(*[st.integers(0, 1023)] * 6),
    buttons=st.integers(0, 15),
    auxiliary=st.just(0),
)
times_us = st.one_of(st.integers(0, 10**6), st.integers(0, 10**17))


def line(time_us: int, packet: Packet) -> bytes:
    fields = (time_us, packet.version, packet.counter, *packet.channels, packet.buttons)
    return "|".join(map(str, fields)).encode() + b"\n"


def p2_stretch(packets: list[Packet], offset: int = 0) -> Stretch:
    return Stretch(p2.LAYOUT, offset, b"".join(map(p2.encode, packets)))


def read(data: bytes, size: int | None = None) -> list[Reading]:
    reader = EegreaderReader()
    found: list[Reading] = []
    for at in range(0, len(data), size or len(data) or 1):
        found += reader.feed(data[at : at + (size or len(data))])
    return found + reader.finish()


def rows(found: list[Reading]) -> list[tuple[int, Packet]]:
    out: list[tuple[int, Packet]] = []
    for span, times in found:
        if isinstance(span, Stretch):
            assert times
            out += zip(times.wall_us, span.packets(), strict=True)
    return out


@given(st.lists(st.tuples(times_us, p2_packets), min_size=1, max_size=40), st.integers(0, 40))
def test_a_line_has_the_time_and_the_packet_in_decimal(timed: list[tuple[int, Packet]], cut: int) -> None:
    runs = [
        Run(index, p2_stretch([packet for _, packet in part]), Times([time for time, _ in part]))
        for index, part in enumerate((timed[:cut], timed[cut:]))
        if part
    ]
    assert EegreaderWriter(Dating()).render(runs) == b"".join(line(*row) for row in timed)


@given(st.lists(p2_packets, min_size=1, max_size=20), st.integers(0, 10**9), st.integers(0, 2 * 10**15))
def test_packets_without_a_time_are_dated_by_their_number(
    packets: list[Packet], sequence: int, start_us: int
) -> None:
    dating = Dating(start_us)
    expected = [line(dating.wall_us(sequence + index), packet) for index, packet in enumerate(packets)]
    assert EegreaderWriter(dating).render([Run(sequence, p2_stretch(packets))]) == b"".join(expected)


def test_more_packets_than_a_batch_are_lines_all_the_same() -> None:
    packets = [Packet(0, 2, n % 256, (n % 1024, 0, 1, 2, 999, 1023), n % 16, 0) for n in range(3000)]
    expected = [line(Dating().wall_us(n), packet) for n, packet in enumerate(packets)]
    assert EegreaderWriter(Dating()).render([Run(0, p2_stretch(packets))]) == b"".join(expected)


def test_the_high_nibble_of_the_switches_is_not_printed() -> None:
    data = p2.encode(Packet(0, 2, 1, (1, 2, 3, 4, 5, 6), 7, 0xA))
    writer = EegreaderWriter(Dating())
    assert writer.render([Run(0, Stretch(p2.LAYOUT, 0, data))]) == b"0|2|1|1|2|3|4|5|6|7\n"


def test_there_are_lines_for_packets_only() -> None:
    writer = EegreaderWriter(Dating())
    assert writer.head() == writer.tail() == b""
    assert writer.render([Skipped(0, b"x"), Lost(0, 3, 0)]) == b""


def test_a_repeated_packet_is_printed_as_often_as_it_came() -> None:
    stretch = p2_stretch([Packet(0, 2, 1, (1, 2, 3, 4, 5, 6), 7, 0)])
    once = EegreaderWriter(Dating()).render([Run(4, stretch)])
    assert EegreaderWriter(Dating()).render([Run(4, stretch), Run(4, stretch, repeated=True)]) == once * 2


@pytest.mark.parametrize("channels", [0, 2, 4, 6])
def test_p3_has_the_channels_of_its_device_and_the_buttons_known_last(channels: int) -> None:
    known = tuple(range(100, 100 + channels))
    data = b"".join(p3.encode(Packet(0, 3, counter, known, None, 5)) for counter in range(3, 7))
    lines = EegreaderWriter(Dating()).render([Run(0, Stretch(p3.layout(channels), 0, data))]).splitlines()
    middle = b"".join(b"%d|" % value for value in known)
    assert [text.split(b"|", 1)[1] for text in lines] == [
        b"3|3|" + middle + b"15",
        b"3|4|" + middle + b"5",
        b"3|5|" + middle + b"5",
        b"3|6|" + middle + b"5",
    ]


def test_the_lines_are_those_of_a_c_program(tmp_path: Path) -> None:
    program, capture = tmp_path / "eegreader", tmp_path / "capture"
    subprocess.run([find("cc"), "-O1", "-o", program, C_SOURCE], check=True)
    packets = [Packet(0, 2, n % 256, (n % 1024, 5, 16, 217, 998, 1023), n % 16, n % 3) for n in range(2000)]
    stretch = p2_stretch(packets)
    capture.write_bytes(stretch.data)
    theirs = subprocess.run([program, capture], capture_output=True, check=True).stdout
    times = [int(row.split(b"|")[0]) for row in theirs.splitlines()]
    assert EegreaderWriter(Dating()).render([Run(0, stretch, Times(times))]) == theirs


@pytest.mark.parametrize("size", [None, 1, 7])
def test_lines_of_the_c_tool_are_read(size: int | None) -> None:
    found = rows(read(REAL, size))
    assert b"".join(line(*row) for row in found) == REAL
    assert found[2][0] == 1622034547387645
    assert found[2][1].channels == (519, 511, 506, 501, 495, 489)


@given(st.lists(st.tuples(times_us, p2_packets), max_size=200), st.integers(1, 3000), st.booleans())
def test_what_was_written_is_read_at_any_chunking(
    timed: list[tuple[int, Packet]], size: int, crlf: bool
) -> None:
    text = b"".join(line(*row) for row in timed)
    found = read(text.replace(b"\n", b"\r\n") if crlf else text, size)
    assert b"".join(line(*row) for row in rows(found)) == text


def test_lines_that_follow_each_other_make_one_stretch() -> None:
    [(stretch, times)] = read(REAL)
    assert isinstance(stretch, Stretch) and len(stretch) == 4
    assert times is not None and len(times.wall_us) == 4


@pytest.mark.parametrize("channels", [0, 2, 4, 6])
def test_p3_is_read(channels: int) -> None:
    known = tuple(range(100, 100 + channels))
    data = b"".join(p3.encode(Packet(0, 3, n % 64, known, None, 15)) for n in range(100))
    text = EegreaderWriter(Dating()).render([Run(0, Stretch(p3.layout(channels), 0, data))])
    found = read(text)
    stretch, _ = found[0]
    assert isinstance(stretch, Stretch) and stretch.layout is p3.layout(channels)
    again = EegreaderWriter(Dating()).render(
        [Run(0, span) for span, _ in read(text) if isinstance(span, Stretch)]
    )
    assert again == text


def test_a_damaged_packet_that_the_c_tool_printed_is_skipped_bytes() -> None:
    damaged = b"1622034547374070|2|10|519|510|505|40000|493|487|7\n"
    found = read(REAL + damaged + REAL)
    assert [type(span) for span, _ in found] == [Stretch, Skipped, Stretch]
    assert found[1] == (
        Skipped(4 * 17, bytes.fromhex("a55a020a 0207 01fe 01f9 9c40 01ed 01e7 07")),
        None,
    )
    assert isinstance(found[2][0], Stretch) and found[2][0].offset == 5 * 17


@pytest.mark.parametrize("end", ["1622034547374070|2|10|519|5", "1622034547374070|2|10|519|510|505|5|4|3|1"])
def test_a_last_line_that_was_cut_is_skipped(end: str) -> None:
    found = read(REAL + end.encode(), 50)
    assert found[-1] == (Skipped(4 * 17, b"", len(end)), None)
    assert len(rows(found)) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        "hello",
        "1622034547374070|2|10|519|510|505|500|493|487",
        "1622034547374070|2|10|519|510|505|500|493|487|7|8",
        "1622034547374070|2|256|519|510|505|500|493|487|7",
        "1622034547374070|2|10|519|510|505|500|493|487|16",
        "1622034547374070|2|10|519|510|505|500|493|65536|7",
        "1622034547374070|2|010|519|510|505|500|493|487|7",
        "1622034547374070|2|10|519|510|505|500|493|487| 7",
        "1622034547374070|2|10|519|510|505|500|493|487|+7",
        "-622034547374070|2|10|519|510|505|500|493|487|7",
        "|2|10|519|510|505|500|493|487|7",
        "9999999999999999999|2|10|519|510|505|500|493|487|7",
        "1622034547374070|4|10|519|510|505|500|493|487|7",
        "1622034547374070|3|64|519|510|505|500|493|487|7",
        "1622034547374070|3|10|519|7",
        "1622034547374070|3|10|519|1024|7",
        "1622034547374070",
        "\N{BULLET}|2|10|519|510|505|500|493|487|7",
    ],
)
def test_any_other_line_is_an_error_with_its_number(wrong: str) -> None:
    reader = EegreaderReader()
    assert len(rows(reader.feed(REAL + wrong.encode() + b"\n" + REAL))) == 4
    with pytest.raises(ProtocolError, match=r"^line 5: "):
        reader.feed(REAL)
    with pytest.raises(ProtocolError, match=r"^line 5: "):
        reader.finish()


def test_rows_that_make_up_for_each_other_are_errors() -> None:
    first, second = b"1|2|3|4|5|6|7|8|9\n", b"1|2|3|4|5|6|7|8|9|10|11\n"
    with pytest.raises(ProtocolError, match=r"^line 1: "):
        read(first + second)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_noise_is_an_error_or_skipped_and_nothing_else(noise: bytes, size: int) -> None:
    try:
        found = read(noise, size)
    except ProtocolError:
        return
    assert all(isinstance(span, Skipped) for span, _ in found)
