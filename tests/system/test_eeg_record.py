"""`kit eeg record`: what is left of a recording that was killed, had no room, or lost its device."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.eeg.recordings import xdf
from tests import disks
from tests.eeg.sources.ptys import Pty
from tests.system.terminal import at_terminal
from tests.system.test_eeg_read import packets

Kit = Callable[..., subprocess.CompletedProcess[str]]
Wait = Callable[..., None]

HEADER, RECORD = 2048, 6 * 512 + 306
QUICK = "sim:seed=7,speed=max,count=3000,fault=lost:rate=0.01"


def whole_records(path: Path) -> int:
    """How many records an EDF file says that it has; there are no fewer and no more."""
    told, beyond = records(path)
    assert beyond == 0
    return told


def records(path: Path) -> tuple[int, int]:
    """How many records an EDF file says that it has, and how many bytes there are beyond them."""
    data = path.read_bytes()
    told = int(data[236:244])
    return told, len(data) - (HEADER + told * RECORD)


@pytest.fixture
def recording(kit_program: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    with contextlib.ExitStack() as stack:

        def start(*arguments: str | Path, **options: object) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [kit_program, "eeg", "record", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                **options,  # type: ignore[call-overload]
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process  # type: ignore[no-any-return]

        yield start


@pytest.mark.parametrize("form", ["edf", "xdf", "txt"])
def test_a_capture_is_recorded_in_the_format_of_the_suffix(kit: Kit, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"out.{form}"
    done = kit("eeg", "record", str(path), QUICK)
    assert (done.returncode, done.stdout) == (0, "")
    told = "eegreader" if form == "txt" else form
    assert done.stderr == (
        f"kit: recorded into '{path}' ({told})\nkit: 2,971 packets in 11.7 s, 29 lost (0.97 %)\n"
    )
    if form == "edf":
        assert whole_records(path) == 12


def test_json_is_one_object(kit: Kit, tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    done = kit("eeg", "record", "--json", "--raw", str(path), QUICK)
    (record,) = map(json.loads, done.stdout.splitlines())
    assert [(Path(one["path"]).name, one["format"]) for one in record["files"]] == [
        ("out.edf", "edf"),
        ("out.raw", "raw"),
    ]
    assert (record["packets"], record["lost"], record["error"]) == (2971, 29, None)


def test_raw_beside_it_is_what_came_and_when(kit: Kit, tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    assert kit("eeg", "record", str(path), "sim:speed=20,count=600", "--raw").returncode == 0
    assert (tmp_path / "out.raw").stat().st_size == 600 * 17
    lines = (tmp_path / "out.times.csv").read_text().splitlines()
    assert lines[0] == "offset,time_us,monotonic_us"
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(0, 600 * 17, 17))


def test_what_read_prints_is_recorded_from_a_pipe(kit_program: str, kit: Kit, tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    text = kit("eeg", "read", "-f", "csv", QUICK).stdout
    done = kit("eeg", "record", str(path), stdin=text)
    assert "2,971 packets in 11.7 s, 29 lost" in done.stderr
    assert whole_records(path) == 12


@pytest.mark.parametrize("name", ["out.edf", "out.csv", "out.xdf"])
def test_a_killed_recording_has_all_but_the_second_in_progress(
    recording: Callable[..., subprocess.Popen[str]], wait_until: Wait, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    process = recording(path, "sim:seed=7,speed=8")
    wait_until(lambda: path.exists() and path.stat().st_size > 30_000, "some seconds of it")
    process.kill()
    process.wait()
    data = path.read_bytes()
    if name == "out.edf":
        # A record is written before it is counted.
        told, beyond = records(path)
        assert told >= 8
        assert 0 <= beyond <= RECORD
    elif name == "out.csv":
        assert data.endswith(b"\n")
    else:
        assert [chunk.end for chunk in xdf.chunks(data)][-1] == len(data)


@pytest.fixture
def small_disk(short_tmp: Path) -> Iterator[Path]:
    with disks.small_disk(short_tmp, 40) as disk:
        yield disk


def test_a_full_disk_leaves_a_whole_file_and_is_an_error(kit: Kit, small_disk: Path) -> None:
    path = small_disk / "out.edf"
    done = kit("eeg", "record", str(path), "sim:speed=max,count=10000")
    assert done.returncode == 69
    assert done.stderr.endswith(
        f"kit: error: no space left to record '{path}'\nkit: hint: what came before is written\n"
    )
    assert whole_records(path) == (40 * 1024 - HEADER) // RECORD


@pytest.mark.parametrize(
    ("name", "room"), [("out.edf", 1000), ("out.edf", 9_999), ("out.xdf", 9_999), ("out.csv", 9_999)]
)
def test_where_there_is_no_more_room_whole_units_stay(
    recording: Callable[..., subprocess.Popen[str]], tmp_path: Path, name: str, room: int
) -> None:
    """The limit on the size of a file stands in for the disk: part of a write is done, then none."""
    path = tmp_path / name
    process = recording(
        path,
        "sim:speed=max,count=10000",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    _, said = process.communicate(timeout=60)
    assert process.returncode == 69
    assert f"kit: error: no space left to record '{path}'\n" in said
    assert "Traceback" not in said
    if room < HEADER:
        assert not path.exists()
    elif name == "out.edf":
        assert whole_records(path) == (room - HEADER) // RECORD
    elif name == "out.xdf":
        data = path.read_bytes()
        assert [chunk.end for chunk in xdf.chunks(data)][-1] == len(data)
    else:
        assert path.read_bytes().endswith(b"\n")
        assert path.stat().st_size > room - 200


def test_an_unplugged_device_is_an_error_behind_all_that_it_sent(
    recording: Callable[..., subprocess.Popen[str]], wait_until: Wait, tmp_path: Path
) -> None:
    path, line = tmp_path / "out.edf", Pty()
    process = recording(path, line.path)
    wait_until(lambda: _sent(line, path), "a recording that began")
    line.unplug()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 69
    assert "the device is gone" in said
    assert whole_records(path) >= 1
    assert b"BAD_padded" in path.read_bytes()


def _sent(line: Pty, path: Path) -> bool:
    line.send(packets(range(60)))
    return path.exists() and path.stat().st_size > HEADER


def test_a_signal_ends_with_a_whole_file(
    recording: Callable[..., subprocess.Popen[str]], wait_until: Wait, tmp_path: Path
) -> None:
    path, number = tmp_path / "out.edf", signal.SIGTERM
    process = recording(path, "sim:speed=4")
    wait_until(lambda: path.exists() and path.stat().st_size > HEADER + RECORD, "a record")
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"recorded into '{path}'" in said
    assert whole_records(path) >= 2


def test_what_is_there_is_not_overwritten_unless_asked(kit: Kit, tmp_path: Path) -> None:
    path, part = tmp_path / "out.edf", tmp_path / "out-002.edf"
    path.write_text("dear diary")
    done = kit("eeg", "record", str(path), QUICK)
    assert (done.returncode, path.read_text()) == (2, "dear diary")
    assert done.stderr == f"kit: error: '{path}' exists\nkit: hint: --force overwrites it\n"
    assert kit("eeg", "record", "--force", str(path), "sim:speed=max,count=300").returncode == 0
    assert whole_records(path) == 2
    path.rename(part)
    done = kit("eeg", "record", str(path), QUICK)
    assert (done.returncode, path.exists()) == (2, False)
    assert f"'{part}' exists" in done.stderr


def test_a_recording_without_a_packet_leaves_no_file_and_an_old_one_as_it_was(
    kit: Kit, tmp_path: Path
) -> None:
    path = tmp_path / "out.edf"
    done = kit("eeg", "record", str(path), "-", stdin="noise")
    assert (done.returncode, path.exists()) == (76, False)
    assert "kit: nothing was recorded\n" in done.stderr
    path.write_text("dear diary")
    assert kit("eeg", "record", "--force", str(path), "-", stdin="noise").returncode == 76
    assert path.read_text() == "dear diary"


def test_nobody_else_records_into_the_same_file(
    recording: Callable[..., subprocess.Popen[str]], kit: Kit, wait_until: Wait, tmp_path: Path
) -> None:
    path = tmp_path / "out.edf"
    recording(path, "sim:")
    wait_until(path.exists, "the first recording")
    done = kit("eeg", "record", "--force", str(path), QUICK)
    assert done.returncode == 69
    assert "is being recorded by somebody else" in done.stderr


def test_a_directory_that_may_not_be_written_is_said(kit: Kit, tmp_path: Path) -> None:
    if not os.geteuid():
        done = kit("eeg", "record", "/proc/out.edf", QUICK)
        assert done.returncode == 69
    else:
        tmp_path.chmod(0o500)
        done = kit("eeg", "record", str(tmp_path / "out.edf"), QUICK)
        assert done.returncode == 77
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("/dev/ttyUSB0", "out.edf"), 2, "OUT comes first: kit eeg record OUT [SOURCE]"),
        (("out", "sim:"), 2, "give it a suffix"),
        (("-", "sim:"), 2, "'kit eeg read' writes to standard output"),
        (("/dev/full", "sim:", "--to", "edf", "--force"), 2, "'/dev/full' is no file"),
        (("out.raw", "sim:", "--raw"), 2, "--raw keeps the bytes beside"),
        (("nowhere/out.edf", "sim:"), 69, "no such file or directory"),
        (("out.edf", "nowhere"), 69, "no file or device 'nowhere'"),
        (("out.edf", "sim:", "--split", "1s"), 2, "no time like 30m"),
        (("out.edf", "sim:", "--birthdate", "1.2.1970"), 2, "no date like 1970-12-31"),
        (("out.edf", "sim:protocol=p3,channels=0,speed=max,count=99"), 2, "without channels"),
    ],
)
def test_what_makes_no_sense_is_refused(
    kit: Kit, tmp_path: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    with contextlib.chdir(tmp_path):
        done = kit("eeg", "record", *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_header_has_who_and_what_was_said_and_no_more(kit: Kit, tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    who = ("--patient", "P 7", "--sex", "F", "--birthdate", "1970-02-03", "--name", "Jane Doe")
    kit("eeg", "record", str(path), QUICK, *who, "--technician", "Me", "--labels", "Fp1,Fp2")
    header = path.read_bytes()[:HEADER]
    assert header[8:88].rstrip() == b"P_7 F 03-FEB-1970 Jane_Doe"
    assert header[88:168].startswith(b"Startdate X X Me kit-")
    assert header[256 : 256 + 48].split() == [b"EEG", b"Fp1", b"EEG", b"Fp2", b"EEG", b"ch3"]
    kit("eeg", "record", "--force", str(path), QUICK)
    assert path.read_bytes()[8:88].rstrip() == b"X X X X"


def test_parts_have_numbers(kit: Kit, tmp_path: Path) -> None:
    done = kit("eeg", "record", str(tmp_path / "out.edf"), "sim:speed=max,count=6000", "--split", "10s")
    assert done.returncode == 0
    names = ["out.edf", "out-002.edf", "out-003.edf"]
    assert [whole_records(tmp_path / name) for name in names] == [10, 10, 4]


def test_a_person_at_a_terminal_sees_how_it_goes(kit_program: str, tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    command = [kit_program, "eeg", "record", str(path), "sim:speed=4"]
    with at_terminal(command, {**os.environ, "TERM": "xterm"}) as person:
        person.wait_for("recording 00:00:0")
        person.type("\x03")
        assert person.end() == 130
    assert "recorded into" in person.seen


def test_the_doctor_mends_what_a_kill_left(kit: Kit, tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    kit("eeg", "record", str(path), QUICK)
    whole = path.read_bytes()
    path.write_bytes(whole[:236] + b"-1      " + whole[244:-100])
    done = kit("eeg", "doctor", str(path))
    assert done.returncode == 1
    assert "it says -1, and there are 11" in done.stdout
    assert f"$ kit eeg doctor --repair {path}" in done.stdout
    done = kit("eeg", "doctor", "--repair", str(path))
    assert done.returncode == 0
    assert done.stdout.endswith(f"mended: {RECORD - 100} bytes cut off, the number of records is now 11\n")
    assert whole_records(path) == 11
    done = kit("eeg", "doctor", "--json", str(path))
    assert done.returncode == 0
    assert json.loads(done.stdout)["repaired"] is False
    done = kit("eeg", "doctor", "--repair", "sim:")
    assert (done.returncode, "only a recording can be mended" in done.stderr) == (2, True)
