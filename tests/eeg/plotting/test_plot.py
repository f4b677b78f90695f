"""`kit eeg plot`: its figures against scipy's, its pictures, and what it says where there is none."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from kit.core.errors import NegativeAnswer, ProtocolError, UsageError
from kit.eeg import open as open_stream
from kit.eeg.batch import Mark
from kit.eeg.plotting import Form, PlotWish, draw, gather
from kit.eeg.plotting.envelope import Envelope
from kit.eeg.plotting.spectra import Spectra
from kit.eeg.plotting.spectral import remark
from kit.eeg.processing.bands import BANDS, band_power
from kit.eeg.scale import Scale
from tests.eeg.recordings.recorded import START_US, encoded, files
from tests.eeg.recordings.test_edf_encoder import runs

_KIT = [str(Path(sys.executable).parent / "kit"), "eeg", "plot"]
_WITHOUT_MATPLOTLIB = (
    "import sys; sys.modules['matplotlib'] = None; from kit.cli.main import main; sys.argv[0] = 'kit'; main()"
)
RATE_HZ = 256.0
Counts = NDArray[np.int16]


def _noise(count: int, channels: int = 2) -> Counts:
    chance = np.random.default_rng(7)
    return chance.integers(300, 700, (channels, count)).astype(np.int16)


def _at_us(sequence: NDArray[np.int64]) -> NDArray[np.int64]:
    return (sequence * (1e6 / RATE_HZ)).astype(np.int64)


def _pieces(count: int) -> Iterator[tuple[int, int]]:
    """Where a recording is cut by the reads."""
    chance, begin = Random(3), 0
    while begin < count:
        end = min(count, begin + chance.randrange(1, 3000))
        yield begin, end
        begin = end


def _spectra(counts: Counts, kept: NDArray[np.bool_] | None = None) -> Spectra:
    spectra = Spectra(len(counts), RATE_HZ)
    for begin, end in _pieces(counts.shape[1]):
        sequence = np.arange(begin, end)
        if kept is not None:
            sequence = sequence[kept[begin:end]]
        spectra.add(sequence, _at_us(sequence), counts[:, sequence])
    return spectra


def test_the_spectrum_is_scipys_welch_however_the_recording_is_read() -> None:
    counts = _noise(100_000)
    _, expected = signal.welch(counts.astype(float), RATE_HZ, nperseg=512, detrend="constant")
    np.testing.assert_allclose(_spectra(counts).spectrum(), expected, rtol=1e-9)


def test_a_column_of_the_spectrogram_is_scipys() -> None:
    counts = _noise(20_000)
    frequencies, times, expected = signal.spectrogram(
        counts.astype(float), RATE_HZ, "hann", 512, 256, detrend="constant", mode="psd"
    )
    spectra = _spectra(counts)
    columns = (times * 1e6 // spectra.columns.width_us).astype(int)
    np.testing.assert_allclose(spectra.densities()[..., columns], expected, rtol=1e-9)
    np.testing.assert_allclose(spectra.frequencies, frequencies)


def test_the_power_in_a_band_is_that_of_the_watcher() -> None:
    spectra = _spectra(_noise(5_000))
    powers = spectra.densities()[1, :, 4]
    for band in BANDS.values():
        expected = band_power(powers.tolist(), spectra.step_hz, band)
        assert spectra.band(band)[1, 4] == pytest.approx(expected, rel=1e-12)


def test_a_window_that_is_clipped_or_lost_more_than_a_hundredth_has_no_value() -> None:
    counts, kept = _noise(512 * 20), np.ones(512 * 20, bool)
    counts[1, 3000] = 1023
    kept[6000:6005] = False  # of 512 five are few enough
    kept[8000:8006] = False
    spectra = _spectra(counts, kept)
    unknown = np.isnan(spectra.densities()[:, 0])
    # A window stands where its middle is, a second behind its begin.
    assert np.flatnonzero(unknown[0]).tolist() == [0, 31]
    assert np.flatnonzero(unknown[1]).tolist() == [0, 11, 12, 31]
    alone = _spectra(_noise(512 * 20)[:, :8000])
    np.testing.assert_allclose(spectra.densities()[0, :, :22], alone.densities()[0, :, :22])


def test_what_does_not_follow_in_time_shares_no_window() -> None:
    counts = _noise(700)
    spectra = Spectra(2, RATE_HZ)
    for begin in (0, 350):
        sequence = np.arange(begin, begin + 350)
        spectra.add(sequence, _at_us(sequence), counts[:, sequence])
        spectra.cut()
    assert spectra.seen == 0
    assert np.isnan(spectra.spectrum()).all()


def test_columns_have_the_range_and_the_losses_of_their_time_and_stay_as_many() -> None:
    counts = _noise(60_000)
    envelope = Envelope(2, 1e6 / RATE_HZ)
    kept = np.ones(60_000, bool)
    kept[20_000:21_000] = False
    envelope.add_lost(int(_at_us(np.array([20_000]))[0]), 1000)
    for begin, end in _pieces(60_000):
        sequence = np.arange(begin, end)[kept[begin:end]]
        if len(sequence):
            envelope.add(_at_us(sequence), counts[:, sequence])
    columns = envelope.columns
    assert 1024 <= columns.used <= 2048
    places = _at_us(np.arange(60_000)) // columns.width_us
    for column in range(columns.used):
        inside = counts[:, (places == column) & kept]
        assert envelope.packets[column] == inside.shape[1]
        if inside.size:
            assert envelope.low[:, column].tolist() == inside.min(axis=1).tolist()
            assert envelope.high[:, column].tolist() == inside.max(axis=1).tolist()
    assert envelope.lost.sum() == 1000
    assert set(np.flatnonzero(envelope.packets[: columns.used] == 0)) <= set(np.flatnonzero(envelope.lost))
    envelope.add(np.array([10**15]), counts[:, :1])  # 30 years later
    assert columns.used <= 2048
    assert envelope.packets.sum() == 59_001


def test_losses_buttons_and_restarts_are_gathered_at_their_times() -> None:
    source = "sim:speed=max,seed=4,count=6000,fault=lost:at=5:burst=100,fault=restart:at=10.3"
    with open_stream(source) as stream:
        found = gather(stream, PlotWish())
    assert (found.packets, found.lost) == (5900, 100)
    assert [event.text for event in found.events if abs(event.at_us - 10_300_000) < 10_000] == ["restart"]
    assert [event for event in found.events if event.text.startswith("button ")]
    lost = np.flatnonzero(found.envelope.lost) * found.envelope.columns.width_us / 1e6
    assert (round(lost.min(), 1), round(lost.max(), 1)) == (5.0, 5.4)


def test_the_marks_of_a_recording_are_drawn_whatever_they_say(tmp_path: Path) -> None:
    texts = ["eyes closed", r"$\frac{", "a very long remark by whoever was there", "\x1b[31m", "目"]
    notes = [Mark(START_US + (5 - at) * 1_000_000, text) for at, text in enumerate(texts)]
    notes.append(Mark(START_US + 9 * 10**17, "far behind the last packet"))
    path = tmp_path / "marks.xdf"
    path.write_bytes(*files(encoded("xdf", [runs(range(2000))], notes=notes)))
    picture = io.BytesIO()
    with open_stream(str(path), form=None) as stream:
        found = gather(stream, PlotWish(begin_s=1.5))
        draw(found, PlotWish(("overview",)), "marks", "svg", picture)
    assert [(event.at_us, event.text) for event in found.events] == [
        (2_000_000, r"\x1b[31m"),
        (3_000_000, "a very long rem…"),
        (4_000_000, r"$\frac{"),
        (5_000_000, "eyes closed"),
    ]


def test_microvolts_are_those_of_the_scale() -> None:
    found = []
    for scale in (Scale(), Scale(2.0, origin="given")):
        with open_stream("sim:speed=max,seed=4,count=2000") as stream:
            found.append(gather(stream, PlotWish(scale=scale)).spectra.spectrum())
    np.testing.assert_allclose(found[1], 16 * found[0])


def test_only_the_wished_channels_and_seconds_are_read() -> None:
    with open_stream("sim:speed=max,seed=4,count=60000,fault=lost:at=3:burst=99") as stream:
        found = gather(stream, PlotWish(channels=(2,), begin_s=2.0, end_s=3.1))
        assert stream.tally.packets < 30_000
    assert len(found.channels) == len(found.envelope.low) == 1
    assert (found.begin_us, found.packets) == (2_000_000, 256)
    assert found.lost in (25, 26)


@pytest.mark.parametrize(
    ("source", "wish", "error"),
    [
        ("sim:speed=max,count=100", PlotWish(channels=(7,)), UsageError),
        ("sim:speed=max,count=100", PlotWish(begin_s=9), NegativeAnswer),
        ("sim:speed=max,count=100,protocol=p3,channels=0", PlotWish(), NegativeAnswer),
    ],
)
def test_what_is_not_there_is_not_drawn(source: str, wish: PlotWish, error: type[Exception]) -> None:
    with open_stream(source) as stream, pytest.raises(error):
        gather(stream, wish)


def _run(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, str]:
    done = subprocess.run(arguments, input=stdin, capture_output=True, check=False, timeout=120)
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stderr.decode()


_SOURCE = "sim:speed=max,seed=4,gain=6,count=4000,fault=lost:rate=0.01,fault=lost:at=9:burst=200"


def _drawn(form: Form, wish: PlotWish) -> bytes:
    picture = io.BytesIO()
    with open_stream(_SOURCE) as stream:
        draw(gather(stream, wish), wish, _SOURCE, form, picture)
    return picture.getvalue()


def test_a_picture_is_the_same_each_time(tmp_path: Path) -> None:
    picture = tmp_path / "night.svg"
    status, said = _run(*_KIT, _SOURCE, "--channels", "1", "-o", picture)
    assert (status, "packets in 15.6 s" in said) == (0, True)
    assert picture.read_bytes() == _drawn("svg", PlotWish(channels=(1,)))
    assert ElementTree.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314


def test_a_pdf_has_a_page_for_each_kind_and_no_date() -> None:
    content = _drawn("pdf", PlotWish(channels=(1,)))
    assert len(re.findall(rb"/Type /Page\b", content)) == 4
    assert b"Date" not in content


@pytest.mark.parametrize(
    "source", ["sim:speed=max,count=1", "sim:speed=max,count=900,gain=99,fault=lost:every=9"]
)
def test_a_recording_that_says_little_is_drawn_all_the_same(source: str) -> None:
    wish, picture = PlotWish(channels=(1,)), io.BytesIO()
    with open_stream(source) as stream:
        draw(gather(stream, wish), wish, "little", "png", picture)
    assert picture.getvalue().startswith(b"\x89PNG")


def test_errors_leave_no_picture_and_say_what_helps(tmp_path: Path) -> None:
    picture, two = tmp_path / "night.png", ("--kind", "spectrum", "-o")
    assert _run(*_KIT, "-", "-o", picture, stdin=b"nothing of the kind\n" * 9)[0] == ProtocolError.exit_status
    assert _run(*_KIT, "sim:", "-o", tmp_path / "night.gif") == (
        2,
        f"kit: error: nothing says what picture '{tmp_path / 'night.gif'}' is to be\n"
        "kit: hint: name it .svg, .png or .pdf\n",
    )
    status, said = _run(sys.executable, "-c", _WITHOUT_MATPLOTLIB, "eeg", "plot", "sim:", "-o", picture)
    assert (status, said) == (
        69,
        "kit: error: plotting takes matplotlib, which is not installed\nkit: hint: pip install 'kit[plot]'\n",
    )
    status, said = _run(*_KIT, "sim:speed=max,count=9", *two, tmp_path / "missing" / "night.png")
    assert (status, "cannot write" in said) == (69, True)
    assert list(tmp_path.iterdir()) == []


def test_windows_that_a_gap_swallows_count_as_left_out() -> None:
    with open_stream("sim:speed=max,duration=40,fault=lost:at=10:burst=200") as stream:
        found = gather(stream, PlotWish())
    assert remark(found) == "windows of 2 s, 5.1 % left out (clipped, or packets lost)"
