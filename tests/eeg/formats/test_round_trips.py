"""From one format to another and back: nothing is lost that the formats can say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.eeg import p2
from kit.eeg.formats import make_reader
from kit.eeg.records import Duplicate, Lost, Reordered, Restarted, Run, Stretch
from kit.eeg.scale import Scale
from tests.eeg.formats.recordings import (
    RECORDINGS,
    cuts,
    items_of,
    outcome,
    p2_bytes,
    packets_of,
    read_back,
    readings,
    skipped_in,
    written,
)

TEXTS = ("csv", "tsv", "ndjson", "table")


@given(RECORDINGS, st.booleans())
def test_raw_to_ndjson_to_raw_gives_every_byte(recording: tuple[str, bytes], live: bool) -> None:
    protocol, data = recording
    text = written("ndjson", items_of(protocol, data, live=live))
    assert written("raw", read_back("ndjson", text)) == data


@pytest.mark.parametrize("name", TEXTS)
@given(recording=RECORDINGS, live=st.booleans(), units=st.sampled_from(["adc", "uv"]))
def test_a_text_keeps_every_packet_and_the_number_of_skipped_bytes(
    name: str, recording: tuple[str, bytes], live: bool, units: str
) -> None:
    protocol, data = recording
    items = items_of(protocol, data, live=live)
    back = read_back(name, written(name, items, units=units))
    assert packets_of(back) == packets_of(items)
    if name in ("csv", "tsv"):
        # What is skipped behind the last packet has no line to stand in.
        last = max((place for place, item in enumerate(items) if isinstance(item, Run)), default=-1)
        items = items[: last + 1]
    assert skipped_in(back) == skipped_in(items)


@given(p2_bytes())
def test_eegreaders_lines_keep_every_packet_but_the_undefined_bits(data: bytes) -> None:
    items = items_of("p2", data)
    kept = bytearray(packets_of(items))
    kept[16 :: p2.SIZE] = bytes(switches & 15 for switches in kept[16 :: p2.SIZE])
    assert packets_of(read_back("eegreader", written("eegreader", items))) == bytes(kept)


@pytest.mark.parametrize("name", ["csv", "tsv", "table", "eegreader"])
@given(data=p2_bytes(), live=st.booleans())
def test_a_text_to_ndjson_and_back_gives_the_same_lines(name: str, data: bytes, live: bool) -> None:
    text = written(name, items_of("p2", data, live=live))
    items = read_back(name, text)
    assert written(name, items) == text
    assert written(name, read_back("ndjson", written("ndjson", items))) == text


@pytest.mark.parametrize("name", TEXTS)
@given(recording=RECORDINGS, live=st.booleans())
def test_what_the_counters_mean_is_found_again(name: str, recording: tuple[str, bytes], live: bool) -> None:
    protocol, data = recording
    items = items_of(protocol, data, live=live)
    back = read_back(name, written(name, items))
    kinds = (Lost, Duplicate, Reordered, Restarted)
    assert [item for item in back if isinstance(item, kinds)] == [
        item for item in items if isinstance(item, kinds)
    ]


@pytest.mark.parametrize("name", [*TEXTS, "eegreader"])
@given(
    recording=RECORDINGS,
    live=st.booleans(),
    places=st.lists(st.integers(0, 10_000), max_size=20),
    damage=st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(b"0,|{}\n\r-9a\xff")), max_size=2),
)
def test_a_reader_gives_the_same_however_its_input_is_cut(
    name: str,
    recording: tuple[str, bytes],
    live: bool,
    places: list[int],
    damage: list[tuple[int, int]],
) -> None:
    text = bytearray(written(name, items_of(*recording, live=live)))
    for place, byte in damage:
        if text:
            text[place % len(text)] = byte
    whole = outcome(make_reader(name), [bytes(text)])
    assert outcome(make_reader(name), cuts(bytes(text), places)) == whole
    assert outcome(make_reader(name), [text[at : at + 1] for at in range(len(text))]) == whole


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("scale", [Scale(0.241, 511.5), Scale(1.001), Scale(0.0001, 0), Scale(123456.789)])
def test_microvolts_of_any_scale_give_the_counts_again(name: str, scale: Scale) -> None:
    data = b"".join(
        b"\xa5\x5a\x02" + bytes([count & 255]) + count.to_bytes(2, "big") * 6 + b"\xff"
        for count in range(1024)
    )
    text = written(name, items_of("p2", data), units="uv", scale=scale)
    spans = [span for span, _ in readings(make_reader(name, scale=scale), [text])]
    assert b"".join(span.data for span in spans if isinstance(span, Stretch)) == data


@pytest.mark.parametrize("name", TEXTS)
def test_packets_dated_by_their_counter_are_known_to_have_no_time_of_their_own(name: str) -> None:
    from tests.eeg.formats.recordings import p2_packet

    text = written(name, items_of("p2", p2_packet(1) + p2_packet(2)))
    (found,) = readings(make_reader(name), [text])
    times = found[1]
    assert times
    assert (list(times.wall_us), list(times.monotonic_us)) == ([], [])
    assert list(times.sampled_us) == [0, 3906]
