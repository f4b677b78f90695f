"""Bytes of any format to the same items."""

from __future__ import annotations

import pytest

from kit.core.errors import ProtocolError
from kit.eeg import formats
from kit.eeg.capture import Capture
from kit.eeg.dating import Dating
from kit.eeg.intake import Intake
from kit.eeg.records import Chunk, Gone, Interrupted, Item, Run
from kit.eeg.scale import Scale
from tests.eeg.stats.streams import run_of

_RAW = run_of(40).stretch.data + b"noise" + run_of(60, 43).stretch.data


def _text(name: str) -> bytes:
    capture = Capture()
    items = [*capture.feed(Chunk(_RAW)), *capture.end("end")]
    writer = formats.make_writer(name, dating=Dating(), scale=Scale())
    return writer.head() + writer.render(items) + writer.tail()


def _packets(intake: Intake, data: bytes, size: int) -> tuple[int, int]:
    capture: list[Item] = []
    for at in range(0, len(data), size):
        capture += intake.feed(Chunk(data[at : at + size]))
    capture += intake.end("end")
    runs = [item for item in capture if isinstance(item, Run)]
    return sum(len(run.stretch) for run in runs), max(run.sequence + len(run.stretch) for run in runs)


@pytest.mark.parametrize("name", formats.WRITTEN)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_every_format_is_recognised_and_read_at_any_chunking(name: str, size: int) -> None:
    data = _text(name)
    intake = Intake(Capture())
    assert _packets(intake, data, size) == (100, 103)
    assert intake.format == name
    assert intake.received == len(data)


def test_a_given_format_is_not_looked_for() -> None:
    intake = Intake(Capture(), "csv")
    with pytest.raises(ProtocolError):
        intake.feed(Chunk(_text("eegreader")))
        intake.end("end")


def test_what_nobody_knows_is_taken_for_raw_bytes() -> None:
    intake = Intake(Capture())
    items = [*intake.feed(Chunk(b"what is this")), *intake.end("end")]
    assert intake.format == "raw"
    assert not [item for item in items if isinstance(item, Run)]
    assert intake.received == 12


def test_a_device_that_goes_away_is_passed_on() -> None:
    intake = Intake(Capture(), "raw")
    intake.feed(Chunk(_RAW, 0, 0))
    assert any(isinstance(item, Interrupted) for item in intake.interrupt(Gone("unplugged", 10**9, 10**9)))
