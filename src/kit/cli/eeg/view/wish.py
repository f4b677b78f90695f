"""How a view is to look, wherever it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from kit.core.errors import UsageError
from kit.eeg.viewing.filtering import FilterWish
from kit.eeg.viewing.glyphs import ASCII, BLOCKS, BRAILLE, Glyphs
from kit.eeg.viewing.settings import CHANNELS, Settings, Units

# Reads that are handed on together where more than a view is fed: shorter than a picture, so that it is new.
TOGETHER_S = 0.02
_LONGEST_S = 0.1  # a driver's buffer holds what comes in this time, at any rate that a board may have
_AGAINST_OFFSET = FilterWish(high_pass_hz=0.5)


@dataclass(frozen=True)
class ViewWish:
    """How it is to be shown."""

    channels: tuple[int, ...] | None = (1, 2)
    seconds: float = 4
    gain: float = 100
    units: Units = "uv"
    sweep: bool | None = None
    filters: FilterWish = _AGAINST_OFFSET
    ascii: bool = False
    blocks: bool = False
    fps: float | None = None
    window: bool = False
    snapshot: str | None = None

    def together_s(self, usual_fps: float) -> float:
        """How long reads are to be handed on together where there is nothing but the view.

        That is once for each picture, or some times where pictures are few.
        """
        pace_s = self.pace_s(usual_fps)
        return pace_s / ceil(pace_s / _LONGEST_S)

    def pace_s(self, usual_fps: float) -> float:
        """From one picture to the next."""
        return 1 / (self.fps or usual_fps)

    def settings(self, environment: Mapping[str, str]) -> Settings:
        """What the scene begins with; over ssh a sweep, which sends a twentieth of what a scroll does."""
        return Settings(
            shown=self._shown(),
            reaches=(self.gain,) * CHANNELS,
            units=self.units,
            seconds=self.seconds,
            sweep=bool(environment.get("SSH_CONNECTION")) if self.sweep is None else self.sweep,
            filters=self.filters,
        )

    def _shown(self) -> tuple[bool, ...]:
        channels = range(1, CHANNELS + 1)
        if self.channels and self.channels[-1] > CHANNELS:
            raise UsageError(f"there is no channel {self.channels[-1]}", hint=f"there are 1 to {CHANNELS}")
        return tuple(self.channels is None or number in self.channels for number in channels)

    def glyphs(self, environment: Mapping[str, str]) -> Glyphs:
        """The Linux console has no braille in its font."""
        if self.ascii:
            return ASCII
        return BLOCKS if self.blocks or environment.get("TERM") == "linux" else BRAILLE
