"""`kit eeg stream` and those who read it: an inlet of another process, and a neighbour on the network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit import eeg
from tests.eeg.streaming.scene import SOURCE
from tests.peers import forbidden, needs

_REPOSITORY = Path(__file__).parents[3]
_KIT = [str(Path(sys.executable).parent / "kit"), "eeg", "stream"]
_WITHOUT_PYLSL = (
    "import sys; sys.modules['pylsl'] = None; from kit.cli.main import main; sys.argv[0] = 'kit'; main()"
)


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    needs("unshare", "nsenter", "ip")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        forbidden("network namespaces")
    scene = ["unshare", "--net", sys.executable, "-m", "tests.eeg.streaming.scene"]
    done = subprocess.run(scene, capture_output=True, text=True, check=False, timeout=120, cwd=_REPOSITORY)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _sent() -> list[tuple[int, list[int]]]:
    """The number and the counts of each packet that was not lost."""
    with eeg.open(SOURCE.replace("speed=4", "speed=max")) as stream:
        return [(sample.sequence, list(sample.packet.channels)) for sample in stream.packets()]


def _received(seen: dict[str, Any]) -> list[int]:
    """The numbers of the packets that the inlet got, all of which are the last ones that were sent."""
    rows, sent = seen["inlet"]["rows"], _sent()
    assert len(rows) > 256
    tail = sent[-len(rows) :]
    assert [counts for _, counts in tail] == rows
    return [number for number, _ in tail]


def test_from_when_it_is_there_an_inlet_gets_every_sample_to_the_last(seen: dict[str, Any]) -> None:
    assert _received(seen)
    assert seen["inlet"]["status"] == 0


def test_stamps_rise_by_a_period_for_each_packet_lost_ones_too(seen: dict[str, Any]) -> None:
    numbers, stamps = _received(seen), seen["inlet"]["stamps"]
    for at in range(1, len(stamps)):
        periods = (stamps[at] - stamps[at - 1]) * 256
        assert 0.7 < periods / (numbers[at] - numbers[at - 1]) < 1.3


def test_each_loss_is_marked_where_it_is(seen: dict[str, Any]) -> None:
    numbers, stamps = _received(seen), seen["inlet"]["stamps"]
    markers = [when for when, text in seen["inlet"]["markers"] if text == "lost 3 packets"]
    gaps = [at for at in range(1, len(numbers)) if numbers[at] - numbers[at - 1] > 1]
    assert len(gaps) > 3
    for at in gaps:
        assert [when for when in markers if stamps[at - 1] < when < stamps[at]]


def test_the_streams_say_what_they_are(seen: dict[str, Any]) -> None:
    xml, opened = seen["inlet"]["xml"], seen["inlet"]["opened"]
    for label in range(1, 7):
        assert f"<label>ch{label}</label>" in xml
    assert xml.count("<unit>counts</unit>") == xml.count("<type>EEG</type>") - 1 == 6
    assert "<uv_per_count>0.5</uv_per_count>" in xml and "<origin>nominal</origin>" in xml
    assert f"<source_id>{opened['source_id']}</source_id>" in xml
    assert opened["channels"] == 6 and opened["units"] == "adc"


def test_no_other_machine_reaches_a_stream_that_is_for_this_one(seen: dict[str, Any]) -> None:
    closed = seen["closed"]
    assert closed["reach"] == "machine"
    assert len(closed["answers"]) >= 5
    assert set(closed["answers"].values()) == {"ConnectionRefusedError"}
    assert closed["status"] == 128 + 15


def test_lan_opens_the_ports_that_it_tells_of(seen: dict[str, Any]) -> None:
    assert seen["lan"]["reach"] == "network"
    assert set(seen["lan"]["answers"].values()) == {"answered"}


def _run(*arguments: str, stdin: bytes = b"") -> tuple[int, str]:
    done = subprocess.run(arguments, input=stdin, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stderr.decode()


def test_without_pylsl_it_says_which_extra_has_it() -> None:
    status, said = _run(sys.executable, "-c", _WITHOUT_PYLSL, "eeg", "stream", "sim:count=1")
    assert status == 69
    assert (
        said
        == "kit: error: streaming takes pylsl, which is not installed\nkit: hint: pip install 'kit[lsl]'\n"
    )


def test_lan_says_that_whoever_reaches_the_ports_reads_the_eeg_and_a_pipe_has_no_times() -> None:
    with eeg.open("sim:count=300,speed=max") as stream:
        packets = b"".join(item.stretch.data for item in stream if isinstance(item, eeg.Run))
    status, said = _run(*_KIT, "--lan", "--name", "night", "-", stdin=packets)
    assert status == 0
    assert "LSL stream 'night': 6 channels at 256 Hz in µV" in said
    assert "open to everybody who can reach this machine" in said
    assert "LSL has no authentication and no encryption" in said
    assert "has no times" in said
    assert "300 packets" in said


def test_what_is_no_eeg_is_an_error() -> None:
    assert _run(*_KIT, "-", stdin=b"nothing of the kind\n" * 9)[0] == 76
