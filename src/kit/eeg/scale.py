"""Microvolts per count: a setting, because nobody agrees on it. Pure.

Sources for the ModularEEG differ by a factor of four, from 0.241 (Olimex' theoretical maximum of gain) over
0.488 (BCI2000) and 0.5 (OpenEEG's design page) to 1.001 (NeuroServer's EDF header); each board has a trimmer.
No absolute figure from this hardware is to be trusted without a calibration.
"""

from __future__ import annotations

from dataclasses import dataclass

NOMINAL_UV_PER_COUNT = 0.5
NOMINAL_ZERO = 512


@dataclass(frozen=True)
class Scale:
    """How counts become microvolts; `origin` says where the figure comes from."""

    uv_per_count: float = NOMINAL_UV_PER_COUNT
    zero: float = NOMINAL_ZERO
    origin: str = "nominal"

    def microvolts(self, count: float) -> float:
        """What a count stands for."""
        return (count - self.zero) * self.uv_per_count


def preferred(given: Scale, told: Scale | None) -> Scale:
    """What the user gave, or else what the recording tells of itself."""
    return given if given.origin != "nominal" else told or given
