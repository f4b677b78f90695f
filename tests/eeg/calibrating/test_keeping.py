"""A calibration that was kept is the one that is found, and a file that is broken is said to be."""

from __future__ import annotations

import json

import pytest

from kit.core.errors import UsageError
from kit.eeg.calibrating.keeping import Calibrations, Identity, Kept, keep, read
from kit.eeg.calibrating.measuring import Request, Samples, calibrate
from tests.eeg.calibrating.calibrator import RATE_HZ, counts, sine

DEVICE: Identity = ("0403:6001", "A9007XYZ", "00")
OTHER: Identity = ("0403:6001", "A9007XYZ", "01")
KEPT = Kept(0.488, "2026-11-28T22:30:00Z", 250, 14.0, "square", (0.48, None, 0.496))


def test_what_was_kept_is_found_again_for_its_device_alone() -> None:
    text = Calibrations().put(OTHER, KEPT).put(DEVICE, KEPT).text()
    found = read(text, "file")
    assert found.find(DEVICE) == KEPT
    assert found.find(("0403:6001", "B", "00")) is None
    assert found.find(None) is None
    assert len(found.devices) == 2


def test_a_new_one_takes_the_place_of_the_old_one() -> None:
    both = Calibrations().put(DEVICE, Kept(1.0, "2020-01-01T00:00:00Z", 1, 1, "sine")).put(DEVICE, KEPT)
    assert list(both.devices.values()) == [KEPT]


def test_its_scale_names_the_day() -> None:
    scale = KEPT.scale(zero=510)
    assert (scale.uv_per_count, scale.zero, scale.origin) == (0.488, 510, "calibrated 2026-11-28")


def test_a_measurement_is_kept_with_the_scale_of_each_good_channel() -> None:
    columns = [counts(sine(300)), counts(sine(1200))]
    samples = [Samples([n / RATE_HZ for n in range(len(column))], column) for column in columns]
    kept = keep(calibrate(samples, RATE_HZ, Request(250)), KEPT.made)
    assert kept.channels_uv_per_count == (pytest.approx(250 / 300, rel=0.01), None)
    assert read(Calibrations().put(DEVICE, kept).text(), "file").find(DEVICE) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"format": 2, "devices": {}}',
        '{"format": 1, "devices": {"a": {"uv_per_count": 0}}}',
        "[",
    ],
)
def test_a_broken_file_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(UsageError, match="'file' is no file of calibrations"):
        read(text, "file")


@pytest.mark.parametrize("value", [-1, 0, 1e300, "x", None])
def test_a_scale_that_none_has_is_an_error(value: object) -> None:
    text = json.loads(Calibrations().put(DEVICE, KEPT).text())
    text["devices"]["0403:6001 A9007XYZ 00"]["uv_per_count"] = value
    with pytest.raises(UsageError):
        read(json.dumps(text), "file")
