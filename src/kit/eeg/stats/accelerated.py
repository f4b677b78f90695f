"""The measuring that numpy does where it pays, and plain Python everywhere else. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kit.eeg.acceleration import Acceleration
from kit.eeg.records import Stretch
from kit.eeg.stats import channels, hum
from kit.eeg.stats.channel_totals import Measuring


def measuring() -> Measuring:
    """For one capture."""
    acceleration = Acceleration()

    def measure(stretch: Stretch) -> tuple[channels.ChannelMeasure, ...]:
        if not acceleration.pays(len(stretch)):
            return channels.measure(stretch)
        from kit.eeg import fast

        return fast.measure(stretch)

    def powers(blocks: Stretch, known: Sequence[hum.Wave]) -> list[list[int]]:
        if not acceleration.pays(len(blocks)):
            return hum.powers(blocks, known)
        from kit.eeg import fast

        return fast.powers(blocks, known)

    return Measuring(measure, powers)
