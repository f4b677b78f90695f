"""One capture feeds many, in order, and closes all of them whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.core.errors import Unavailable
from kit.eeg import open as open_stream
from kit.eeg.feeding import Batch, Feeding, Mark
from kit.eeg.signals import Block
from tests.eeg.recordings.recorded import START_US, encoded, files
from tests.eeg.recordings.test_edf_encoder import runs

SOURCE = "sim:seed=3,speed=max,count=2000"


class Collector:
    """A sink that keeps what it is given."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.batches: list[Batch] = []
        self.closed: list[str] = []
        self._fails_at = fails_at

    def take(self, batch: Batch) -> None:
        if self._fails_at == len(self.batches):
            raise Unavailable("it is full")
        self.batches.append(batch)

    def close(self, reason: str) -> None:
        self.closed.append(reason)

    @property
    def packets(self) -> int:
        return sum(
            len(signal) for batch in self.batches for signal in batch.signals if isinstance(signal, Block)
        )


def test_every_sink_gets_every_packet() -> None:
    sinks = [Collector(), Collector()]
    with open_stream(SOURCE) as stream:
        Feeding(stream, sinks).run()
    assert [sink.packets for sink in sinks] == [2000, 2000]
    assert [sink.closed for sink in sinks] == [["end"], ["end"]]


def test_a_sink_that_fails_ends_the_capture_and_the_others_are_closed() -> None:
    good, bad = Collector(), Collector(fails_at=1)
    with open_stream(SOURCE) as stream, pytest.raises(Unavailable, match="it is full"):
        Feeding(stream, [good, bad]).run()
    assert good.closed == ["error"]
    assert bad.closed == ["error"]


def test_a_thread_reads_while_another_one_marks_adds_and_removes() -> None:
    first, second = Collector(), Collector()
    with open_stream("sim:seed=3", together_s=0.005) as stream:
        feeding = Feeding(stream, [first])
        feeding.start()
        feeding.add(second)
        feeding.mark("eyes closed", 17)
        while not any(batch.marks for batch in second.batches):
            assert feeding.running
        feeding.remove(second)
        while not second.closed:
            assert feeding.running
        feeding.stop()
        feeding.join(10)
    assert not feeding.running
    assert first.closed == ["interrupt"]
    assert second.closed == ["interrupt"]
    (mark,) = [mark for batch in first.batches for mark in batch.marks]
    assert (mark.time_us, mark.text) == (17, "eyes closed")


@pytest.mark.parametrize("form", ["edf", "xdf"])
def test_the_marks_of_a_recording_come_with_its_packets(form: str, tmp_path: Path) -> None:
    notes = [Mark(START_US + 1_000_000, "eyes closed"), Mark(START_US + 60_000_000, "nobody there any more")]
    path = tmp_path / "recording"
    path.write_bytes(*files(encoded(form, [runs(range(900))], notes=notes)))
    sink = Collector()
    with open_stream(str(path), form=None) as stream:
        Feeding(stream, [sink]).run()
    assert sink.packets >= 900
    assert [
        (round(mark.time_us - START_US, -1), mark.text) for batch in sink.batches for mark in batch.marks
    ] == [(1_000_000, "eyes closed")]


def test_the_error_of_the_source_is_raised_where_its_end_is_awaited() -> None:
    sink = Collector()
    with open_stream("sim:seed=3,speed=max,fault=unplug:at=1") as stream:
        feeding = Feeding(stream, [sink])
        feeding.start()
        with pytest.raises(Unavailable, match="unplugged"):
            feeding.join(10)
    assert sink.closed == ["error"]
    assert sink.packets
