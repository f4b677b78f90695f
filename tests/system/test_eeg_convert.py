"""`kit eeg convert`: files, pipes, what goes wrong, and what is left then."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.cli.eeg.convert import convert
from kit.eeg import open as open_stream
from kit.eeg.batch import Mark
from kit.eeg.formats import READ, RECORDED, WRITTEN
from tests.eeg.formats.recordings import p2_packet
from tests.eeg.recordings.recorded import START_US, encoded, files
from tests.eeg.recordings.test_edf_encoder import runs
from tests.peak import peak

Kit = Callable[..., subprocess.CompletedProcess[str]]

RECORDING = b"".join(p2_packet(number) for number in (1, 2, 3, 7, 8)) + b"noise" + p2_packet(9)
SUMMARY = "kit: 6 packets in 0.0 s, 3 lost (33.33 %), 5 bytes skipped\n"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "rec.p2"
    path.write_bytes(RECORDING)
    return path


@pytest.mark.parametrize(
    "name", ["a.csv", "a.tsv", "a.ndjson", "a.jsonl", "a.txt", "a.eeg", "a.LOG", "a.bin"]
)
def test_the_suffix_says_the_format(kit: Kit, recording: Path, name: str) -> None:
    text, back = recording.with_name(name), recording.with_name("back.raw")
    done = kit("eeg", "convert", str(recording), str(text))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", SUMMARY)
    done = kit("eeg", "convert", str(text), str(back))
    assert done.returncode == 0, done.stderr
    kept = name in ("a.ndjson", "a.jsonl", "a.bin")
    assert back.read_bytes() == (RECORDING if kept else RECORDING.replace(b"noise", b""))
    assert text.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_raw_says_what_it_cannot_carry(kit: Kit, recording: Path) -> None:
    text = recording.with_suffix(".csv")
    kit("eeg", "convert", str(recording), str(text))
    done = kit("eeg", "convert", str(text), str(recording.with_suffix(".raw")))
    assert done.stderr == SUMMARY + "kit: 5 skipped bytes are left out: csv tells only how many\n"
    lines = "1622034547374070|2|10|519|510|505|500|493|487|7\n"
    done = kit("eeg", "convert", "-", str(recording.with_suffix(".raw")), stdin=lines)
    assert "kit: raw bytes carry no times: those of the packets are left out\n" in done.stderr


def test_json_is_one_object_beside_the_result(kit: Kit, recording: Path) -> None:
    done = kit("eeg", "convert", "--json", "--to", "csv", str(recording), "-")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 7
    assert json.loads(done.stderr) == {
        "from": "raw",
        "to": "csv",
        "packets": 6,
        "lost": 3,
        "lost_low": 3,
        "lost_high": 3,
        "skipped": 5,
        "duplicates": 0,
        "reordered": 0,
        "restarts": 0,
        "duration_us": 35156,
        "times_left_out": False,
        "skipped_left_out": 0,
        "marks_left_out": 0,
    }


def test_pipes_and_given_formats(kit_program: str, recording: Path) -> None:
    made = subprocess.run(
        [kit_program, "eeg", "convert", "--from", "raw", "--to", "table", "-", "-"],
        input=RECORDING,
        capture_output=True,
        check=True,
    )
    assert b"-- 3 packets lost --\n" in made.stdout
    assert b"-- 5 bytes skipped: 6e 6f 69 73 65 --\n" in made.stdout
    back = subprocess.run(
        [kit_program, "eeg", "convert", "--to", "raw", "-", "-"],
        input=made.stdout,
        capture_output=True,
        check=True,
    )
    assert back.stdout == RECORDING


def test_microvolts_say_where_their_figure_comes_from(kit: Kit, recording: Path) -> None:
    done = kit(
        "eeg", "convert", "--units", "uv", "--uv-per-count", "0.241", "--to", "csv", str(recording), "-"
    )
    assert done.stdout.splitlines()[1].split(",")[6:12] == [
        "-123.392",
        "-123.151",
        "-0.241",
        "0",
        "0.241",
        "123.151",
    ]
    assert "0.241 µV per count, zero at 512" in done.stderr


@pytest.mark.parametrize("link", [os.symlink, os.link, None])
def test_a_file_is_not_converted_into_itself(
    kit: Kit, recording: Path, link: Callable[[Path, Path], None] | None
) -> None:
    other = recording.with_name("other.csv")
    if link:
        link(recording, other)
    else:
        other = recording
    done = kit("eeg", "convert", str(recording), str(other))
    assert done.returncode == 2
    assert done.stderr == f"kit: error: '{recording}' and '{other}' are the same file\n"
    assert recording.read_bytes() == RECORDING


def test_nor_by_way_of_the_shell(kit_program: str, recording: Path) -> None:
    with recording.open("rb") as source, recording.open("ab") as target:
        done = subprocess.run(
            [kit_program, "eeg", "convert", "--to", "csv", "-", "-"],
            stdin=source,
            stdout=target,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert recording.read_bytes() == RECORDING


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 69, "is empty"),
        (b"hello\n", 76, "is not an OpenEEG stream, nor a text that kit reads"),
        (bytes(100), 76, "is not an OpenEEG stream: no packet in 100 bytes"),
        (b"counter,ch1\n1,2\n", 76, "line 2: no protocol has version 3 and 1 channels"),
    ],
)
def test_a_file_that_is_none_leaves_what_was_there(
    kit: Kit, tmp_path: Path, content: bytes, status: int, message: str
) -> None:
    source, target = tmp_path / "in", tmp_path / "out.csv"
    source.write_bytes(content)
    target.write_text("kept")
    done = kit("eeg", "convert", str(source), str(target))
    assert done.returncode == status
    assert message in done.stderr
    assert target.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.csv"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("missing.p2", "out.csv"), 69, "cannot read 'missing.p2': no such file or directory"),
        ((".", "out.csv"), 69, "cannot read '.': is a directory"),
        (("rec.p2", "no/such/out.csv"), 69, "cannot write 'no/such/out.csv': no such file or directory"),
        (("rec.p2", "out.doc"), 2, "nothing says which format 'out.doc' is to have"),
        (("rec.p2", "-"), 2, "nothing says which format '-' is to have"),
        (("rec.p2", "/dev/full", "--to", "csv"), 69, "cannot write '/dev/full': no space left on device"),
    ],
)
def test_what_cannot_be_done_is_said(
    kit: Kit, recording: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    with contextlib.chdir(recording.parent):
        done = kit("eeg", "convert", *arguments)
    assert (done.returncode, done.stderr.splitlines()[0]) == (status, f"kit: error: {message}")
    assert [path.name for path in recording.parent.iterdir()] == ["rec.p2"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_no_half_file(
    kit_program: str, tmp_path: Path, wait_until: Callable[..., None], number: int, status: int
) -> None:
    target = tmp_path / "out.csv"
    with subprocess.Popen(
        [kit_program, "eeg", "convert", "-", str(target)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        process.stdin.write(RECORDING)
        process.stdin.flush()
        wait_until(lambda: [*tmp_path.iterdir()], "the file that is being written")
        process.send_signal(number)
        assert process.wait(10) == status
        process.stdin.close()
    assert [*tmp_path.iterdir()] == []


def _pieces(packets: int) -> Iterator[bytes]:
    period = b"".join(p2_packet(number) for number in range(256))
    for _ in range(packets // 256):
        yield period


@pytest.mark.parametrize("target", ["csv", "ndjson"])
def test_a_long_recording_takes_no_more_memory_than_a_short_one(
    kit_program: str, tmp_path: Path, target: str
) -> None:
    def memory_kib(source: Path, target: Path) -> int:
        found, status = peak([kit_program, "eeg", "convert", str(source), str(target)])
        assert status == 0
        return found

    taken: list[int] = []
    for packets in (51_200, 512_000):
        source, text = tmp_path / f"{packets}.p2", tmp_path / f"{packets}.{target}"
        with source.open("wb") as file:
            file.writelines(_pieces(packets))
        taken.append(memory_kib(source, text))
        taken.append(memory_kib(text, tmp_path / "back.raw"))
        assert (tmp_path / "back.raw").read_bytes() == source.read_bytes()
    assert max(taken[2:]) < max(taken[:2]) + 10_000


def test_the_options_offer_every_format() -> None:
    choices = {
        option.name: option.type.choices for option in convert.params if hasattr(option.type, "choices")
    }
    assert tuple(choices["source_format"]) == READ
    assert tuple(choices["target_format"]) == (*WRITTEN, *RECORDED)


@pytest.mark.parametrize("form", RECORDED)
def test_a_recording_holds_the_packets_and_stats_finds_its_losses(
    kit: Kit, recording: Path, form: str
) -> None:
    path, back = recording.with_suffix(f".{form}"), recording.with_name("back.raw")
    done = kit("eeg", "convert", str(recording), str(path), "--units", "uv", "--uv-per-count", "0.25")
    assert done.returncode == 0
    assert f"kit: 5 skipped bytes are left out: {form} has no place for them\n" in done.stderr
    done = kit("eeg", "convert", str(path), str(back))
    assert (done.returncode, back.read_bytes()) == (0, RECORDING.replace(b"noise", b""))
    report = json.loads(kit("eeg", "stats", "--json", str(path)).stdout)
    assert (report["format"], report["packets"], report["lost"], report["rate_hz"]) == (form, 6, 3, None)
    assert report["scale"] == {"uv_per_count": 0.25, "zero": 512, "origin": "given"}
    text = kit("eeg", "convert", str(path), "-", "--to", "csv", "--units", "uv").stdout
    assert text.splitlines()[1].split(",")[6] == "-128"


def test_marks_go_from_recording_to_recording_and_a_text_has_no_place_for_them(
    kit: Kit, tmp_path: Path
) -> None:
    first = tmp_path / "first.xdf"
    notes = [Mark(START_US + 1_000_000, "eyes closed"), Mark(START_US + 2_000_000, "eyes open")]
    first.write_bytes(*files(encoded("xdf", [runs(range(900))], notes=notes)))
    path = first
    for name in ("second.edf", "third.bdf", "fourth.xdf"):
        done = kit("eeg", "convert", "--json", str(path), str(tmp_path / name))
        assert (done.returncode, json.loads(done.stderr)["marks_left_out"]) == (0, 0)
        path = tmp_path / name
    with open_stream(str(path), form=None) as stream:
        assert sum(1 for _ in stream.packets()) == 900
        assert [(round(mark.time_us, -1), mark.text) for mark in stream.marks] == [
            (round(note.time_us, -1), note.text) for note in notes
        ]
    done = kit("eeg", "convert", str(path), str(tmp_path / "fifth.csv"))
    assert "kit: 2 marks are left out: csv has no place for them\n" in done.stderr


def test_a_recording_in_parts_is_converted_whole_or_not_at_all(kit: Kit, tmp_path: Path) -> None:
    text = tmp_path / "rec.ndjson"
    done = kit("eeg", "record", str(text), "sim:speed=max,count=6000,fault=lost:at=3:burst=2700")
    assert done.returncode == 0
    done = kit("eeg", "convert", str(text), str(tmp_path / "out.edf"))
    assert done.returncode == 0
    assert {path.name for path in tmp_path.glob("*.edf")} == {"out.edf"}
    done = kit("eeg", "convert", str(text), "/dev/full", "--to", "edf")
    assert (done.returncode, done.stderr) == (
        2,
        "kit: error: edf is written into a file, not into a pipe or a device\n",
    )
