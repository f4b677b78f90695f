"""kit eeg doctor as a process, at ptys, files and servers whose faults are known."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.eeg.sources.ptys import Pty, kept_open
from tests.system.test_eeg_stats import waiting

Kit = Callable[..., "subprocess.CompletedProcess[str]"]
Objects = list[dict[str, Any]]


@contextmanager
def _simulated(kit_program: str, *arguments: str) -> Iterator[str]:
    """A device that runs; what it prints is where."""
    command = [kit_program, "eeg", "simulate", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


Recorded = Callable[..., bytes]
Simulated = Callable[..., contextlib.AbstractContextManager[str]]


@pytest.fixture
def simulated(kit_program: str) -> Simulated:
    return lambda *arguments: _simulated(kit_program, *arguments)


@pytest.fixture
def recorded(kit_program: str) -> Recorded:
    """What a simulated device sends."""

    def send(*arguments: str) -> bytes:
        command = [kit_program, "eeg", "simulate", "--stdout", "--speed", "max", *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=30).stdout

    return send


@pytest.fixture
def pty() -> Iterator[Pty]:
    made = Pty()
    yield made
    made.unplug()


class Doctor:
    """A doctor that watches already."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""

    def end(self) -> tuple[int, Objects]:
        """Its status and what it printed."""
        out, self.said = self.process.communicate(timeout=30)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def watching(kit_program: str) -> Callable[..., contextlib.AbstractContextManager[Doctor]]:
    @contextmanager
    def start(*arguments: str) -> Iterator[Doctor]:
        command = [kit_program, "eeg", "doctor", "--json", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            try:
                assert process.stderr.readline().startswith("kit: watching")
                yield Doctor(process)
            finally:
                process.kill()

    return start


Watching = Callable[..., contextlib.AbstractContextManager[Doctor]]


def _objects(done: subprocess.CompletedProcess[str]) -> Objects:
    return [json.loads(line) for line in done.stdout.splitlines()]


def _kinds(objects: Objects) -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in objects if each["event"] == "finding"}


def test_at_a_healthy_device_nothing_is_lost(kit: Kit, simulated: Simulated) -> None:
    with simulated() as path:
        done = kit("eeg", "doctor", "--duration", "1", "--json", path)
    watched, *others = _objects(done)
    assert done.returncode == 0
    assert watched["kind"] == "pty"
    assert watched["protocol"] == "p2"
    assert watched["packets"] > 150
    assert (watched["lost"], watched["skipped"], watched["counters"]) == (0, 0, None)
    assert not [each for each in others if each.get("costs_packets")]


def test_at_a_pty_it_says_what_it_cannot_know(kit: Kit, simulated: Simulated) -> None:
    with simulated() as path:
        done = kit("eeg", "doctor", "--duration", "0.5", path)
    assert "unknown   what the driver counted, the speed that is really set" in done.stdout
    assert "a pty has no hardware behind it" in done.stdout
    assert done.stdout.endswith("nothing was lost, as far as it can be seen here\n")
    assert done.stderr == f"kit: watching {path!r} for 0.5 s\n"


def test_packets_that_the_device_lost_are_counted(kit: Kit, simulated: Simulated) -> None:
    with simulated("--fault", "lost:every=10") as path:
        done = kit("eeg", "doctor", "--duration", "1", "--json", path)
    watched, *others = _objects(done)
    assert done.returncode == 1
    assert watched["lost"] == pytest.approx(watched["packets"] / 9, abs=1)
    finding = _kinds(others)["lost"]
    assert finding["certainty"] == "possible"
    assert "a pty has no hardware behind it" in finding["evidence"]


def test_a_recorded_loss_is_counted_exactly(kit: Kit, recorded: Recorded, tmp_path: Path) -> None:
    recording, truth = tmp_path / "eeg.raw", tmp_path / "truth"
    faults = ("--fault", "lost:rate=0.02:burst=2", "--fault", "lost-bytes:rate=0.01")
    recording.write_bytes(recorded("--count", "3000", "--truth", str(truth), *faults))
    done = kit("eeg", "doctor", "--json", str(recording))
    watched, *others = _objects(done)
    seen = json.loads(truth.read_text().splitlines()[-1])["seen"]
    assert {name: watched[name] for name in seen} == seen
    assert watched["bytes"] == recording.stat().st_size
    assert done.returncode == 1
    assert {"lost", "damaged"} <= set(_kinds(others))
    assert {each["why"] for each in others if each["event"] == "unknown"} == {
        "a file has no line behind it",
        "nobody waits for what a file or a pipe holds",
    }


def test_a_stall_is_the_lines_and_not_kits(kit: Kit, simulated: Simulated) -> None:
    with simulated("--fault", "stall:every=200:ms=250") as path:
        done = kit("eeg", "doctor", "--duration", "2", "--json", path)
    watched, *others = _objects(done)
    assert watched["lost"] == 0
    assert watched["pauses"]
    assert not _kinds(others)["stall"]["costs_packets"]
    assert done.returncode == 0


def test_a_doctor_that_was_stopped_says_that_it_was_late(watching: Watching, simulated: Simulated) -> None:
    with simulated() as path, watching("--duration", "1.5", path) as doctor:
        doctor.process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        os.waitpid(doctor.process.pid, os.WUNTRACED)
        while time.monotonic() - begun < 0.5:
            time.sleep(0.05)
        doctor.process.send_signal(signal.SIGCONT)
        _, (watched, *others) = doctor.end()
    finding = _kinds(others)["late"]
    assert finding["command"] == f"sudo chrt --rr 50 kit eeg read {path}"
    assert watched["worst_late_ms"] > 400


def test_noise_is_no_eeg(kit: Kit, pty: Pty) -> None:
    stop = threading.Event()

    def babble() -> None:
        source = random.Random(3)
        while not stop.wait(0.01):
            with contextlib.suppress(BlockingIOError):
                pty.send(source.randbytes(58))

    os.set_blocking(pty.main, False)
    sender = threading.Thread(target=babble)
    sender.start()
    done = kit("eeg", "doctor", "--duration", "1", "--json", pty.path)
    stop.set()
    sender.join()
    watched, *others = _objects(done)
    assert done.returncode == 1
    assert (watched["packets"], watched["protocol"]) == (0, None)
    assert "look like: noise" in _kinds(others)["foreign"]["evidence"]


def test_a_silent_line_is_told(kit: Kit, pty: Pty) -> None:
    done = kit("eeg", "doctor", "--duration", "0.3", pty.path)
    assert done.returncode == 1
    assert "problem   no byte came (sure)" in done.stdout


def test_a_device_that_is_unplugged_ends_it_with_a_report(
    watching: Watching, recorded: Recorded, pty: Pty, wait_until: Callable[..., None]
) -> None:
    sent = recorded("--count", "100")
    with kept_open(pty.path) as port:
        pty.send(sent)
        wait_until(lambda: waiting(port) == len(sent), "the bytes")
        with watching("--duration", "30", pty.path) as doctor:
            wait_until(lambda: not waiting(port), "the read bytes")
            pty.unplug()
            status, (watched, *others) = doctor.end()
    assert status == 69
    assert watched["ended"] == "gone"
    assert watched["packets"] == 100
    assert _kinds(others)["gone"]["costs_packets"]
    assert f"kit: error: {pty.path!r}: the device is gone" in doctor.said


def test_a_device_that_is_not_there_is_an_error(kit: Kit) -> None:
    done = kit("eeg", "doctor", "/dev/no-such-port")
    assert done.returncode == 69
    assert done.stdout == ""
    assert "kit: error: no file or device '/dev/no-such-port'" in done.stderr


def test_a_device_in_use_is_an_error(kit: Kit, watching: Watching, simulated: Simulated) -> None:
    with simulated() as path, watching("--duration", "30", path):
        done = kit("eeg", "doctor", "--duration", "0.5", path)
    assert done.returncode == 69
    assert "in use" in done.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_watch_with_a_report(
    watching: Watching, simulated: Simulated, number: signal.Signals, status: int
) -> None:
    with simulated() as path, watching("--duration", "30", path) as doctor:
        doctor.process.send_signal(number)
        found, (watched, *_) = doctor.end()
    assert found == status
    assert watched["ended"] == "interrupt"
    assert watched["duration_s"] < 10


def test_a_server_is_watched_as_far_as_there_is_something_to_see(kit: Kit, simulated: Simulated) -> None:
    with simulated("--tcp", "0", "--protocol", "p3", "--channels", "4") as url:
        done = kit("eeg", "doctor", "--duration", "1", "--json", url)
    watched, *others = _objects(done)
    assert done.returncode == 0
    assert (watched["kind"], watched["protocol"], watched["identity"]) == ("url", "p3", "mEEGv1.0")
    assert watched["worst_late_ms"] is not None
    assert {each["what"] for each in others if each["event"] == "unknown"} == {
        "what the driver counted",
        "the speed that is really set",
        "the adapter's latency timer",
        "the low-latency flag",
    }


def test_p3_that_was_taken_for_p2_is_recognised(kit: Kit, recorded: Recorded, tmp_path: Path) -> None:
    recording = tmp_path / "eeg.raw"
    recording.write_bytes(recorded("--count", "300", "--protocol", "p3"))
    done = kit("eeg", "doctor", "--json", "--protocol", "p2", str(recording))
    [finding] = _kinds(_objects(done)).values()
    assert finding["command"] == f"kit eeg doctor --protocol p3 {recording}"


def test_standard_input_is_read(kit_program: str, recorded: Recorded) -> None:
    command, data = [kit_program, "eeg", "doctor", "--json", "-"], recorded("--count", "300")
    done = subprocess.run(command, input=data, capture_output=True, check=True, timeout=30)
    watched = json.loads(done.stdout.splitlines()[0])
    assert (watched["kind"], watched["packets"], watched["ended"]) == ("pipe", 300, "end")
