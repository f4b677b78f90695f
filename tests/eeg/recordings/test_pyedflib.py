"""pyedflib opens every recording, also one that was cut off; it is the library of EDFbrowser's author.

There is no wheel of it for Python 3.13, so only where Python is older.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import edfio
import numpy as np
import pytest

from kit.eeg.recordings.settings import Settings
from tests.eeg.recordings.recorded import encoded, files, recorded, sent
from tests.eeg.recordings.test_edf_encoder import runs

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 13), reason="no wheel of pyedflib for this Python")


@pytest.mark.parametrize("form", ["edf", "bdf"])
def test_it_reads_the_samples_and_annotations_of_a_recording_with_gaps(tmp_path: Path, form: str) -> None:
    import pyedflib

    path = tmp_path / f"out.{form}"
    (data,) = files(encoded(form, [runs(range(250), range(260, 600), range(601, 1000), range(1900, 2200))]))
    path.write_bytes(data)
    other = (edfio.read_edf if form == "edf" else edfio.read_bdf)(path)
    with pyedflib.EdfReader(str(path)) as read:
        assert np.allclose(read.readSignal(0), other.signals[0].data)
        assert len(read.readAnnotations()[2]) == 5
        assert read.getStartdatetime().second == other.starttime.second


@pytest.mark.parametrize("form", ["edf", "bdf"])
@pytest.mark.parametrize("torn", [0, 1, 1000])
def test_it_reads_what_a_kill_left(tmp_path: Path, form: str, torn: int) -> None:
    import pyedflib

    path = tmp_path / f"out.{form}"
    (data,) = recorded(form, sent(range(256 * 6 + 30)))
    (longer,) = recorded(form, sent(range(256 * 7 + 30)))
    path.write_bytes(data + longer[len(data) : len(data) + torn])
    with pyedflib.EdfReader(str(path)) as read:
        assert read.datarecords_in_file == 7


def test_it_reads_a_rate_that_is_no_whole_number(tmp_path: Path) -> None:
    import pyedflib

    path = tmp_path / "out.edf"
    (data,) = recorded("edf", sent(range(2000)), Settings(rate_hz=Fraction(1000, 3)))
    path.write_bytes(data)
    with pyedflib.EdfReader(str(path)) as read:
        assert read.getSampleFrequency(0) == pytest.approx(1000 / 3)
