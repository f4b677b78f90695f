"""`from kit import eeg`, as a program of somebody else's uses it."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import pytest

from kit import eeg
from kit.core.errors import Unavailable
from kit.eeg import p2


def _example() -> str:
    """The indented block of the package's docstring."""
    assert eeg.__doc__
    found = re.search(r"\n\n((?:(?: {4}.*)?\n)+?)\n\S", eeg.__doc__)
    assert found
    return textwrap.dedent(found[1])


def test_the_example_of_the_docstring_has_ten_lines_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example = _example()
    assert len([line for line in example.splitlines() if line]) <= 10
    assert "/dev/ttyUSB0" in example
    exec(example.replace("/dev/ttyUSB0", "sim:speed=max,count=64,fault=lost:every=8"), {})  # noqa: S102
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if re.fullmatch(r"\d+( \d+){6}", line)]) == 56
    assert lines.count("lost: 1") >= 7
    assert re.fullmatch(r"56 packets, 1\d\.\d\d % lost", lines[-1])


@pytest.mark.parametrize("name", sorted(eeg._WHERE))
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(eeg, name)
    assert name in dir(eeg)
    assert inspect.getdoc(found)
    assert not str(inspect.getdoc(found)).startswith(f"{name}(")  # what a dataclass without one has


def test_every_name_is_known_to_type_checkers() -> None:
    source = Path(eeg.__file__).read_text()
    assert {name for _, name in re.findall(r"import (\w+) as (\w+)", source)} == set(eeg._WHERE)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = eeg.nonsense


def test_packets_of_a_file_with_their_gaps(tmp_path: Path) -> None:
    file = tmp_path / "capture.raw"
    sent = [eeg.Packet(0, 2, counter, (1, 2, 3, 4, 5, counter), 14, 0) for counter in (0, 1, 4)]
    file.write_bytes(b"".join(map(p2.encode, sent)))
    with eeg.open(str(file)) as stream:
        samples = list(stream.packets())
    assert [sample.packet.channels[5] for sample in samples] == [0, 1, 4]
    assert [sample.sequence for sample in samples] == [0, 1, 4]
    assert (stream.tally.lost, stream.tally.loss_percent) == (2, 40.0)


def test_a_capture_can_be_written_in_any_format(tmp_path: Path) -> None:
    writer = eeg.make_writer("csv", dating=eeg.Dating(), scale=eeg.Scale())
    with eeg.open("sim:speed=max,count=10") as stream:
        text = writer.head() + writer.render(list(stream)) + writer.tail()
    assert text.count(b"\n") == 11
    assert text.startswith(b"time_us,")


def test_a_capture_without_a_descriptor_is_fed() -> None:
    capture = eeg.Capture("p2")
    data = b"".join(p2.encode(eeg.Packet(0, 2, counter, (0,) * 6, 15, 0)) for counter in range(3))
    items = [*capture.feed(eeg.Chunk(data)), *capture.end("end")]
    assert [type(item) for item in items] == [eeg.Run, eeg.Ended]


def test_a_device_that_is_not_there_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no file or device") as caught:
        eeg.open(str(tmp_path / "ttyUSB9"))
    assert caught.value.hint
