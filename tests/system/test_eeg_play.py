"""kit eeg play as a process: what its readers find is what was recorded."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.eeg import p2
from kit.eeg.records import Skipped, Stretch
from kit.eeg.simulator.wish import Wish
from tests.eeg.simulator.sending import send

Kit = Callable[..., "subprocess.CompletedProcess[str]"]
# More than a pty holds.
DATA = send("lost:rate=0.02:burst=2", "flip:rate=0.01", "garbage:rate=0.01", count=2500).data


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Some seconds with losses and noise."""
    path = tmp_path / "recording.raw"
    path.write_bytes(DATA)
    return path


def _play(
    kit_program: str, *arguments: str, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [kit_program, "eeg", "play", *arguments], input=stdin, capture_output=True, timeout=30, check=False
    )


@contextmanager
def _playing(kit_program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [kit_program, "eeg", "play", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_as_quick_as_it_goes_a_pipe_has_the_bytes_of_the_file(kit_program: str, recording: Path) -> None:
    done = _play(kit_program, str(recording), "--stdout", "--speed", "max")
    assert (done.returncode, done.stdout) == (0, DATA)


@pytest.mark.parametrize("form", ["eegreader", "ndjson"])
def test_a_text_is_played_as_the_packets_that_it_tells(kit: Kit, kit_program: str, form: str) -> None:
    clean = send("lost:rate=0.02", wish=Wish(protocol="p2"), count=300).data
    text = subprocess.run(
        [kit_program, "eeg", "convert", "-", "-", "--to", form], input=clean, capture_output=True, check=True
    ).stdout
    done = _play(kit_program, "-", "--stdout", "--speed", "max", stdin=text)
    assert (done.returncode, done.stdout) == (0, clean)


def test_stats_find_on_its_pty_what_they_find_in_the_file(
    kit: Kit, kit_program: str, recording: Path, tmp_path: Path
) -> None:
    link, copy = tmp_path / "eeg", tmp_path / "copy.raw"
    with _playing(kit_program, str(recording), "--link", str(link), "--speed", "max") as player:
        assert player.stdout and player.stderr
        assert player.stdout.readline() == f"{link.readlink()}\n"
        heard = subprocess.run(
            [kit_program, "eeg", "read", str(link), "-f", "raw"], capture_output=True, timeout=30, check=False
        )
        assert player.wait(20) == 0
        assert player.stderr.read().startswith("kit: played 2,387 packets")
    assert heard.stdout == DATA
    copy.write_bytes(heard.stdout)
    found = [json.loads(kit("eeg", "stats", "--json", str(path)).stdout) for path in (recording, copy)]
    assert found[0] == found[1]
    assert found[0]["lost"] > 10
    assert not link.is_symlink()


def test_a_reader_that_goes_is_not_missed_and_the_next_one_is_served(
    kit: Kit, kit_program: str, recording: Path
) -> None:
    with _playing(kit_program, str(recording), "--loop", "--json") as player:
        assert player.stdout
        pty = json.loads(player.stdout.readline())["pty"]
        for _ in range(2):
            heard = kit("eeg", "read", pty, "--count", "60", "-f", "csv")
            assert heard.returncode == 0
            assert len(heard.stdout.splitlines()) == 61
        assert player.poll() is None
        player.terminate()
        assert player.wait(20) == 143


def test_on_a_tcp_port_it_loops_without_a_seam(kit: Kit, kit_program: str, tmp_path: Path) -> None:
    path = tmp_path / "clean.raw"
    path.write_bytes(send(count=500).data[5:-5])
    with _playing(kit_program, str(path), "--loop", "--tcp", "0", "--speed", "max") as player:
        assert player.stdout
        url = player.stdout.readline().strip()
        heard = kit("eeg", "read", url, "--count", "5000", "-f", "csv", "--fail-above", "0")
    assert heard.returncode == 0
    assert "5,000 packets" in heard.stderr
    assert "none lost" in heard.stderr


def test_a_part_is_played_where_a_duration_is_given(kit_program: str, recording: Path) -> None:
    done = _play(kit_program, str(recording), "--stdout", "--speed", "max", "--duration", "1")
    decoder = p2.Decoder()
    spans = decoder.scan(done.stdout)
    assert sum(len(span) for span in spans if isinstance(span, Stretch)) <= 256
    assert DATA.startswith(done.stdout)
    assert any(isinstance(span, Skipped) for span in spans)


def test_a_file_that_breaks_off_is_played_up_to_there(kit_program: str) -> None:
    lines = [f"{n}|2|{n % 256}|1|2|3|4|5|6|15\n" for n in range(20)]
    done = _play(
        kit_program, "-", "--stdout", "--speed", "max", stdin="".join([*lines, "no\n", *lines]).encode()
    )
    assert (done.returncode, len(done.stdout)) == (76, 20 * p2.SIZE)
    assert b"kit: error: line 21: not a line of eegreader" in done.stderr


@pytest.mark.parametrize(
    ("size", "status", "said"),
    [
        (10_000, 76, "is not an OpenEEG stream: no packet in 10,000 bytes"),
        (3 << 20, 76, "is not an OpenEEG stream: no packet in the first 1,"),
        (0, 69, "is empty"),
    ],
)
def test_what_cannot_be_played_is_said_before_anything_is_plugged_in(
    kit: Kit, tmp_path: Path, size: int, status: int, said: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    done = kit("eeg", "play", str(path))
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sim:",), "'sim:' is no recording"),
        (("-", "--loop"), "--loop begins anew, and '-' cannot be read twice"),
    ],
)
def test_what_is_no_file_is_a_usage_error(kit: Kit, arguments: tuple[str, ...], said: str) -> None:
    done = kit("eeg", "play", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
