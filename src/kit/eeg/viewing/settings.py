"""What a person has chosen of the view, and the steps in which it changes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from kit.eeg.viewing.filtering import FilterWish

CHANNELS = 6
# What half a lane stands for, in microvolts or counts, and how many seconds the picture is wide.
REACHES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
WIDTHS_S = (0.25, 0.5, 1, 2, 4, 8, 10, 15, 20, 30, 60, 120, 300)
_MARGIN = 1.1
HIGH_PASS_HZ = (None, 0.5, 1, 2, 5)
NOTCH_HZ = (None, 50, 60)
LOW_PASS_HZ = (None, 20, 30, 40, 59)

_T = TypeVar("_T")
Units = Literal["uv", "adc"]
SpectrumKind = Literal["spectrum", "spectrogram"]


@dataclass(frozen=True, slots=True)
class Settings:
    """`selected` is the channel that keys are for, None for all of them; `shown` says it of 1 to 6."""

    shown: tuple[bool, ...] = (True, True, False, False, False, False)
    reaches: tuple[float, ...] = (100.0,) * CHANNELS
    selected: int | None = None
    units: Units = "uv"
    seconds: float = 4
    sweep: bool = False
    filters: FilterWish = FilterWish(high_pass_hz=0.5)  # noqa: RUF009 - it is frozen
    filtered: bool = True
    bars: bool = False
    spectrum: SpectrumKind | None = None
    help: bool = False

    @property
    def filters_now(self) -> FilterWish:
        """Those that are on."""
        return self.filters if self.filtered else FilterWish()

    def without_help(self) -> Settings:
        """With the picture to be seen."""
        return replace(self, help=False)

    def toggled(self, channel: int) -> Settings:
        """With this channel on that was off, or off; the last one stays."""
        shown = tuple(on != (at == channel - 1) for at, on in enumerate(self.shown))
        return replace(self, shown=shown) if any(shown) else self

    def reached(self, direction: int) -> Settings:
        """With the next reach, of the channel that is selected, or of all."""
        reaches = tuple(
            step(REACHES, reach, direction) if self.selected in (None, at + 1) else reach
            for at, reach in enumerate(self.reaches)
        )
        return replace(self, reaches=reaches)

    def in_units(self, units: Units, uv_per_count: float) -> Settings:
        """The same picture in another unit, as nearly as the steps allow."""
        if units == self.units:
            return self
        factor = uv_per_count if units == "uv" else 1 / uv_per_count
        return replace(self, units=units, reaches=tuple(nearest(reach * factor) for reach in self.reaches))


def step(steps: Sequence[float], now: float, direction: int) -> float:
    """The next step above (1) or below (-1); the last one stays."""
    beyond = [value for value in steps if (value - now) * direction > 0]
    return min(beyond, key=lambda value: abs(value - now)) if beyond else now


def covering(extent: float) -> float:
    """The least reach that shows this much."""
    return next((reach for reach in REACHES if reach >= extent * _MARGIN), REACHES[-1])


def nearest(reach: float) -> float:
    """The reach that is next to this one, by their ratio."""
    return min(REACHES, key=lambda value: max(value / reach, reach / value))


def following(steps: Sequence[_T], now: _T) -> _T:
    """The one behind this one, the first behind the last."""
    return steps[(steps.index(now) + 1) % len(steps)] if now in steps else steps[0]
