"""kit eeg calibrate as a command, with calibrators whose size is known."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.eeg.calibrating.calibrator import counts, sent, sine, square

Kit = Callable[..., "subprocess.CompletedProcess[str]"]


def _file(path: Path, *columns: list[int]) -> str:
    path.write_bytes(sent(columns))
    return str(path)


def test_the_figure_is_printed_where_it_cannot_be_kept(kit: Kit, tmp_path: Path) -> None:
    path = _file(tmp_path / "cal.raw", counts(square(500)), counts(square(512)))
    done = kit("eeg", "calibrate", path, "--peak-to-peak", "250")
    assert done.returncode == 0
    assert "0.4941 µV per count, by a square wave of 250 µV from peak to peak at 14.00 Hz" in done.stdout
    assert "the channels differ by 2.4 %" in done.stdout
    assert "has no serial number to keep it by: say --uv-per-count 0.4941" in done.stdout


def test_the_figure_is_exact_and_the_file_of_ten_seconds_is_enough(kit: Kit, tmp_path: Path) -> None:
    path = _file(tmp_path / "cal.raw", counts(sine(410, 11.3), seconds=20))
    done = kit("eeg", "calibrate", path, "--peak-to-peak", "200", "--json")
    found = json.loads(done.stdout)
    assert found["uv_per_count"] == pytest.approx(200 / 410, rel=0.01)
    assert found["kept"] is None
    assert [one["verdict"] for one in found["channels"]] == ["good", *["flat"] * 5]
    assert "10.0 s" in done.stderr


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (counts(square(1400)), "channel 1 is clipped"),
        (counts(lambda _: 0.0, noise=30), "channel 1 is without the signal"),
    ],
    ids=["clipped", "absent"],
)
def test_a_bad_signal_is_refused(kit: Kit, tmp_path: Path, column: list[int], said: str) -> None:
    done = kit("eeg", "calibrate", _file(tmp_path / "cal.raw", column), "--peak-to-peak", "250")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
