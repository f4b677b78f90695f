"""The calibrations that were made, by device, as the text of a file. Pure.

A device is known by what tells its adapter from all others: USB's vendor and product, the serial number, and
of an adapter with several ports which of them it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kit.core.errors import UsageError
from kit.eeg.scale import Scale

if TYPE_CHECKING:
    from kit.eeg.calibrating.measuring import Calibration

FORMAT = 1
Identity = tuple[str, str, str | None]


@dataclass(frozen=True)
class Kept:
    """A calibration as it is kept: the scale, when it was made (as 2026-11-28T22:30:00Z), and by what."""

    uv_per_count: float
    made: str
    peak_to_peak_uv: float
    frequency_hz: float
    waveform: str
    channels_uv_per_count: tuple[float | None, ...] = ()

    def scale(self, zero: float) -> Scale:
        """What it makes of counts."""
        return Scale(self.uv_per_count, zero, f"calibrated {self.made[:10]}")


@dataclass(frozen=True)
class Calibrations:
    """All of them."""

    devices: Mapping[str, Kept] = field(default_factory=dict)

    def find(self, identity: Identity | None) -> Kept | None:
        """The one of a device."""
        return self.devices.get(name_of(identity)) if identity else None

    def put(self, identity: Identity, kept: Kept) -> Calibrations:
        """These with one more, or another one."""
        return replace(self, devices={**self.devices, name_of(identity): kept})

    def text(self) -> str:
        """The file."""
        devices = {name: asdict(kept) for name, kept in self.devices.items()}
        return json.dumps({"format": FORMAT, "devices": devices}, indent=2) + "\n"


def keep(calibration: Calibration, made: str) -> Kept:
    """What of a calibration is kept."""
    return Kept(
        calibration.uv_per_count,
        made,
        calibration.request.peak_to_peak_uv,
        calibration.frequency_hz,
        calibration.waveform,
        tuple(one.uv_per_count if one.verdict == "good" else None for one in calibration.channels),
    )


def name_of(identity: Identity) -> str:
    """The device's name in the file."""
    usb_id, serial_number, interface = identity
    return f"{usb_id} {serial_number}" + (f" {interface}" if interface else "")


def read(text: str, path: str) -> Calibrations:
    """What a file says; raises UsageError for one that says something else."""
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']}, where this program knows {FORMAT}")
        return Calibrations({str(name): _kept(value) for name, value in found["devices"].items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{path!r} is no file of calibrations ({error})", hint="move it away, and calibrate again"
        ) from None


def _kept(value: Mapping[str, Any]) -> Kept:
    uv_per_count = float(value["uv_per_count"])
    if not 1e-9 < uv_per_count < 1e9:
        raise ValueError(f"no scale has {uv_per_count:g} µV a count")
    return Kept(
        uv_per_count,
        str(value["made"]),
        float(value["peak_to_peak_uv"]),
        float(value["frequency_hz"]),
        str(value["waveform"]),
        tuple(None if one is None else float(one) for one in value["channels_uv_per_count"]),
    )
