"""The recorder as a sink: begun and ended while a capture goes on, in parts, beside the raw bytes."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from kit.core.errors import UsageError
from kit.eeg import open as open_stream
from kit.eeg.capture import Capture
from kit.eeg.feeding import Batch, Feeding
from kit.eeg.intake import Intake
from kit.eeg.recordings.making import SUFFIXES
from kit.eeg.recordings.recorder import open_recorder
from kit.eeg.recordings.settings import Settings
from kit.eeg.records import Chunk, Run


def packets_in(path: Path) -> list[int]:
    """The counters of the packets in a recording, whatever its format."""
    intake = Intake(Capture("p2"))
    items = [*intake.feed(Chunk(path.read_bytes())), *intake.end("end")]
    return [packet.counter for item in items if isinstance(item, Run) for packet in item.stretch.packets()]


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_is_recorded_and_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    recorder = open_recorder(path, Settings())
    with open_stream("sim:seed=2,speed=max,count=1000,fault=lost:rate=0.01") as stream:
        Feeding(stream, [recorder]).run()
        assert len(packets_in(path)) == stream.tally.packets
    assert recorder.paths == [path]


@pytest.mark.parametrize("name", ["out.edf", "out.xdf", "out.csv", "out.ndjson", "out.raw"])
def test_a_recording_is_iterated_by_packets_with_their_times(tmp_path: Path, name: str) -> None:
    with open_stream("sim:seed=2,speed=max,count=900,fault=lost:at=1:burst=9") as stream:
        Feeding(stream, [open_recorder(tmp_path / name, Settings())]).run()
    with open_stream(str(tmp_path / name), form=None, start_us=7) as stream:
        samples = list(stream.packets())
    assert [sample.sequence for sample in samples] == [*range(256), *range(265, 900)]
    steps_us = [after.wall_us - sample.wall_us for sample, after in pairwise(samples)]
    assert {round(step_us / 1000) for step_us in steps_us} == {4, 39}


@pytest.mark.parametrize("name", ["out.edf", "out.xdf", "out.csv"])
def test_a_recording_can_begin_and_end_while_a_capture_goes_on(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with open_stream("sim:seed=3,speed=20", together_s=0.005) as stream:
        feeding = Feeding(stream, [])
        feeding.start()
        while stream.tally.packets < 100:
            assert feeding.running
        recorder = open_recorder(path, Settings())
        feeding.add(recorder)
        while recorder.packets < 600:
            assert feeding.running
        feeding.mark("a mark")
        feeding.remove(recorder)
        feeding.stop()
        feeding.join(10)
    counters = packets_in(path)
    assert len(counters) >= 600
    assert counters == [(counters[0] + place) % 256 for place in range(len(counters))]
    assert counters[0] > 0


def test_a_part_that_is_there_meanwhile_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    recorder = open_recorder(path, Settings(split_s=1))
    (tmp_path / "out-002.edf").write_text("dear diary")
    with open_stream("sim:speed=max,count=700") as stream:
        Feeding(stream, [recorder]).run()
    assert [part.name for part in recorder.paths] == ["out.edf", "out-003.edf", "out-004.edf"]
    assert (tmp_path / "out-002.edf").read_text() == "dear diary"


def test_nothing_is_left_where_the_second_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "out.raw").write_text("dear diary")
    with pytest.raises(UsageError, match="exists"):
        open_recorder(tmp_path / "out.edf", Settings(raw=True))
    assert [path.name for path in tmp_path.iterdir()] == ["out.raw"]


def test_a_recorder_that_got_nothing_leaves_nothing(tmp_path: Path) -> None:
    recorder = open_recorder(tmp_path / "out.edf", Settings())
    recorder.take(Batch([], [], [], time.monotonic_ns()))
    recorder.close("interrupt")
    assert list(tmp_path.iterdir()) == []
