"""The bands of the EEG, and how much power of a spectrum lies in one. Pure.

Half-open, `low_hz` <= f < `high_hz`. Sources differ by a hertz or two at each edge, so any other band can be
made. Nothing above 50 Hz is real: the board's own low-pass is at 59 Hz.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Band:
    """A range of frequencies with a name."""

    name: str
    low_hz: float
    high_hz: float


BANDS: Mapping[str, Band] = {
    band.name: band
    for band in (
        Band("delta", 0.5, 4),
        Band("theta", 4, 8),
        Band("alpha", 8, 13),
        Band("smr", 12, 15),
        Band("beta", 13, 30),
        Band("gamma", 30, 45),
    )
}
# What a relative power is relative to.
WHOLE = Band("whole", 1, 45)
# So that a band's edge that is meant to lie on a frequency of the spectrum does.
_SLACK = 1e-9


def band_power(powers: Sequence[float], step_hz: float, band: Band) -> float:
    """µV² in a band, of the densities of a spectrum (`spectrum.psd`) that are `step_hz` apart.

    `step_hz` is the sampling rate through the number of samples that the spectrum is of.
    """
    low, high = (max(ceil(edge / step_hz - _SLACK), 0) for edge in (band.low_hz, band.high_hz))
    return step_hz * sum(powers[low:high])


def relative(powers: Sequence[float], step_hz: float, band: Band, whole: Band = WHOLE) -> float | None:
    """The band's share of the power from 1 to 45 Hz; None where there is none."""
    total = band_power(powers, step_hz, whole)
    return band_power(powers, step_hz, band) / total if total > 0 else None
