"""A whole conversion, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import ProtocolError, Unavailable
from kit.eeg.conversion import Conversion, Converted, convert
from kit.eeg.dating import Dating
from kit.eeg.scale import Scale
from tests.eeg.formats.recordings import cuts, items_of, p2_bytes, p2_packet, written


def converted(pieces: Iterable[bytes], target: str, **wish: Any) -> tuple[bytes, Converted]:
    out: list[bytes] = []
    wish = {"source": None, "protocol": "auto", "dating": Dating(), "scale": Scale(), "units": "adc", **wish}
    done = convert(Conversion(target=target, **wish), "rec", pieces, out.append)
    return b"".join(out), done


@pytest.mark.parametrize("target", ["eegreader", "csv", "tsv", "ndjson", "raw", "table"])
@given(data=p2_bytes(), places=st.lists(st.integers(0, 10_000), max_size=10))
def test_the_result_does_not_depend_on_the_pieces(target: str, data: bytes, places: list[int]) -> None:
    data += p2_packet(1)
    pieces = cuts(data, places)
    assert converted(pieces, target, protocol="p2")[0] == written(target, items_of("p2", data))


@pytest.mark.parametrize("through", ["ndjson", "table", "csv", "eegreader"])
def test_the_totals_are_those_of_the_recording(through: str) -> None:
    data = p2_packet(1) + p2_packet(5) + p2_packet(6)
    text, done = converted([data], through, source="raw")
    assert (done.source, done.target) == ("raw", through)
    assert (done.tally.packets, done.tally.lost) == (3, 3)
    back, done = converted([text], "raw")
    assert back == data
    assert (done.source, done.tally.packets, done.tally.lost) == (through, 3, 3)


def test_what_raw_bytes_cannot_say_is_told() -> None:
    data = p2_packet(1) + b"noise" + p2_packet(2)
    text, done = converted([data], "csv")
    assert not done.times_left_out
    assert not done.skipped_left_out
    _, done = converted([text], "raw")
    assert not done.times_left_out  # they were the counter's
    assert done.skipped_left_out == 5
    live = written("ndjson", items_of("p2", data, live=True))
    _, done = converted([live], "raw")
    assert done.times_left_out
    assert not done.skipped_left_out


def test_the_protocol_is_recognised_and_said() -> None:
    text, _ = converted([p2_packet(1)], "ndjson")
    assert b'{"event":"protocol","protocol":"p2","channels":6,"offset":0}\n' in text


def test_microvolts_are_counts_again_by_the_same_scale() -> None:
    wish = {"units": "uv", "scale": Scale(0.241)}
    text, _ = converted([p2_packet(1)], "csv", **wish)
    assert b"-123.392," in text
    assert converted([text], "raw", **wish)[0] == p2_packet(1)
    with pytest.raises(ProtocolError, match=r"line 2: ch1_uv: -123\.392 µV is no count"):
        converted([text], "raw")


def test_packets_are_dated_from_the_start_at_the_rate() -> None:
    text, _ = converted([p2_packet(1) + p2_packet(2)], "eegreader", dating=Dating(5_000_000, Fraction(100)))
    assert [line.split(b"|")[0] for line in text.splitlines()] == [b"5000000", b"5010000"]


@pytest.mark.parametrize("pieces", [[], [b""]])
def test_an_empty_file_is_unavailable(pieces: list[bytes]) -> None:
    with pytest.raises(Unavailable, match="'rec' is empty"):
        converted(pieces, "csv")


@pytest.mark.parametrize(
    ("data", "wish", "expected"),
    [
        (b"hello\n", {}, "'rec' is not an OpenEEG stream, nor a text that kit reads"),
        (b"hello\n", {"presumed": "csv"}, "line 1: no header with the columns"),
        (b"hello\n", {"source": "raw"}, "'rec' is not an OpenEEG stream: no packet in 6 bytes"),
        (bytes(1000), {}, "'rec' is not an OpenEEG stream: no packet in 1,000 bytes"),
        (b"counter,ch1\n", {}, "'rec' is not an OpenEEG stream: no packet in 12 bytes"),
        (b'{"event":"start"}\n{}\n', {}, "line 2: not a JSON object with an event"),
    ],
)
def test_a_foreign_file_is_told(data: bytes, wish: dict[str, Any], expected: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        converted([data], "csv", **wish)
    assert str(caught.value).startswith(expected)


def test_a_suffix_is_believed_only_where_the_content_tells_nothing() -> None:
    text, _ = converted([p2_packet(1)], "csv")
    assert converted([text], "raw", presumed="ndjson")[1].source == "csv"
