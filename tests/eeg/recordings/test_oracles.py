"""MNE, edfio and pyxdf open every recording, also one that was cut off at any place.

They are imported here only: that takes seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
import pyxdf

from kit.eeg import open as open_stream
from kit.eeg.feeding import Feeding
from kit.eeg.recordings.recorder import open_recorder
from kit.eeg.recordings.settings import Settings, Subject
from kit.eeg.scale import Scale
from tests.eeg.recordings.recorded import encoded, files, recorded, sent
from tests.eeg.recordings.test_edf_encoder import HEADER, runs


@pytest.fixture(autouse=True)
def _their_own_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def mne() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mne

        return mne


GAPS = (range(250), range(260, 600), range(601, 1000), range(1900, 2200))
LOST = 10 + 1 + 900


@pytest.mark.parametrize("form", ["edf", "bdf"])
def test_all_of_them_read_the_same_of_a_recording_with_gaps(mne: Any, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"out.{form}"
    settings = Settings(scale=Scale(0.25), subject=Subject("P1", "F"), labels=("Fp1",))
    (data,) = files(encoded(form, [runs(*GAPS)], settings))
    path.write_bytes(data)
    counts = np.array([one for part in GAPS for one in part]) & 1023
    read = (mne.io.read_raw_edf if form == "edf" else mne.io.read_raw_bdf)(
        path, preload=True, verbose="error"
    )
    assert read.info["sfreq"] == 256
    assert read.ch_names[:2] == ["EEG Fp1", "EEG ch2"]
    kept = read.get_data(reject_by_annotation="omit", verbose="error")[0] * 1e6
    assert len(kept) == 2200 - LOST
    assert np.allclose(kept, (counts - 512) * 0.25)
    assert [one["description"] for one in read.annotations][1:] == [
        "BAD_lost 10 packets",
        "BAD_lost 1 packet",
        "BAD_lost 900 packets",
        "BAD_padded 104 packets",
    ]
    other = (edfio.read_edf if form == "edf" else edfio.read_bdf)(path)
    assert np.allclose(other.signals[0].data * 1, read.get_data()[0] * 1e6)
    assert other.starttime.microsecond == 374_070
    assert other.patient.code == "P1"


@pytest.mark.parametrize("form", ["edf", "bdf"])
@pytest.mark.parametrize("torn", [0, 1, 1000])
def test_all_of_them_read_what_a_kill_left(mne: Any, tmp_path: Path, form: str, torn: int) -> None:
    path = tmp_path / f"out.{form}"
    (data,) = recorded(form, sent(range(256 * 6 + 30)))
    (longer,) = recorded(form, sent(range(256 * 7 + 30)))
    path.write_bytes(data + longer[len(data) : len(data) + torn])
    read = (mne.io.read_raw_edf if form == "edf" else mne.io.read_raw_bdf)(
        path, preload=True, verbose="error"
    )
    assert read.n_times == 7 * 256
    other = (edfio.read_edf if form == "edf" else edfio.read_bdf)(path)
    assert other.num_data_records == 7


def test_a_rate_that_is_no_whole_number_is_read_by_all(mne: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    (data,) = recorded("edf", sent(range(2000)), Settings(rate_hz=Fraction(1000, 3)))
    path.write_bytes(data)
    read = mne.io.read_raw_edf(path, preload=True, verbose="error")
    assert read.info["sfreq"] == pytest.approx(1000 / 3)
    assert edfio.read_edf(path).signals[0].sampling_frequency == pytest.approx(1000 / 3)


@pytest.mark.parametrize("cut", [0, 500])
def test_pyxdf_reads_a_recording_complete_and_torn(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "out.xdf"
    (data,) = files(encoded("xdf", [runs(*GAPS)]))
    path.write_bytes(data[: len(data) - cut])
    streams, _ = pyxdf.load_xdf(path)
    samples, markers = streams
    series = samples["time_series"]
    if not cut:
        assert len(series) == 2200
        assert samples["footer"]["info"]["sample_count"] == ["2200"]
        assert np.isnan(series[:, 0]).sum() == LOST
    assert [text for (text,) in markers["time_series"]] == [
        "BAD_lost 10 packets",
        "BAD_lost 1 packet",
        "BAD_lost 900 packets",
    ]
    assert np.allclose(series[:250, 0], (np.arange(250) - 512) * 0.5)
    assert list(series[255:262, 6]) == pytest.approx([float("nan")] * 5 + [4, 5], nan_ok=True)
    assert np.diff(samples["time_stamps"]) == pytest.approx(1 / 256, abs=1e-5)


def test_the_recorder_writes_what_they_read(mne: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.edf"
    with open_stream("sim:seed=2,speed=max,count=2560") as stream:
        feeding = Feeding(stream, [open_recorder(path, Settings())])
        feeding.mark("eyes closed")
        feeding.run()
    read = mne.io.read_raw_edf(path, preload=True, verbose="error")
    assert read.n_times == 2560
    assert "eyes closed" in list(read.annotations.description)
    assert path.stat().st_size > HEADER
