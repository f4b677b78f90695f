"""kit eeg stats held against the truth: a pipe from the simulator, for every kind and pattern of fault."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.eeg.simulator.sending import IN_THE_SIGNAL

COUNT = 6000


@dataclass(frozen=True)
class Outcome:
    """What stats says, and what is true."""

    report: dict[str, Any]
    faults: list[dict[str, Any]]
    end: dict[str, Any]


Pipe = Callable[..., Outcome]


@pytest.fixture
def pipe(kit_program: str, tmp_path: Path) -> Pipe:
    """`kit eeg simulate --stdout --speed max … | kit eeg stats --json`, `kit eeg read` between or not."""

    def run(
        *faults: str, protocol: str = "p2", seed: int = 1, told: bool = False, read: bool = False
    ) -> Outcome:
        truth = tmp_path / "truth"
        wishes = (f"--protocol={protocol}", f"--seed={seed}", *(f"--fault={fault}" for fault in faults))
        simulate = ["simulate", "--stdout", "--speed=max", f"--count={COUNT}", f"--truth={truth}", *wishes]
        between = [["read", "-", "--format=ndjson"]] if read else []
        stats = ["stats", "--json", f"--protocol={protocol}" if told else "--protocol=auto"]
        words = [shlex.join([kit_program, "eeg", *command]) for command in (simulate, *between, stats)]
        shell = ["bash", "-c", f"set -o pipefail; {' | '.join(words)}"]
        done = subprocess.run(shell, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        *records, end = (json.loads(line) for line in truth.read_text().splitlines())
        records = [record for record in records if record["event"] not in IN_THE_SIGNAL]
        return Outcome(json.loads(done.stdout), records, end)

    return run


def _exact(outcome: Outcome) -> Outcome:
    """The counts of the report are the truth's."""
    report, seen = outcome.report, outcome.end["seen"]
    assert outcome.end["exact"]
    assert (report["packets"], report["lost"]) == (seen["packets"], seen["lost"])
    assert report["skipped_bytes"] == seen["skipped"]
    assert report["bytes"] == outcome.end["bytes"]
    assert report["expected"] == seen["packets"] + seen["lost"]
    assert (report["lost_low"], report["lost_high"]) == (report["lost"], report["lost"])
    return outcome


def _gap_lengths(outcome: Outcome) -> dict[int, int]:
    """How many gaps of each length there are in truth, packets lost in a row being one."""
    gaps: list[list[int]] = []
    for fault in outcome.faults:
        if gaps and sum(gaps[-1]) == fault["sequence"]:
            gaps[-1][1] += fault["count"]
        else:
            gaps.append([fault["sequence"], fault["count"]])
    return Counter(count for _, count in gaps)


PROTOCOLS = pytest.mark.parametrize("protocol", ["p2", "p3"])


@PROTOCOLS
def test_without_a_fault_nothing_is_lost(pipe: Pipe, protocol: str) -> None:
    report = _exact(pipe(protocol=protocol)).report
    assert (report["packets"], report["lost"], report["skipped_bytes"], report["gaps"]) == (COUNT, 0, 0, 0)
    assert report["protocol"] == protocol


@PROTOCOLS
@pytest.mark.parametrize(
    "fault",
    [
        "lost:rate=0.01",
        "lost:rate=0.2",
        "lost:every=10",
        "lost:every=2",
        "lost:rate=0.005:burst=9",
        "lost:at=5:burst=30",
    ],
)
def test_lost_packets_are_counted(pipe: Pipe, protocol: str, fault: str) -> None:
    # Where every second packet is lost no counter follows its predecessor, by which P3 is recognised.
    outcome = _exact(pipe(fault, protocol=protocol, seed=4, told=True))
    lengths = _gap_lengths(outcome)
    # The last gap may lie behind the last packet, where nobody sees it.
    unseen = outcome.end["lost"] - outcome.report["lost"]
    assert outcome.report["gaps"] == sum(lengths.values()) - (unseen > 0)
    for bucket in outcome.report["gap_lengths"]:
        within = sum(gaps for length, gaps in lengths.items() if bucket["from"] <= length <= bucket["to"])
        assert 0 <= within - bucket["gaps"] <= (unseen > 0)
    assert outcome.report["lost"] > 0


@PROTOCOLS
@pytest.mark.parametrize("fault", ["lost-bytes:rate=0.01", "lost-bytes:every=13", "lost-bytes:at=5"])
def test_packets_that_lost_a_byte_are_counted(pipe: Pipe, protocol: str, fault: str) -> None:
    outcome = _exact(pipe(fault, protocol=protocol))
    assert outcome.report["lost"] == outcome.end["damaged"] > 0
    assert outcome.report["skipped_bytes"] > 0


@pytest.mark.parametrize("length", [17, 62, 64])
def test_buffers_that_overran_are_counted_where_they_leave_no_doubt(pipe: Pipe, length: int) -> None:
    outcome = _exact(pipe(f"lost-bytes:rate=0.004:length={length}"))
    assert outcome.report["lost"] == outcome.end["damaged"] - outcome.end["disguised"] > 0


@pytest.mark.parametrize(
    ("protocol", "fault"),
    [
        ("p2", "flip:rate=0.01:byte=0"),
        ("p2", "flip:every=29:byte=4:bit=6"),
        ("p2", "flip:rate=0.003:burst=3:byte=2"),
        ("p3", "flip:rate=0.01:byte=10:bit=7"),
        ("p3", "flip:every=29:byte=4:bit=3"),
        ("p3", "flip:rate=0.01:byte=5:bit=7"),
    ],
)
def test_flipped_bits_that_break_a_packet_are_counted(pipe: Pipe, protocol: str, fault: str) -> None:
    outcome = _exact(pipe(fault, protocol=protocol))
    assert outcome.report["lost"] == outcome.end["damaged"] == len(outcome.faults) > 0


@PROTOCOLS
def test_flipped_bits_in_samples_go_unseen(pipe: Pipe, protocol: str) -> None:
    outcome = _exact(pipe(f"flip:rate=0.01:byte={5 if protocol == 'p2' else 2}:bit=0", protocol=protocol))
    assert outcome.report["lost"] == 0
    assert outcome.end["disguised"] == outcome.end["damaged"] > 0


@PROTOCOLS
@pytest.mark.parametrize(
    "fault", ["garbage:rate=0.01", "garbage:every=50:length=3", "garbage:at=5:burst=20:length=8"]
)
def test_inserted_bytes_are_counted_and_cost_no_packet(pipe: Pipe, protocol: str, fault: str) -> None:
    outcome = _exact(pipe(fault, protocol=protocol))
    assert outcome.report["packets"] == COUNT
    assert outcome.report["skipped_bytes"] == sum(one["bytes"] for one in outcome.faults) > 0


@PROTOCOLS
@pytest.mark.parametrize("fault", ["stall:ms=16", "stall:every=500:ms=300"])
def test_stalls_lose_nothing(pipe: Pipe, protocol: str, fault: str) -> None:
    outcome = _exact(pipe(fault, protocol=protocol))
    assert outcome.report["lost"] == 0
    assert outcome.end["stalls"] == len(outcome.faults) > 0


@pytest.mark.parametrize(("protocol", "fault"), [("p2", "restart:every=2600"), ("p3", "restart:every=650")])
def test_restarts_are_counted(pipe: Pipe, protocol: str, fault: str) -> None:
    outcome = _exact(pipe(fault, protocol=protocol))
    assert outcome.report["restarts"] == outcome.end["restarts"] == len(outcome.faults) > 1
    assert outcome.report["lost"] == 0


def test_after_it_was_unplugged_nothing_is_lost(pipe: Pipe) -> None:
    outcome = pipe("unplug:at=5")
    assert outcome.end["unplugs"] == 1
    assert (outcome.report["packets"], outcome.report["lost"]) == (1280, 0)


@PROTOCOLS
def test_faults_of_all_kinds_are_counted_together(pipe: Pipe, protocol: str) -> None:
    faults = (
        "lost:rate=0.01",
        "lost-bytes:rate=0.005",
        "flip:rate=0.005:byte=0:bit=7",
        "garbage:rate=0.01:length=5",
    )
    outcome = _exact(pipe(*faults, protocol=protocol, seed=3))
    assert {fault["event"] for fault in outcome.faults} == {"lost", "lost-bytes", "flip", "garbage"}


@PROTOCOLS
def test_through_kit_eeg_read_the_counts_are_the_same(pipe: Pipe, protocol: str) -> None:
    _exact(pipe("lost:rate=0.01:burst=2", "garbage:rate=0.005", protocol=protocol, read=True, seed=3))


# What only a reader with a clock can tell: a fault, and what stats has to say of it.
_BY_TIME = {
    "stall:ms=16": {"lost": 0, "restarts": 0},
    "stall:at=2.5:ms=400": {"lost": 0, "restarts": 0},
    "lost:at=2.5:burst=300": {"lost": 300, "restarts": 0},
    "restart:at=2.7:pause=0.1": {"lost": 0, "restarts": 1},
}


def test_a_clock_tells_what_the_counter_cannot(kit_program: str, tmp_path: Path) -> None:
    """In real time, over a connection each, and all at once: the reader that comes switches its device on."""
    with contextlib.ExitStack() as stack:
        readers = []
        for number, fault in enumerate(_BY_TIME):
            command = [kit_program, "eeg", "simulate", "--tcp=0", "--duration=7", f"--fault={fault}"]
            truth = f"--truth={tmp_path / str(number)}"
            device = subprocess.Popen([*command, truth], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            stack.enter_context(device)
            stack.callback(device.kill)
            assert device.stdout
            url = device.stdout.readline().decode().strip()
            words = shlex.join([kit_program, "eeg", "read", url, "--format=ndjson"])
            shell = f"{words} | {shlex.join([kit_program, 'eeg', 'stats', '--json'])}"
            readers.append(
                subprocess.Popen(["bash", "-c", shell], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            )
        said = [reader.communicate(timeout=60)[0] for reader in readers]
    reports = dict(zip(_BY_TIME, map(json.loads, said), strict=True))
    for number, (fault, expected) in enumerate(_BY_TIME.items()):
        end = json.loads((tmp_path / str(number)).read_text().splitlines()[-1])
        assert {name: reports[fault][name] for name in expected} == expected, fault
        assert reports[fault]["packets"] == end["delivered"], fault
        assert reports[fault]["lost"] == end["lost"], fault
        assert reports[fault]["restarts"] == end["restarts"], fault
