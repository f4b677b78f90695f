"""kit eeg stats as a person runs it: at files, in pipes, at a terminal, and where things go wrong."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.eeg import p2
from kit.eeg.records import Packet
from tests.eeg.sources.ptys import Pty, kept_open
from tests.peak import peak
from tests.system.terminal import at_terminal

Kit = Callable[..., subprocess.CompletedProcess[str]]
Wait = Callable[..., None]

# What the author of eegreader found in his captures: of 52 to 5d every second one or so was missing.
_BLOG = [counter for counter in range(0x52, 0x5E) if counter not in (0x53, 0x56, 0x58, 0x5A, 0x5C)]


def _packets(numbers: list[int] | range) -> bytes:
    return b"".join(
        p2.encode(Packet(0, 2, n & 255, (510, 511, 512, 513, 514, n % 1024), 15, 0)) for n in numbers
    )


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], str]:
    def make(data: bytes) -> str:
        path = tmp_path / "capture"
        path.write_bytes(data)
        return str(path)

    return make


@pytest.fixture
def stats(kit: Kit) -> Callable[..., dict[str, Any]]:
    """The object that --json prints, and nothing else."""

    def run(*arguments: str) -> dict[str, Any]:
        done = kit("eeg", "stats", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        (line,) = done.stdout.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found

    return run


def test_the_blogs_sample_is_five_of_twelve(kit: Kit, file: Callable[[bytes], str]) -> None:
    path = file(_packets(_BLOG))
    done = kit("eeg", "stats", path)
    assert done.returncode == 0
    assert "packets  7 received, 12 expected" in done.stdout
    assert "lost     5 (41.7 %; 95 % bounds 19 to 68 %)" in done.stdout
    assert "gaps     5: 5x1" in done.stdout
    assert done.stdout.splitlines()[-2:] == [
        "- too few losses to tell where they come from",
        "  (5 gaps, each of 1 packet, 5 gaps with nothing in their place)",
    ]
    assert done.stderr == ""


def test_the_same_packets_in_every_format_have_the_same_figures(
    kit_program: str, stats: Callable[..., dict[str, Any]], file: Callable[[bytes], str], tmp_path: Path
) -> None:
    path = file(_packets([n for n in range(700) if n % 90]))
    raw = stats(path)
    for form in ("eegreader", "csv", "tsv", "ndjson", "table", "raw"):
        text = tmp_path / form
        with text.open("wb") as out:
            subprocess.run(
                [kit_program, "eeg", "read", path, "--format", form],
                stdout=out,
                stderr=subprocess.DEVNULL,
                check=True,
            )
        found = stats(str(text))
        assert found["format"] == form
        for name in ("packets", "expected", "lost", "gap_lengths", "channels", "loss_percent_high"):
            assert found[name] == raw[name], (form, name)
    assert raw["lost"] == 7


def test_lines_of_the_c_tool_are_read_from_standard_input(kit: Kit) -> None:
    """Its README's own sample: two packets in each USB transfer."""
    text = (
        "1622034547374070|2|10|519|510|505|500|493|487|7\n"
        "1622034547374071|2|11|519|510|506|501|495|489|7\n"
        "1622034547387645|2|12|519|511|506|501|495|489|7\n"
        "1622034547387646|2|13|519|511|505|499|493|487|7\n"
    )
    found = json.loads(kit("eeg", "stats", "--json", stdin=text).stdout)
    assert (found["format"], found["packets"], found["lost"]) == ("eegreader", 4, 0)
    assert found["arrival"]["measured"]
    assert found["arrival"]["interval_us"]["max"] == 13574
    assert [finding["kind"] for finding in found["findings"]] == ["no-loss"]
    assert found["channels"][0]["longest_flat"] == 4


def test_the_microvolts_are_beside_the_counts(kit: Kit, file: Callable[[bytes], str]) -> None:
    path = file(_packets(range(300)))
    out = kit("eeg", "stats", path).stdout
    assert "0.5 per count, zero at 512 (nominal: boards differ by a factor of four)" in out
    out = kit("eeg", "stats", path, "--uv-per-count", "2", "--zero", "500").stdout
    assert "2 per count, zero at 500 (as given)" in out
    assert out.splitlines()[7].split()[-2:] == ["20.0", "0.0"]


def test_fail_above_is_an_answer_after_the_report(kit: Kit, file: Callable[[bytes], str]) -> None:
    path = file(_packets(_BLOG))
    assert kit("eeg", "stats", path, "--fail-above", "42").returncode == 0
    done = kit("eeg", "stats", path, "--fail-above", "41")
    assert done.returncode == 1
    assert "41.7 % of the packets were lost, where 41 % are allowed" in done.stderr
    assert "7 received" in done.stdout


def test_a_foreign_stream_is_told_so(kit: Kit, file: Callable[[bytes], str]) -> None:
    done = kit("eeg", "stats", file(random.Random(1).randbytes(200_000)))
    assert done.returncode == 76
    assert "this is not an OpenEEG stream" in done.stdout
    assert "is not an OpenEEG stream" in done.stderr
    done = kit("eeg", "stats", "--json", file(b"name,value\n1,2\n"))
    assert done.returncode == 76
    assert json.loads(done.stdout)["findings"][0]["kind"] == "not-openeeg"


def test_random_bytes_that_are_said_to_be_p3_are_told_from_it(kit: Kit, file: Callable[[bytes], str]) -> None:
    done = kit("eeg", "stats", "--protocol", "p3", file(random.Random(1).randbytes(100_000)))
    assert done.returncode == 76
    assert "counters are no sequence" in done.stderr


def test_no_bytes_at_all_are_unavailable(kit: Kit, file: Callable[[bytes], str]) -> None:
    for arguments, stdin in (([], ""), ([file(b"")], None)):
        done = kit("eeg", "stats", *arguments, stdin=stdin)
        assert (done.returncode, done.stdout) == (69, "")
    assert kit("eeg", "stats", "/nonexistent").returncode == 69


def test_a_broken_line_ends_it_with_what_stands_before(kit: Kit) -> None:
    text = "1622034547374070|2|10|519|510|505|500|493|487|7\nhello\n"
    done = kit("eeg", "stats", stdin=text)
    assert done.returncode == 76
    assert "1 received" in done.stdout
    assert "line 2" in done.stderr


def test_a_duration_ends_it(stats: Callable[..., dict[str, Any]], file: Callable[[bytes], str]) -> None:
    found = stats(file(_packets(range(1000))), "--duration", "2")
    assert (found["packets"], found["duration_s"]) == (512, 2.0)


def test_a_simulated_device_is_measured_with_times(stats: Callable[..., dict[str, Any]]) -> None:
    found = stats("sim:fault=lost:every=20", "--duration", "2")
    assert found["arrival"]["measured"]
    assert found["arrival"]["lateness_us"]["p50"] < 100_000
    assert 400 < found["packets"] < 520
    assert {row["from"] for row in found["gap_lengths"]} == {1}
    assert "every-nth" in [finding["kind"] for finding in found["findings"]]


def test_a_device_that_goes_away_leaves_its_report(kit_program: str, wait_until: Wait) -> None:
    pty = Pty()
    with kept_open(pty.path) as port:
        pty.send(_packets(range(100)))
        wait_until(lambda: waiting(port) == 100 * p2.SIZE, "the bytes")
        with _running([kit_program, "eeg", "stats", pty.path, "--json"]) as process:
            wait_until(lambda: not waiting(port), "the read bytes")
            pty.unplug()
            out, err = process.communicate(timeout=20)
    assert process.returncode == 69
    assert "is gone" in err
    assert json.loads(out)["packets"] == 100


def waiting(descriptor: int) -> int:
    """How many bytes can be read at once."""
    (count,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
    return int(count)


class _Fed:
    """A FIFO that is written to while kit reads it."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self.writer = os.open(path, os.O_RDWR)

    def write(self, data: bytes) -> None:
        os.write(self.writer, data)

    def close(self) -> None:
        os.close(self.writer)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[_Fed]:
    fed = _Fed(tmp_path / "fifo")
    yield fed
    fed.close()


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    return {**kept, "TERM": "xterm", **more}


def test_on_a_terminal_the_table_is_drawn_while_the_pipe_runs(kit_program: str, fifo: _Fed) -> None:
    with at_terminal([kit_program, "eeg", "stats", fifo.path], _environment()) as terminal:
        fifo.write(_packets(range(200)))
        terminal.wait_for("200 received")
        fifo.write(_packets([n for n in range(200, 600) if n != 300]))
        terminal.wait_for("599 received, 600 expected")
        terminal.type("\x03")
        assert terminal.end() == 130
    report = terminal.seen[terminal.seen.rindex("stream") :]
    assert "599 received, 600 expected" in report
    assert "too few losses to tell" in report
    assert "▁" in report


@pytest.mark.parametrize("more", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_a_plain_terminal_gets_the_report_only(
    kit_program: str, fifo: _Fed, wait_until: Wait, more: dict[str, str]
) -> None:
    with at_terminal([kit_program, "eeg", "stats", fifo.path], _environment(**more)) as terminal:
        fifo.write(_packets(range(600)))
        wait_until(lambda: not waiting(fifo.writer), "an empty pipe")
        _later(1.5, lambda: terminal.type("\x03"))
        assert terminal.end() == 130
    assert terminal.seen.count("600 received") == 1
    assert "\x1b" not in terminal.seen


def _later(seconds: float, what: Callable[[], None]) -> None:
    """Longer than a first view would take to come: that it does not come cannot be waited for."""
    timer = threading.Timer(seconds, what)
    timer.daemon = True
    timer.start()


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_input_and_not_the_report(
    kit_program: str, fifo: _Fed, wait_until: Wait, number: signal.Signals, status: int
) -> None:
    with _running([kit_program, "eeg", "stats", "--json", fifo.path]) as process:
        fifo.write(_packets(range(300)))
        wait_until(lambda: not waiting(fifo.writer), "an empty pipe")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == status, err
    assert json.loads(out)["packets"] == 300


def test_a_reader_that_has_enough_ends_it_quietly(kit_program: str, file: Callable[[bytes], str]) -> None:
    path = file(_packets(range(300)))
    done = subprocess.run(
        ["bash", "-c", f"{kit_program} eeg stats {path} | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 128 + signal.SIGPIPE)
    assert done.stderr == ""


def _peak(kit_program: str, data: bytes) -> tuple[int, int]:
    """KiB that it took at most when all this was piped into it, and its status."""
    return peak([kit_program, "eeg", "stats"], data)


def test_random_bytes_take_no_more_memory_the_more_there_are(kit_program: str) -> None:
    piece = random.Random(3).randbytes(2_000_000)
    little, _ = _peak(kit_program, piece)
    much, status = _peak(kit_program, piece * 20)
    assert status == 76
    assert much < 60 * 1024
    assert much < little + 2048


def test_a_million_packets_take_no_more_memory_than_some(kit_program: str) -> None:
    piece = _packets([n for n in range(25_600) if n % 5000])
    little, _ = _peak(kit_program, piece * 4)
    much, status = _peak(kit_program, piece * 40)
    assert status == 0
    assert much < 60 * 1024
    assert much < little + 4096
