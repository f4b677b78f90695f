"""The calibration of a device is its scale, wherever it is plugged in, unless another one is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.cli.eeg.scales import calibration_file, identity_of, save, scale_of
from kit.core.errors import UsageError
from kit.eeg.calibrating.keeping import Kept
from kit.eeg.scale import Scale
from kit.eeg.sources.ports import Port, list_ports
from tests.eeg.sources.sysfs import Adapter, Tree

KEPT = Kept(0.488, "2026-11-28T22:30:00Z", 250, 14.0, "square")


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Port]:
    """A board with a serial number, and one without."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    tree = Tree(tmp_path / "root")
    tree.add_usb_serial("ttyUSB0", Adapter("0403", "6001", serial="A9007XYZ"), "ftdi_sio")
    tree.add_usb_serial("ttyUSB1", Adapter("0403", "6001"), "ftdi_sio")
    return list_ports(root=tree.root)


def _save(ports: list[Port]) -> Path:
    identity = identity_of("/dev/ttyUSB0", ports)
    assert identity
    return save(identity, KEPT)


def test_a_calibrated_device_has_its_own_scale(ports: list[Port]) -> None:
    assert _save(ports) == calibration_file()
    scale = scale_of(Scale(zero=510), "/dev/ttyUSB0", ports)
    assert scale == Scale(0.488, 510, "calibrated 2026-11-28")


def test_what_is_asked_for_goes_first(ports: list[Port]) -> None:
    _save(ports)
    asked = Scale(0.6, 512, "given")
    assert scale_of(asked, "/dev/ttyUSB0", ports) == asked


@pytest.mark.parametrize("name", ["/dev/ttyUSB1", "/dev/pts/7", "sim:", "socket://localhost:7", "ttyUSB0"])
def test_another_source_has_the_nominal_one(ports: list[Port], name: str) -> None:
    _save(ports)
    assert scale_of(Scale(), name, ports) == Scale()


def test_without_a_source_it_is_the_one_port_that_a_board_is_on(ports: list[Port]) -> None:
    _save(ports)
    assert scale_of(Scale(), None, ports[:1]).uv_per_count == 0.488
    assert scale_of(Scale(), None, ports) == Scale()


def test_a_link_to_the_device_is_the_device(ports: list[Port], tmp_path: Path) -> None:
    _save(ports)
    link = tmp_path / "eeg"
    link.symlink_to("/dev/ttyUSB0")
    assert scale_of(Scale(), str(link), ports).origin == "calibrated 2026-11-28"


def test_without_a_file_nothing_is_looked_for(ports: list[Port]) -> None:
    assert scale_of(Scale(), "/dev/ttyUSB0", ports) == Scale()


def test_a_broken_file_is_said(ports: list[Port]) -> None:
    _save(ports).write_text("{")
    with pytest.raises(UsageError, match="is no file of calibrations"):
        scale_of(Scale(), "/dev/ttyUSB0", ports)
