"""A recording that was cut anywhere is found, and mended without the loss of anything whole."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import ProtocolError, Unavailable
from kit.eeg.recordings import xdf
from kit.eeg.recordings.checking import check
from kit.eeg.recordings.repairing import look, mend, recording_form
from tests.eeg.formats.recordings import p2_packet
from tests.eeg.recordings.recorded import recorded
from tests.eeg.recordings.test_edf_encoder import HEADER, RECORD

DATA = b"".join(p2_packet(number % 256, [number % 1024] * 6) for number in range(700))
(EDF,) = recorded("edf", DATA)
(XDF,) = recorded("xdf", DATA)


def test_what_is_whole_is_found_whole() -> None:
    for form, data in (("edf", EDF), ("bdf", recorded("bdf", DATA)[0]), ("xdf", XDF), ("csv", b"a\n")):
        assert check(form, data).faults == ()


def test_edf_cut_at_every_byte_is_mended_to_its_whole_records() -> None:
    for cut in range(len(EDF)):
        if cut < HEADER:
            with pytest.raises(ProtocolError, match="cut or damaged"):
                check("edf", EDF[:cut])
            continue
        found = check("edf", EDF[:cut])
        records = (cut - HEADER) // RECORD
        assert (found.records, found.whole, found.torn) == (
            records,
            HEADER + records * RECORD,
            (cut - HEADER) % RECORD,
        )
        assert "count" in found.faults


def test_xdf_cut_at_every_byte_is_mended_to_its_whole_chunks() -> None:
    (file,) = recorded("xdf", DATA[: 20 * 17])
    ends = [chunk.end for chunk in xdf.chunks(file)]
    for cut in range(ends[0], len(file)):
        found = check("xdf", file[:cut])
        whole = max(end for end in ends if end <= cut)
        assert (found.whole, found.torn, found.damaged) == (whole, cut - whole, 0)


@pytest.mark.parametrize("count", [b"-1      ", b"0       ", b"99      "])
@pytest.mark.parametrize("torn", [0, 1, 1400])
def test_a_wrong_count_is_entered_and_a_tail_cut_off(tmp_path: Path, count: bytes, torn: int) -> None:
    path = tmp_path / "out.edf"
    path.write_bytes(EDF[:236] + count + EDF[244:] + EDF[HEADER : HEADER + torn])
    form = recording_form(str(path))
    assert form == "edf"
    before = mend(str(path), form)
    assert (before.torn, before.told) == (torn, int(count))
    assert path.read_bytes() == EDF
    assert look(str(path), form).faults == ()


def test_a_record_for_which_there_is_only_room_is_none(tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    path.write_bytes(EDF + bytes(2 * RECORD))
    mend(str(path), "edf")
    assert path.read_bytes() == EDF


def test_damage_within_xdf_is_told_and_left_alone(tmp_path: Path) -> None:
    (longer,) = recorded("xdf", 5 * DATA)
    path = tmp_path / "out.xdf"
    at = [chunk.end for chunk in xdf.chunks(longer)][8]
    damaged = longer[:at] + b"?" * 30 + longer[at + 30 :]
    path.write_bytes(damaged)
    found = mend(str(path), "xdf")
    assert (found.faults, found.torn) == (("damaged",), 0)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    ("form", "tail", "torn"),
    [
        ("csv", b"1,2", 3),
        ("ndjson", b'{"event":"packet"}', 0),
        ("ndjson", b'{"event":', 9),
        ("eegreader", b"", 0),
    ],
)
def test_a_cut_line_is_told_from_a_whole_one(form: str, tail: bytes, torn: int) -> None:
    assert check(form, b"a line\n" + tail).torn == torn


@given(form=st.sampled_from(["edf", "bdf", "xdf"]), at=st.integers(0, 4000), junk=st.binary(max_size=60))
def test_whatever_is_in_a_file_nothing_but_its_end_is_cut(form: str, at: int, junk: bytes) -> None:
    data = (EDF if form != "xdf" else XDF)[:8000]
    data = data[:at] + junk + data[at + len(junk) :]
    try:
        found = check(form, data)
    except ProtocolError:
        return
    assert 0 <= found.torn <= len(data)
    assert found.whole + found.torn == len(data)


def test_a_recording_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    path.write_bytes(EDF[:-1])
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for act in (look, mend):
            with pytest.raises(Unavailable, match="is being recorded"):
                act(str(path), "edf")
    assert path.read_bytes() == EDF[:-1]


@pytest.mark.parametrize("name", ["/dev/null", "/nowhere", "", "sim:"])
def test_what_is_no_file_is_no_recording(name: str) -> None:
    assert recording_form(name) is None
