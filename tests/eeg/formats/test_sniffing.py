"""A format is told by its first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import UsageError
from kit.eeg.dating import Dating
from kit.eeg.formats import WRITTEN, make_reader, make_writer, sniff
from kit.eeg.scale import Scale
from tests.eeg.formats.recordings import RECORDINGS, items_of, p2_packet, written


@pytest.mark.parametrize("name", WRITTEN)
@given(recording=RECORDINGS, units=st.sampled_from(["adc", "uv"]), size=st.integers(200, 4096))
def test_what_a_writer_wrote_is_told_from_its_begin(
    name: str, recording: tuple[str, bytes], units: str, size: int
) -> None:
    text = written(name, items_of(*recording), units=units)
    assert sniff(text[:size]) == (name if text else "unknown")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"1622034547374070|2|10|519|510|505|500|493|487|7\n", "eegreader"),
        (b"1622034547374070|2|10|519|510|505|500|493|487|7\r\n", "eegreader"),
        (b"1622034547374070|3|10|519|510|15\n", "eegreader"),
        (b'{"timestamp:":1622034547374070,"version":2,"frame":10', "eegreader-json"),
        (b'{ "timestamp" : 1622034547374070, "version": 2, "frame": 10}\n', "eegreader-json"),
        (b'\xef\xbb\xbf{"event": "start"}\n', "ndjson"),
        ('{"event":"start","scale_origin":"geschätzt"}\n'.encode(), "ndjson"),
        (b'\xef\xbb\xbf"counter","ch1","ch2"\r\n', "csv"),
        (b"ch1_uv\tcounter\n", "tsv"),
        (p2_packet(1), "raw"),
        (b"\x00", "raw"),
        (b"GIF89a\x00\x01", "raw"),
        (b"", "unknown"),
        (b"name,age\nJohn,3\n", "unknown"),
        (b"<!doctype html>\n", "unknown"),
        (b'{"a": 1}\n', "unknown"),
        (b"12|34\n", "unknown"),
    ],
)
def test_first_bytes_and_what_they_tell(head: bytes, expected: str) -> None:
    assert sniff(head) == expected


@given(st.binary(max_size=200))
def test_any_bytes_have_a_format_or_none(head: bytes) -> None:
    name = sniff(head)
    assert name == "unknown" or make_reader(name)


def test_a_format_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no format 'midi' to write"):
        make_writer("midi", dating=Dating(), scale=Scale())
    with pytest.raises(UsageError, match="no format 'midi' to read"):
        make_reader("midi")
