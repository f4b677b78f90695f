"""The C tool's JSON lines, with the stray colon in their first key and without."""

from __future__ import annotations

import json

import pytest

from kit.core.errors import ProtocolError
from kit.eeg.formats import make_reader
from kit.eeg.records import Skipped, Stretch
from tests.eeg.formats.recordings import p2_packet, readings

FIELDS = {
    "timestamp:": 1622034547374070,
    "version": 2,
    "frame": 10,
    **{f"channel_{number}": 500 + number for number in range(1, 7)},
    "button_states": 7,
}
EXPECTED = p2_packet(10, (501, 502, 503, 504, 505, 506), 7)


@pytest.mark.parametrize("key", ["timestamp:", "timestamp"])
@pytest.mark.parametrize("end", ["\n", ""])
def test_both_spellings_of_the_time_are_read(key: str, end: str) -> None:
    line = json.dumps(FIELDS).replace("timestamp:", key)
    found = readings(make_reader("eegreader-json"), [(line + "\n" + line + end).encode()])
    assert b"".join(span.data for span, _ in found if isinstance(span, Stretch)) == 2 * EXPECTED
    assert [time for _, times in found if times for time in times.wall_us] == [1622034547374070] * 2


def test_a_line_that_is_cut_is_skipped() -> None:
    line = json.dumps(FIELDS)[:-1]
    assert readings(make_reader("eegreader-json"), [line.encode()]) == [(Skipped(0, b"", len(line)), None)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"frame": 256}, "counter: 256 is not 0 to 255"),
        ({"frame": 1.0}, "frame: not a whole number"),
        ({"channel_6": 1024}, "ch6: 1024 is not 0 to 1023"),
        ({"channel_6": None}, "channel_6: not a whole number"),
        ({"button_states": "7"}, "button_states: not a whole number"),
        ({"version": 4}, "no protocol has version 4 and 6 channels"),
        ({"timestamp:": 10**18}, "timestamp:: not a whole number"),
    ],
)
def test_a_wrong_line_is_named(change: dict[str, object], expected: str) -> None:
    text = json.dumps(FIELDS) + "\n" + json.dumps({**FIELDS, **change}) + "\n"
    with pytest.raises(ProtocolError) as caught:
        readings(make_reader("eegreader-json"), [text.encode()])
    assert str(caught.value) == f"line 2: {expected}"


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ProtocolError, match="line 1: no timestamp"):
        readings(make_reader("eegreader-json"), [b'{"version":2}\n'])
    with pytest.raises(ProtocolError, match="line 1: not a JSON object: '5'"):
        readings(make_reader("eegreader-json"), [b"5\n"])
