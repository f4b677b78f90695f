"""Every line is one JSON object with the promised fields, whatever the texts; both ways to make it agree."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.audit.act import Act
from kit.agent.audit.codec import Decoder, encode
from kit.agent.audit.render import LINE_LIMIT, LineDecoder, json_line, lost_line
from kit.core.errors import ProtocolError
from tests.agent.audit_samples import FIELDS, LINE, SIGNED, TEXTS, WILD_ACTS

HARMLESS = {*string.printable.encode()} - {*b"\t\r\x0b\x0c\n"}
# Within the shortest limit, so that it has to come through whole.
HOSTILE = '"},\n\x00\x1b]0;\x07\x7f\x9b\u202e\u2028\\'


def test_a_line_is_these_bytes() -> None:
    assert json_line(SIGNED) == LINE


def test_the_fields_and_their_order_are_kept() -> None:
    assert list(json.loads(LINE)) == FIELDS


@given(WILD_ACTS)
def test_any_act_is_one_line_of_json_with_the_promised_fields(act: Act) -> None:
    line = json_line(act)
    fields = json.loads(line)
    assert list(fields) == FIELDS
    assert [fields[name] for name in ("uid", "pid", "us")] == [act.uid, act.pid, act.microseconds]
    assert line.endswith(b"}\n")
    assert {*line[:-1]} <= HARMLESS
    assert len(line) <= LINE_LIMIT


@given(st.lists(WILD_ACTS, max_size=5))
def test_the_fast_way_makes_the_same_lines(acts: list[Act]) -> None:
    stream = b"".join(map(encode, acts))
    expected = [json_line(act) for act in Decoder().feed(stream)]
    assert list(LineDecoder().feed(stream)) == expected == [json_line(act) for act in acts]
    byte_by_byte = LineDecoder()
    assert [line for byte in stream for line in byte_by_byte.feed(bytes([byte]))] == expected


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_stays_a_text(name: str) -> None:
    line = json_line(SIGNED._replace(**{name: HOSTILE}))
    fields = json.loads(line)
    assert fields[name] == HOSTILE
    assert line.count(b"\n") == 1
    assert {*line[:-1]} <= HARMLESS
    assert {other: fields[other] for other in FIELDS if other != name} == {
        other: value for other, value in json.loads(LINE).items() if other != name
    }


def test_the_longest_line_fits_into_a_pipe_at_once() -> None:
    worst = dict.fromkeys(TEXTS, "\x00" * 500)
    act = SIGNED._replace(**worst, time_ns=2**64 - 1, uid=2**32 - 1, pid=2**32 - 1, microseconds=2**64 - 1)
    assert 3000 < len(json_line(act)) <= LINE_LIMIT


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (999_999_999, "1970-01-01T00:00:00.999999Z"),
        (1_709_164_800 * 10**9, "2024-02-29T00:00:00.000000Z"),
        (1795489007_000_001_999, "2026-11-24T02:56:47.000001Z"),
        (2**64 - 1, "2554-07-21T23:34:33.709551Z"),
    ],
)
def test_the_time_is_utc_to_the_microsecond(time_ns: int, text: str) -> None:
    assert json.loads(json_line(SIGNED._replace(time_ns=time_ns)))["time"] == text


def test_a_clock_that_jumps_is_told_as_it_is() -> None:
    times = [5 * 10**9, 10**9, 5 * 10**9, 0]
    stream = b"".join(encode(SIGNED._replace(time_ns=time_ns)) for time_ns in times)
    seconds = [json.loads(line)["time"][17:19] for line in LineDecoder().feed(stream)]
    assert seconds == ["05", "01", "05", "00"]


def test_a_frame_that_is_none_makes_no_line() -> None:
    lines = LineDecoder().feed(encode(SIGNED) + encode(SIGNED).replace(b"mail", b"ma\xffl"))
    assert next(lines) == LINE
    with pytest.raises(ProtocolError):
        next(lines)


def test_lost_lines_are_counted_at_the_time_of_the_last() -> None:
    fields = json.loads(lost_line(LINE, 12))
    assert fields == {"time": "2026-11-24T02:56:47.853120Z", "event": "audit-lost", "lines": 12}
    assert list(fields) == ["time", "event", "lines"]
