"""NDJSON: the fields of each event, and how a reader takes what it does not know."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from kit.core.errors import ProtocolError
from kit.eeg import p2, p3
from kit.eeg.dating import Dating
from kit.eeg.formats import make_reader
from kit.eeg.records import (
    Duplicate,
    Ended,
    Gone,
    Interrupted,
    Lost,
    Packet,
    Recognised,
    Reordered,
    Restarted,
    Run,
    Skipped,
    Stretch,
    Times,
)
from kit.eeg.scale import Scale
from tests.eeg.formats.recordings import items_of, p2_packet, p3_packet, readings, written

PACKET: dict[str, Any] = {"event": "packet", "counter": 7, "channels": [1, 2, 3, 4, 5, 6]}


def events(*items: Any, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written("ndjson", items, **options).splitlines()][1:]


def packets(*lines: dict[str, Any] | str, scale: Scale | None = None) -> list[Packet]:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    spans = [span for span, _ in readings(make_reader("ndjson", scale=scale), [text.encode()])]
    return [packet for span in spans if isinstance(span, Stretch) for packet in span.packets()]


def test_the_first_event_says_what_the_numbers_mean() -> None:
    dating = Dating(1_600_000_000_000_000, Fraction(1000, 3))
    start = json.loads(written("ndjson", [], dating=dating, scale=Scale(0.241, 511, "given"), units="uv"))
    assert start == {
        "event": "start",
        "format": 1,
        "units": "uv",
        "uv_per_count": 0.241,
        "zero": 511,
        "scale_origin": "given",
        "rate_hz": 1000 / 3,
        "start_us": 1_600_000_000_000_000,
    }


def test_a_packet_has_its_place_its_times_and_its_values() -> None:
    stretch = Stretch(p2.LAYOUT, 34, p2_packet(7, (1, 2, 3, 4, 5, 6), 0x4D))
    (event,) = events(Run(12, stretch, Times([1000], [10], [990])))
    assert event == {
        "event": "packet",
        "offset": 34,
        "sequence": 12,
        "time_us": 1000,
        "monotonic_us": 10,
        "sampled_us": 990,
        "version": 2,
        "counter": 7,
        "channels": [1, 2, 3, 4, 5, 6],
        "buttons": 13,
        "auxiliary": 4,
    }


def test_what_is_not_known_of_a_packet_is_null() -> None:
    first, second = events(Run(0, Stretch(p3.layout(2), 0, p3_packet(3, [10, 1023], 0x55) * 2), None, True))
    assert (first["monotonic_us"], first["buttons"]) == (None, None)
    assert (first["time_us"], first["sampled_us"]) == (0, 0)
    assert (first["channels"], first["auxiliary"], first["repeated"]) == ([10, 1023], 0x55, True)
    assert second["offset"] == 5


def test_microvolts_are_called_so() -> None:
    (event,) = events(Run(0, Stretch(p2.LAYOUT, 0, p2_packet(0))), units="uv")
    assert event["channels_uv"] == [-256, -255.5, -0.5, 0, 0.5, 255.5]
    assert "channels" not in event


def test_every_other_item_is_an_event_with_its_fields() -> None:
    assert events(
        Recognised("p2", 6, 5),
        Skipped(0, b"\xa5\x00"),
        Skipped(2, b"", 7),
        Lost(3, 4, 9),
        Lost(3, 20, 9, may_be_restart=True),
        Lost(3, 512, 9, "time", 256, 768),
        Duplicate(3, 9),
        Reordered(3, 9),
        Restarted(3, 0, 9, 200),
        Interrupted(9, 1000, "it's gone"),
        Interrupted(9, None, "gone"),
        Ended("end", 1, 2, 3, 4, 5, 6, 7, 8),
    ) == [
        {"event": "protocol", "protocol": "p2", "channels": 6, "offset": 5},
        {"event": "skip", "offset": 0, "count": 2, "bytes": "a500"},
        {"event": "skip", "offset": 2, "count": 7, "bytes": None},
        _lost(count=4, low=4, high=4),
        _lost(count=20, low=0, high=20, may_be_restart=True),
        _lost(count=512, low=256, high=768, by="time"),
        {"event": "duplicate", "sequence": 3, "offset": 9},
        {"event": "reordered", "sequence": 3, "offset": 9},
        {"event": "restart", "sequence": 3, "counter": 0, "offset": 9, "or_lost": 200},
        {"event": "interrupted", "offset": 9, "time_us": 1000, "reason": "it's gone"},
        {"event": "interrupted", "offset": 9, "time_us": None, "reason": "gone"},
        {
            "event": "end",
            "reason": "end",
            "packets": 1,
            "lost": 2,
            "skipped": 3,
            "duplicates": 4,
            "reordered": 5,
            "restarts": 6,
            "bytes": 7,
            "duration_us": 8,
        },
    ]


def _lost(**fields: Any) -> dict[str, Any]:
    return {"event": "lost", "sequence": 3, "offset": 9, "by": "counter", "may_be_restart": False, **fields}


def test_a_capture_ends_with_the_event_end() -> None:
    lines = written("ndjson", items_of("p2", p2_packet(1))).splitlines()
    assert [json.loads(line)["event"] for line in (lines[0], lines[-1])] == ["start", "end"]


def test_unknown_events_and_fields_are_passed_over() -> None:
    assert packets(
        {"event": "weather", "sun": True},
        {**PACKET, "mood": "fine", "offset": 3},
        {"event": "end"},
        '{"event":"lost"}',
        {"event": "start", "language": "en"},
    ) == [Packet(3, 2, 7, (1, 2, 3, 4, 5, 6), 15, 0)]


def test_a_skip_keeps_its_bytes_its_place_and_their_number() -> None:
    items = [Skipped(5, b"\xa5\x00"), Skipped(7, b"", 9), Run(0, Stretch(p2.LAYOUT, 16, p2_packet(1)))]
    found = [span for span, _ in readings(make_reader("ndjson"), [written("ndjson", items)])]
    assert found == [Skipped(5, b"\xa5\x00"), Skipped(7, b"", 9), Stretch(p2.LAYOUT, 16, p2_packet(1))]


def test_an_interruption_stands_where_it_was() -> None:
    run = Run(0, Stretch(p2.LAYOUT, 0, p2_packet(1)))
    text = written("ndjson", [run, Interrupted(17, 5_000, "gone"), run])
    found = [span for span, _ in readings(make_reader("ndjson"), [text])]
    assert [type(span) for span in found] == [Stretch, Gone, Stretch]
    assert found[1] == Gone("gone", 0, 5_000_000)


def test_the_scale_of_the_file_is_what_its_microvolts_mean() -> None:
    text = written("ndjson", items_of("p2", p2_packet(1)), units="uv", scale=Scale(0.241, 500))
    ((span, _),) = readings(make_reader("ndjson", scale=Scale(1.0)), [text])
    assert isinstance(span, Stretch)
    assert span.data == p2_packet(1)


def test_microvolts_of_a_file_that_lost_its_start_have_the_scale_that_is_given() -> None:
    packet = {"event": "packet", "counter": 1, "channels_uv": [0, 1, -1, 2, 3, 4.0]}
    assert packets(packet, scale=Scale(1.0))[0].channels == (512, 513, 511, 514, 515, 516)
    assert packets(packet)[0].channels == (512, 514, 510, 516, 518, 520)


@pytest.mark.parametrize("end", ["", "\n"])
def test_an_object_without_a_line_end_is_read_and_half_an_object_is_skipped(end: str) -> None:
    line = json.dumps(PACKET)
    whole = readings(make_reader("ndjson"), [(line + "\n" + line + end).encode()])
    assert sum(len(span) for span, _ in whole if isinstance(span, Stretch)) == 2
    *_, (last, _) = readings(make_reader("ndjson"), [(line + "\n" + line[:-1]).encode()])
    assert last == Skipped(17, b"", len(line) - 1)


@pytest.mark.parametrize("before", [0, 1, 2000])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "not a JSON object: '{'"),
        ("[" * 60_000, "not a JSON object: '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…'"),
        ("[]", "not a JSON object with an event"),
        ('{"event":1}', "not a JSON object with an event"),
        ('{"event":"start","format":2}', "format 2, where this program knows 1"),
        ('{"event":"start","uv_per_count":"x","zero":1}', "uv_per_count and zero: not numbers"),
        ('{"event":"start","uv_per_count":0,"zero":1}', "no scale has 0 µV a count and zero at 1"),
        ('{"event":"start","uv_per_count":NaN,"zero":1}', "uv_per_count and zero: not numbers"),
        ({**PACKET, "channels": 7}, "no list of channels"),
        ({**PACKET, "channels": [1, 2, 3, 4, 5, 6.0]}, "channels: not whole numbers alone"),
        ({**PACKET, "channels": [1, 2, 3, 4, 5, True]}, "channels: not whole numbers alone"),
        ({**PACKET, "channels": [1, 2, 3, 4, 5, 1024]}, "ch6: 1024 is not 0 to 1023"),
        ({**PACKET, "channels": [1, 2, 3]}, "no protocol has version 3 and 3 channels"),
        ({**PACKET, "version": 2, "channels": [1, 2]}, "no protocol has version 2 and 2 channels"),
        ({**PACKET, "counter": 256}, "counter: 256 is not 0 to 255"),
        ({**PACKET, "counter": None}, "no counter"),
        ({**PACKET, "counter": "7"}, "counter: not a whole number of at most 18 digits"),
        ({**PACKET, "time_us": 10**18}, "time_us: not a whole number of at most 18 digits"),
        ({**PACKET, "offset": -1}, "offset: -1 is below 0"),
        ({**PACKET, "buttons": 16}, "buttons: 16 is not 0 to 15"),
        (
            {**PACKET, "version": 3, "counter": 4, "buttons": 3, "auxiliary": 0},
            "buttons are 0 by the auxiliary byte, and not 3",
        ),
        (
            '{"event":"packet","counter":1,"channels_uv":[0,0,0,0,0,0.2]}',
            "channels_uv: 0.2 µV is no count from 0 to 1023 at 0.5 µV a count",
        ),
        ('{"event":"packet","counter":1,"channels_uv":[0,0,0,0,0,"0"]}', "channels_uv: not numbers alone"),
        ('{"event":"skip","offset":1}', "a skip with neither count nor bytes"),
        ('{"event":"skip","count":2,"bytes":"a5"}', "1 bytes, where count is 2"),
        ('{"event":"skip","bytes":"a"}', "bytes: not pairs of hexadecimal digits"),
        ('{"event":"skip","bytes":5}', "bytes: not pairs of hexadecimal digits"),
        ('{"event":"interrupted","reason":5}', "reason: not a text"),
    ],
)
def test_a_wrong_line_is_named(before: int, line: dict[str, Any] | str, expected: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        packets(*[PACKET] * before, line, PACKET)
    assert str(caught.value) == f"line {before + 1}: {expected}"


def test_lines_that_are_one_object_only_together_are_none() -> None:
    with pytest.raises(ProtocolError, match="line 1"):
        packets('{"event":"packet","a":[{}', '{}],"counter":1}')
