"""kit eeg read, as a person runs it: at a device, at a file, in a pipe, and where things go wrong."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kit.eeg import p2
from kit.eeg.records import Packet
from tests.eeg.sources.ptys import Pty, plug_in
from tests.peak import peak
from tests.peers import needs
from tests.system.terminal import at_terminal

Kit = Callable[..., subprocess.CompletedProcess[str]]
Wait = Callable[..., None]


def packets(numbers: Sequence[int]) -> bytes:
    return b"".join(
        p2.encode(Packet(0, 2, n & 255, (510, 511, 512, 513, 514, n % 1024), 15, 0)) for n in numbers
    )


def lines(numbers: Sequence[int]) -> list[str]:
    return [f"{n * 1_000_000 // 256}|2|{n & 255}|510|511|512|513|514|{n % 1024}|15" for n in numbers]


class Running:
    """A `kit eeg read` with its output in files, which a test can look at while it runs."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out = out
        self._err = err

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def end(self, signal_number: int | None = None) -> int:
        if signal_number:
            self.process.send_signal(signal_number)
        return self.process.wait(timeout=20)


@pytest.fixture
def reading(kit_program: str, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, **options: Any) -> Running:
            out, err = tmp_path / "out", tmp_path / "err"
            with out.open("wb") as stdout, err.open("wb") as stderr:
                process = subprocess.Popen(
                    [kit_program, "eeg", "read", *arguments],
                    stdin=subprocess.DEVNULL,
                    **{"stdout": stdout, "stderr": stderr, **options},
                )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return Running(process, out, err)

        yield start


@pytest.fixture
def line() -> Iterator[Pty]:
    made = Pty()
    yield made
    made.unplug()


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A file of 1000 packets, numbers 300 to 302 lost, with seven bytes of noise."""
    file = tmp_path / "capture.raw"
    file.write_bytes(packets(range(300)) + b"\xa5garbag" + packets(range(303, 1003)))
    return file


# --- formats


def test_a_file_gives_the_lines_of_eegreader_dated_by_the_counter(kit: Kit, capture: Path) -> None:
    done = kit("eeg", "read", str(capture))
    assert done.stdout.splitlines() == lines([*range(300), *range(303, 1003)])
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "kit: recognised P2, 6 channels",
        "kit: 1,000 packets in 3.9 s, 3 lost (0.30 %), 7 bytes skipped",
    ]


def test_the_same_file_always_gives_the_same_lines_and_start_moves_them(kit: Kit, capture: Path) -> None:
    once, again = (kit("eeg", "read", str(capture)).stdout for _ in range(2))
    assert once == again
    moved = kit("eeg", "read", "--start", "2021-05-26T13:09:07.347Z", str(capture)).stdout
    assert moved.startswith("1622034547347000|2|0|")
    assert kit("eeg", "read", "--start", "1622034547.347", str(capture)).stdout == moved


@pytest.mark.parametrize("source", ["file", "pipe"])
def test_raw_is_what_was_read_damage_included(
    kit_program: str, tmp_path: Path, capture: Path, source: str
) -> None:
    broken = capture.read_bytes()[5:-3]
    capture.write_bytes(broken)
    with capture.open("rb") as stdin:
        done = subprocess.run(
            [kit_program, "eeg", "read", "-f", "raw", str(capture) if source == "file" else "-"],
            stdin=stdin,
            capture_output=True,
            check=True,
            timeout=60,
        )
    assert done.stdout == broken


def test_a_person_at_a_terminal_sees_a_table(kit_program: str, line: Pty) -> None:
    with at_terminal(
        [kit_program, "eeg", "read", "-n", "4", line.path], {**os.environ, "TERM": "xterm"}
    ) as person:
        line.send(packets([0, 1, 4, 5]))
        assert person.end() == 0
    assert "|2|" not in person.seen
    assert "lost" in person.seen
    assert "4 packets" in person.seen


def test_json_is_ndjson_with_every_event(kit: Kit, capture: Path) -> None:
    done = kit("eeg", "read", "--json", str(capture))
    events = [json.loads(text) for text in done.stdout.splitlines()]
    assert done.stdout == kit("eeg", "read", "--format", "ndjson", str(capture)).stdout
    kinds = [event["event"] for event in events]
    assert kinds.count("packet") == 1000
    assert {"protocol", "lost", "skip", "end"} <= {*kinds}
    assert kinds[-1] == "end"


def test_json_and_another_format_exclude_each_other(kit: Kit, capture: Path) -> None:
    done = kit("eeg", "read", "--json", "-f", "csv", str(capture))
    assert (done.returncode, done.stdout) == (2, "")


def test_microvolts_come_with_a_word_on_where_they_come_from(kit: Kit, capture: Path) -> None:
    done = kit("eeg", "read", "-f", "csv", "--units", "uv", "-n", "1", str(capture))
    head, row = (text.split(",") for text in done.stdout.splitlines())
    assert row[head.index("ch1_uv")] in ("-1", "-1.0")
    assert "0.5 µV per count, zero at 512: nominal" in done.stderr
    given = kit("eeg", "read", "-f", "csv", "--units", "uv", "--uv-per-count", "2", "-n", "1", str(capture))
    assert "2 µV per count, zero at 512: as given" in given.stderr


@pytest.mark.parametrize("form", ["eegreader", "raw"])
def test_formats_that_have_no_microvolts_refuse_them(kit: Kit, capture: Path, form: str) -> None:
    done = kit("eeg", "read", "--units", "uv", "-f", form, str(capture))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"kit: error: the format '{form}' has counts, not microvolts\nkit: hint: add --format csv\n"
    )


def test_a_scale_without_microvolts_is_refused(kit: Kit, capture: Path) -> None:
    done = kit("eeg", "read", "--uv-per-count", "0.5", str(capture))
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--rate", "0"),
        ("--rate", "1/0"),
        ("--rate", "nan"),
        ("--start", "yesterday"),
        ("--start", "1622034547374070"),
        ("--duration", "nan"),
        ("--duration", "0"),
        ("--fail-above", "101"),
        ("--count", "0"),
        ("--baud", "1"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(kit: Kit, capture: Path, wrong: tuple[str, str]) -> None:
    done = kit("eeg", "read", *wrong, str(capture))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kit: error: ")


# --- ends by wish


@pytest.mark.parametrize("form", ["eegreader", "csv", "tsv", "ndjson", "raw"])
@pytest.mark.parametrize("count", [1, 299, 300, 301, 999])
def test_a_count_is_exact_in_every_format(kit_program: str, capture: Path, form: str, count: int) -> None:
    command = [kit_program, "eeg", "read", "-f", form, "-n", str(count), str(capture)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    found = {
        "raw": done.stdout.count(b"\xa5\x5a\x02"),
        "ndjson": done.stdout.count(b'"event":"packet"'),
        "eegreader": done.stdout.count(b"\n"),
    }
    assert found.get(form, done.stdout.count(b"\n") - 1) == count
    assert f"{count:,} packet" in done.stderr.decode()


def test_a_count_ends_a_live_capture_in_the_middle_of_a_read(
    reading: Callable[..., Running], line: Pty
) -> None:
    line.send(packets(range(100)))
    running = reading("-n", "30", line.path)
    assert running.end() == 0
    assert len(running.out.splitlines()) == 30


def test_the_duration_of_a_file_is_counted_in_packets(kit: Kit, capture: Path) -> None:
    done = kit("eeg", "read", "--duration", "0.5", str(capture))
    assert len(done.stdout.splitlines()) == 128


def test_the_duration_of_a_device_ends_it_though_it_is_silent(
    reading: Callable[..., Running], line: Pty
) -> None:
    line.send(packets(range(10)))
    running = reading("--duration", "0.3", line.path)
    assert running.end() == 0
    assert len(running.out.splitlines()) == 10


@pytest.mark.parametrize(("allowed", "status"), [("0.29", 1), ("0.3", 0), ("100", 0)])
def test_more_loss_than_allowed_is_status_1(kit: Kit, capture: Path, allowed: str, status: int) -> None:
    done = kit("eeg", "read", "--fail-above", allowed, str(capture))
    assert done.returncode == status
    assert len(done.stdout.splitlines()) == 1000
    assert ("0.299 % of the packets were lost" in done.stderr) is bool(status)


# --- a device


def test_each_packet_is_printed_when_it_comes(
    reading: Callable[..., Running], line: Pty, wait_until: Wait
) -> None:
    running = reading(line.path)
    for count in (5, 6, 8):  # 64 bytes are needed until the protocol is known
        line.send(packets(range(len(running.out.splitlines()), count)))
        wait_until(lambda count=count: len(running.out.splitlines()) == count, f"line {count}")
    assert running.end(signal.SIGINT) == 130


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_a_summary(
    reading: Callable[..., Running], line: Pty, wait_until: Wait, number: int, status: int
) -> None:
    running = reading(line.path)
    line.send(packets(range(20)) + packets([20])[:7])
    wait_until(lambda: running.out.count("\n") == 20, "twenty lines")
    assert running.end(number) == status
    assert running.out.count("\n") == 20
    assert "kit: 20 packets in " in running.err
    assert "7 bytes skipped" in running.err
    assert "Traceback" not in running.err


@pytest.mark.parametrize("megabytes", [0, 0.3, 1, 3, 10])
def test_ctrl_c_at_any_moment_leaves_a_complete_last_line(
    reading: Callable[..., Running], tmp_path: Path, wait_until: Wait, megabytes: float
) -> None:
    running = reading("sim:speed=max")
    out = tmp_path / "out"
    wait_until(lambda: out.stat().st_size > megabytes * 1e6, f"{megabytes} MB", 60)
    assert running.end(signal.SIGINT) == 130
    rows = running.out.splitlines()
    assert running.out.endswith("\n")
    assert {text.count("|") for text in rows} == {9}
    assert f"kit: {len(rows):,} packets in " in running.err


def test_a_second_ctrl_c_ends_what_a_reader_holds_up(
    reading: Callable[..., Running], tmp_path: Path, wait_until: Wait
) -> None:
    file = tmp_path / "large.raw"
    file.write_bytes(packets(range(20_000)))
    running = reading(str(file), stdout=subprocess.PIPE)
    process = running.process
    wait_until(lambda: _waits_in_write(process.pid), "a full pipe")
    process.send_signal(signal.SIGINT)
    wait_until(lambda: _waits_in_write(process.pid), "the write to go on")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert process.stdout
    process.stdout.close()


def _waits_in_write(pid: int) -> bool:
    """Does it sleep in write(1, …), system call 1 on x86-64 and 64 on arm64, with all signals handled?"""
    status = Path(f"/proc/{pid}/status").read_text()
    if not re.search(r"^ShdPnd:\s0+$", status, re.MULTILINE):
        return False
    return Path(f"/proc/{pid}/syscall").read_text().split()[:2] in (["1", "0x1"], ["64", "0x1"])


def test_ctrl_c_that_the_shell_ignores_for_a_background_job_is_ignored(
    reading: Callable[..., Running], line: Pty, wait_until: Wait
) -> None:
    running = reading(line.path, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    line.send(packets(range(4)))
    wait_until(lambda: running.out.count("\n") == 4, "four lines")
    running.process.send_signal(signal.SIGINT)
    line.send(packets([4]))
    wait_until(lambda: running.out.count("\n") == 5, "another line")
    assert running.end(signal.SIGTERM) == 143


def test_an_unplugged_device_is_an_error_after_everything_is_written(
    reading: Callable[..., Running], line: Pty, wait_until: Wait
) -> None:
    running = reading(line.path)
    line.send(packets(range(50)))
    wait_until(lambda: running.out.count("\n") == 50, "fifty lines")
    line.unplug()
    assert running.end() == 69
    assert running.out.count("\n") == 50
    *_, summary, error, hint = running.err.splitlines()
    assert summary.startswith("kit: 50 packets in ")
    assert error.startswith(f"kit: error: '{line.path}': the device is gone")
    assert "--reconnect" in hint


def _sending(line: Pty, first: int) -> Callable[[], None]:
    """Call it often: it sends the packets from `first` on that are due."""
    begun_s, sent = time.monotonic(), 0

    def send() -> None:
        nonlocal sent
        due = int((time.monotonic() - begun_s) * 256)
        line.send(packets(range(first + sent, first + due)))
        sent = due

    return send


def test_reconnect_waits_for_the_device_and_marks_the_gap(
    reading: Callable[..., Running], tmp_path: Path, wait_until: Wait
) -> None:
    link = tmp_path / "board"
    first = plug_in(link)
    running = reading("--reconnect", "--json", str(link))

    def received(send: Callable[[], None], count: int) -> bool:
        send()
        return running.out.count('"packet"') >= count

    send = _sending(first, 0)
    wait_until(lambda: received(send, 100), "a hundred packets")
    first.unplug()
    wait_until(lambda: "the device is gone" in running.err, "the note")
    before = running.out.count('"packet"')
    second = plug_in(link)
    send = _sending(second, 1000)
    # Whether packets were lost in between is known when the line has gone on for most of a second.
    wait_until(lambda: received(send, before + 50), "more packets")
    assert running.end(signal.SIGINT) == 130
    second.unplug()
    events = [json.loads(text) for text in running.out.splitlines()]
    kinds = [event["event"] for event in events]
    at = kinds.index("interrupted")
    assert kinds.count("interrupted") == 1
    assert kinds[:at].count("packet") == before
    assert kinds[at:].index("packet") > 1  # what the gap was stands before the packets behind it
    assert kinds[-1] == "end"
    assert f"kit: '{link}' is there" in running.err


def test_reconnect_waits_for_a_device_that_is_not_there_yet(
    reading: Callable[..., Running], tmp_path: Path, wait_until: Wait
) -> None:
    link = tmp_path / "board"
    running = reading("--reconnect", "-n", "5", str(link))
    wait_until(lambda: "waiting: no file or device" in running.err, "the note")
    board = plug_in(link)
    board.send(packets(range(5)))
    assert running.end() == 0
    board.unplug()


def test_a_port_in_use_is_refused_with_the_name_of_who_has_it(
    reading: Callable[..., Running], kit: Kit, line: Pty, wait_until: Wait
) -> None:
    running = reading(line.path)
    line.send(packets(range(4)))
    wait_until(lambda: running.out, "a line")
    done = kit("eeg", "read", line.path)
    assert (done.returncode, done.stdout) == (69, "")
    assert "in use" in done.stderr
    assert str(running.process.pid) in done.stderr
    assert running.end(signal.SIGINT) == 130


def test_a_device_of_others_is_not_permitted(kit_program: str, line: Pty) -> None:
    needs("setpriv")
    os.chmod(line.path, 0)  # noqa: PTH101 - a device
    no_capability = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*no_capability, kit_program, "eeg", "read", line.path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (77, "")
    assert "kit: hint: " in done.stderr


def test_no_device_of_that_name(kit: Kit) -> None:
    done = kit("eeg", "read", "/dev/ttyUSB99")
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr.startswith("kit: error: no file or device '/dev/ttyUSB99'\nkit: hint: ")


def test_a_silent_device_is_remarked(reading: Callable[..., Running], line: Pty, wait_until: Wait) -> None:
    running = reading(line.path)
    wait_until(lambda: f"kit: no bytes from '{line.path}' yet" in running.err, "the remark")
    assert running.end(signal.SIGINT) == 130


def test_noise_is_remarked_with_another_speed_to_try(
    reading: Callable[..., Running], line: Pty, wait_until: Wait
) -> None:
    running = reading(line.path)
    noise = random.Random(7)
    for _ in range(9):
        line.send(noise.randbytes(1000))
    remark = f"kit: bytes come from '{line.path}', but no packet: a wrong speed? try --baud 115200"
    wait_until(lambda: remark in running.err, "the remark")
    line.unplug()
    assert running.end() == 69


def test_noise_till_the_end_of_the_duration_is_no_eeg(reading: Callable[..., Running], line: Pty) -> None:
    line.send(random.Random(8).randbytes(500))
    running = reading("--duration", "0.3", line.path)
    assert running.end() == 76
    assert "is not an OpenEEG stream: no packet in 500 bytes\nkit: hint: a wrong speed?" in running.err


def test_a_device_is_dated_by_the_clock_and_not_by_start(kit: Kit, line: Pty) -> None:
    done = kit("eeg", "read", "--start", "0.5", line.path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--start" in done.stderr


# --- files that are none


def test_the_rest_of_a_cut_packet_is_told(kit: Kit, capture: Path) -> None:
    capture.write_bytes(packets(range(10)) + packets([10])[:9])
    done = kit("eeg", "read", str(capture))
    assert done.returncode == 0
    assert "kit: 10 packets in 0.0 s, none lost by the counter, 9 bytes skipped\n" in done.stderr


def test_an_empty_file_and_an_empty_pipe_are_not_available(kit: Kit, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for done in (kit("eeg", "read", str(empty)), kit("eeg", "read", "-", stdin="")):
        assert (done.returncode, done.stdout) == (69, "")
        assert "kit: error: " in done.stderr


def test_a_foreign_file_is_not_openeeg(kit: Kit) -> None:
    done = kit("eeg", "read", sys.executable)
    assert (done.returncode, done.stdout) == (76, "")
    assert f"kit: error: '{sys.executable}' is not an OpenEEG stream: no packet in " in done.stderr


@pytest.mark.parametrize("form", ["eegreader", "csv", "ndjson"])
def test_a_text_of_kit_is_not_openeeg_and_the_hint_says_who_reads_it(
    kit: Kit, capture: Path, tmp_path: Path, form: str
) -> None:
    text = tmp_path / "text"
    text.write_text(kit("eeg", "read", "-f", form, str(capture)).stdout)
    done = kit("eeg", "read", str(text))
    assert done.returncode == 76
    assert f"kit: hint: it looks like {form}: 'kit eeg stats' and 'kit eeg convert' read that" in done.stderr


def test_a_closed_standard_input_is_said(kit_program: str) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" eeg read - <&-', kit_program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_a_closed_standard_output_is_said(kit_program: str, capture: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" eeg read "$1" >&-', kit_program, str(capture)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 69
    assert done.stderr == "kit: error: standard output is closed\n"


def test_random_bytes_take_little_memory_and_are_not_openeeg(kit_program: str, tmp_path: Path) -> None:
    file = tmp_path / "random"
    file.write_bytes(random.Random(9).randbytes(16 << 20))
    process = subprocess.Popen(
        [kit_program, "eeg", "read", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (76, b"")
    assert b"is not an OpenEEG stream: no packet in 16,777,216 bytes" in err
    assert b"16,777,216 bytes skipped" in err


@pytest.mark.parametrize("kind", ["packets", "random"])
def test_memory_does_not_grow_with_the_file(kit_program: str, tmp_path: Path, kind: str) -> None:
    peaks = []
    for megabytes in (1, 12):
        file = tmp_path / f"{megabytes}.raw"
        chance = random.Random(10)
        block = packets(range(61_440)) if kind == "packets" else chance.randbytes(1 << 20)
        file.write_bytes(block * megabytes)
        peaks.append(peak([kit_program, "eeg", "read", str(file)])[0])
    assert peaks[1] < peaks[0] + 4096
    assert peaks[1] < 60 * 1024


# --- places that take no more


def test_a_full_disk_is_an_error_that_says_how_much_was_written(kit_program: str, capture: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [kit_program, "eeg", "read", str(capture)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 69
    assert "kit: 0 packets were written\n" in done.stderr
    assert done.stderr.endswith("kit: error: no space left to write the result\n")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["eegreader", "csv", "ndjson", "raw", "table"])
def test_what_a_disk_took_before_it_was_full_is_counted(
    kit_program: str, capture: Path, tmp_path: Path, form: str
) -> None:
    """The limit on the size of a file stands in for the disk: part of a write is done, then none."""
    limit = 9_999
    out = tmp_path / "out"
    with out.open("wb") as stdout:
        done = subprocess.run(
            [kit_program, "eeg", "read", "-f", form, str(capture)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
    data = out.read_bytes()
    assert len(data) == limit
    complete = data[: data.rfind(b"\n") + 1]
    written = {
        "eegreader": complete.count(b"\n"),
        "csv": complete.count(b"\n") - 1,
        "ndjson": complete.count(b'"event":"packet"'),
        "raw": (limit - 7) // 17,
        "table": None,
    }[form]
    assert done.returncode == 69
    if written is not None:
        assert f"kit: {written:,} packets were written\n" in done.stderr
    assert done.stderr.endswith("kit: error: cannot write the result: file too large\n")


@pytest.mark.parametrize("source", ["sim:speed=max", "sim:speed=50"])
def test_a_reader_that_leaves_ends_it_quietly(kit_program: str, source: str) -> None:
    done = subprocess.run(
        [
            "bash",
            "-c",
            '"$0" eeg read --protocol p2 "$1" | head -n 3; exit "${PIPESTATUS[0]}"',
            kit_program,
            source,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 141
    assert done.stdout.count("\n") == 3
    assert done.stderr == ""


# --- what it takes


def test_reading_a_file_loads_neither_a_serial_port_nor_a_terminal(capture: Path) -> None:
    program = (
        "import sys; from kit.cli.main import root\n"
        "status = root.main(['eeg', 'read', sys.argv[1]], prog_name='kit')\n"
        "print('loaded:', *sys.modules, file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(capture)], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {*done.stderr.partition("loaded:")[2].split()}
    assert "kit.eeg.capture" in loaded
    foreign = {"serial", "rich", "asyncio", "ssl", "socket", "subprocess", "logging"}
    assert loaded & foreign == set()
