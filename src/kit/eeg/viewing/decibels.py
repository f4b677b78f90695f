"""The range of power that spectra are drawn in, and where a power is in it. Pure."""

from __future__ import annotations

BOTTOM_DB, TOP_DB = -20.0, 40.0
TICK_HZ = 10


def share(power_db: float) -> float:
    """From 0 at the bottom to 1 at the top; what is beyond is at the edge."""
    return (min(max(power_db, BOTTOM_DB), TOP_DB) - BOTTOM_DB) / (TOP_DB - BOTTOM_DB)


def step(power_db: float, count: int) -> int:
    """Which of so many equal steps it is in, from 0 on."""
    return min(int(share(power_db) * count), count - 1)
