"""What makes a window of samples say nothing about a brain. Pure.

Whoever measures a window asks here first. A window with an artefact has no value: not zero, and not the value
of the window before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import sub
from typing import Literal

from kit.eeg.processing.bands import WHOLE, Band, band_power
from kit.eeg.scale import Scale

TOP = 1023
Artefact = Literal["clipped", "large", "step", "lost", "electrode"]


@dataclass(frozen=True)
class Limits:
    """What is still clean.

    `rail_counts`: so near to an end of the converter's range a sample is clipped (in real recordings up to
    4 % of them are). `peak_to_peak_uv` and `step_uv` (from one sample to the next): more moves than a brain
    does. `lost_share` of the packets may be missing. `mains_ratio`: an electrode is off where mains hum has
    more than so many times the power of all bands together.
    """

    rail_counts: int = 2
    peak_to_peak_uv: float = 200.0
    step_uv: float = 100.0
    lost_share: float = 0.01
    mains_ratio: float = 10.0


LIMITS = Limits()
_MAINS = (Band("50 Hz", 48, 52), Band("60 Hz", 58, 62))


def artefacts(
    counts: Sequence[int], scale: Scale, lost: int = 0, limits: Limits = LIMITS
) -> tuple[Artefact, ...]:
    """Those of a window of counts of which `lost` packets never came (whatever stands in their place)."""
    found: list[Artefact] = []
    if not counts:
        return ("lost",)
    low, high = min(counts), max(counts)
    if low <= limits.rail_counts or high >= TOP - limits.rail_counts:
        found.append("clipped")
    if (high - low) * scale.uv_per_count > limits.peak_to_peak_uv:
        found.append("large")
    if _step(counts) * scale.uv_per_count > limits.step_uv:
        found.append("step")
    if lost > limits.lost_share * len(counts):
        found.append("lost")
    return tuple(found)


def is_electrode_off(powers: Sequence[float], step_hz: float, limits: Limits = LIMITS) -> bool:
    """Does mains hum drown the bands in this spectrum, as it does where an electrode hangs in the air?"""
    hum = max(band_power(powers, step_hz, mains) for mains in _MAINS)
    return hum > limits.mains_ratio * band_power(powers, step_hz, WHOLE)


def _step(counts: Sequence[int]) -> int:
    return max(map(abs, map(sub, counts[1:], counts)), default=0)
