"""kit eeg watch as a process: what it prints, starts and sounds, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Kit = Callable[..., "subprocess.CompletedProcess[str]"]
_SOURCE = "sim:seed=3,speed=max,duration=12,fault=lost:every=1500"


def test_without_a_condition_it_tells_all_that_happens(kit: Kit) -> None:
    done = kit("eeg", "watch", _SOURCE)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "    4.059 s  blink on channel 1, 82 µV",
        "    5.855 s  1 packet lost",
        "    8.227 s  blink on channel 1, 80 µV",
    ]
    assert "   10.285 s  button 1 pressed" in lines
    assert "3,070 packets in 12.0 s, 2 lost" in done.stderr


def test_records_have_the_condition_and_its_values(kit: Kit) -> None:
    done = kit("eeg", "watch", _SOURCE, "--json", "--when", "alpha1 > 12 for 0.5s", "--when", "button1")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["event"] for record in records] == ["on", "off", "on", "off"]
    first = records[0]
    assert first["condition"] == "alpha1 > 12 for 0.5s"
    assert first["time_us"] - first["began_us"] == 500_000
    assert first["value"] == first["values"]["alpha1"] > first["threshold"] == 12
    assert first["latency_ms"] is None


def test_of_a_recording_the_time_counts_from_its_begin(kit: Kit, tmp_path: Path) -> None:
    out = str(tmp_path / "out.edf")
    assert kit("eeg", "record", out, "sim:seed=7,speed=max,duration=8").returncode == 0
    first = kit("eeg", "watch", out, "--when", "blink").stdout.split()
    assert first[1:] == ["s", "blink:", "true", *first[4:]]
    assert float(first[0]) < 8


def test_a_pipe_from_read_is_watched(kit: Kit, kit_program: str) -> None:
    shell = f"{kit_program} eeg read '{_SOURCE}' 2>/dev/null | {kit_program} eeg watch --when 'blink'"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
    assert [line.split()[2:] for line in done.stdout.splitlines()[:2]] == [
        ["blink:", "true"],
        ["blink:", "ended"],
    ]


def test_a_command_does_not_hold_up_a_pipe(kit_program: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    words = shlex.split(f"{kit_program} eeg simulate --stdout --speed max --count 5000")
    watch = [kit_program, "eeg", "watch", "--refractory", "0", "--when", "ch1 > 20", "--run", f"cat {gate}"]
    said = tmp_path / "said"  # the command, which goes on, would hold a pipe open
    with (
        said.open("wb") as out,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as simulator,
    ):
        done = subprocess.run(watch, stdin=simulator.stdout, stdout=out, stderr=out, timeout=60, check=False)
    assert done.returncode == 0
    assert re.search(r"\d+ events came while 'cat .*gate' ran, and did not start it", said.read_text())
    with gate.open("w"):  # the command is there still
        pass


def test_each_event_of_a_recording_starts_the_command(kit: Kit, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = f"sh -c 'echo $KIT_EEG_TIME $KIT_EEG_CH1 >>{out}'"
    done = kit("eeg", "watch", _SOURCE, "--when", "ch1 > 70", "--run", command)
    assert (done.returncode, done.stdout) == (0, "")
    times = [float(line.split()[0]) for line in out.read_text().splitlines()]
    assert len(times) == 2
    assert all(float(line.split()[1]) > 70 for line in out.read_text().splitlines())


def test_a_tone_is_as_long_as_the_recording(kit_program: str, tmp_path: Path) -> None:
    words = [kit_program, "eeg", "watch", _SOURCE, "--when", "fast_alpha > 12", "--tone"]
    done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    assert len(done.stdout) == 12 * 16000 * 2
    assert any(done.stdout)
    out = tmp_path / "out"
    words += ["--player", f"sh -c 'cat >{out}'", "--print"]
    played = subprocess.run(words, capture_output=True, timeout=60, check=False)
    assert out.read_bytes() == done.stdout
    assert b"fast_alpha > 12: " in played.stdout


def test_a_bell_rings_on_standard_error(kit: Kit) -> None:
    done = kit("eeg", "watch", _SOURCE, "--when", "button1", "--bell")
    assert done.stdout == ""
    assert done.stderr.count("\a") == 1


def test_a_baseline_is_told_of_when_it_is_there_and_when_it_is_not(kit: Kit) -> None:
    done = kit("eeg", "watch", _SOURCE, "--when", "theta/alpha > p80", "--baseline", "3s")
    assert "kit: the baseline is complete: theta/alpha > p80: p80 is " in done.stderr
    done = kit("eeg", "watch", _SOURCE, "--when", "theta/alpha > p80", "--baseline", "1m")
    assert "the baseline was not complete" in done.stderr


def test_a_live_capture_ends_in_good_order_while_a_command_runs(kit_program: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    words = [kit_program, "eeg", "watch", "sim:", "--json", "--when", "ch1 > -500", "--run", f"cat {gate}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        record = json.loads(process.stdout.readline())
        assert 0 <= record["latency_ms"] < 60_000
        process.send_signal(signal.SIGINT)
        with gate.open("w"):
            assert process.wait(20) == 130
        assert b"packets in" in process.stderr.read()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--when", "alpha1 >"], "something is wrong in the expression 'alpha1 >'"),
        (["--when", "alhpa1 > 1"], "no 'alhpa1' to watch"),
        (["--when", "alpha1 > p80"], "there is no baseline"),
        (["--when", "blink", "--baseline", "60"], "no percentile"),
        (["--when", "blink", "--baseline", "soon"], "no time like 60"),
        (["--when", "blink", "--run", "a 'b"], "no command"),
        (["--when", "blink", "--run", "a", "--run", "b"], "2 commands for 1 conditions"),
        (["--run", "true"], "no condition that it is for"),
        (["--when", "blink", "--tone"], "compares nothing that a tone could follow"),
        (["--when", "ch1>1", "--tone", "--print"], "the tone goes to standard output"),
        (["--when", "ch1>1", "--player", "cat"], "without a tone"),
        (["--band", "mu", "--when", "blink"], "no band like mu=8-12"),
        (["--band", "mu=12-8", "--when", "blink"], "no band from 12 Hz to 8 Hz"),
        (["--band", "mu=8-200", "--when", "fast_mu > 1"], "no filter at 200 Hz"),
    ],
)
def test_what_cannot_be_watched_is_told(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, as there are many."""
    from kit.cli.main import root

    assert root.main(["eeg", "watch", "sim:speed=max,count=10", *words], prog_name="kit") == 2
    assert said in capsys.readouterr().err
