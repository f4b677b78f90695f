"""What the streams say of themselves, by the conventions of XDF's meta-data for EEG. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kit.eeg.scale import Scale

Units = Literal["adc", "uv"]
Tree = Mapping[str, "str | Tree | list[Tree]"]
_UNIT_NAMES: Mapping[Units, str] = {"adc": "counts", "uv": "microvolts"}


@dataclass(frozen=True)
class Origin:
    """Where the signal comes from: the source as it was named, and the adapter if it is one."""

    name: str
    host: str
    manufacturer: str | None = None
    product: str | None = None
    serial_number: str | None = None

    @property
    def source_id(self) -> str:
        """The same each time, so that who reads the stream finds it again after an interruption."""
        return f"kit-eeg {self.serial_number or f'{self.host} {self.name}'}"


@dataclass(frozen=True)
class Description:
    """The EEG stream."""

    origin: Origin
    channels: int
    units: Units
    scale: Scale

    def tree(self) -> Tree:
        """What stands in the stream's `desc`."""
        unit = _UNIT_NAMES[self.units]
        labels = [f"ch{number + 1}" for number in range(self.channels)]
        channels: list[Tree] = [{"label": label, "unit": unit, "type": "EEG"} for label in labels]
        return {
            "channels": {"channel": channels},
            "acquisition": self._acquisition(),
            "scale": {
                "uv_per_count": f"{self.scale.uv_per_count:.12g}",
                "zero": f"{self.scale.zero:.12g}",
                "origin": self.scale.origin,
            },
            "synchronization": {"can_drop_samples": "true"},
        }

    def _acquisition(self) -> Tree:
        origin = self.origin
        known = {
            "manufacturer": origin.manufacturer,
            "model": origin.product,
            "serial_number": origin.serial_number,
            "source": origin.name,
        }
        return {name: value for name, value in known.items() if value}
