"""What the channels carried over a whole capture, however short its runs are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kit.eeg.records import Layout, Run, Stretch
from kit.eeg.stats import channels, hum
from kit.eeg.stats.report import ChannelFigures, HumFigures

# Short runs are measured together, as each measurement costs as much as some hundred packets.
_BATCH_BYTES = 64 * 1024


@dataclass(frozen=True)
class Measuring:
    """The two functions that look at every packet; numpy has quicker ones that give the same."""

    channels: Callable[[Stretch], tuple[channels.ChannelMeasure, ...]] = channels.measure
    hum: Callable[[Stretch, Sequence[hum.Wave]], list[list[int]]] = hum.powers


class ChannelTotals:
    """Runs in, figures of each channel out."""

    def __init__(self, rate_hz: Fraction, measuring: Measuring) -> None:
        self._measuring = measuring
        self._waves = hum.waves(rate_hz)
        self._blocks = hum.Blocks()
        self._layout: Layout | None = None
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._totals: list[channels.ChannelMeasure] = []
        self._powers: list[list[int]] = []
        self._measured_blocks: list[int] = []

    @property
    def hum_blocks(self) -> int:
        """How many blocks were looked at for hum."""
        return max(self._measured_blocks, default=0)

    def add(self, run: Run) -> None:
        """The packets of a run; those that came before are not counted again."""
        if run.repeated:
            return
        if run.stretch.layout is not self._layout or self._batch_bytes > _BATCH_BYTES:
            self._measure()
            self._layout = run.stretch.layout
        self._batch.append(run.stretch.data)
        self._batch_bytes += len(run.stretch.data)
        picked = self._blocks.add(run)
        if picked:
            self._measure_hum(picked)

    def figures(self) -> tuple[ChannelFigures, ...]:
        """Of all so far."""
        self._measure()
        return tuple(self._figures(channel) for channel in range(len(self._totals)))

    def _measure(self) -> None:
        if not self._layout or not self._batch:
            return
        data = self._batch[0] if len(self._batch) == 1 else b"".join(self._batch)
        self._batch.clear()
        self._batch_bytes = 0
        found = self._measuring.channels(Stretch(self._layout, 0, data))
        for channel, one in enumerate(found):
            if channel < len(self._totals):
                self._totals[channel] = channels.merged(self._totals[channel], one)
            else:
                self._totals.append(one)

    def _measure_hum(self, blocks: Stretch) -> None:
        for channel, found in enumerate(self._measuring.hum(blocks, self._waves)):
            if channel == len(self._powers):
                self._powers.append([0] * len(self._waves))
                self._measured_blocks.append(0)
            self._powers[channel] = [a + b for a, b in zip(self._powers[channel], found, strict=True)]
            self._measured_blocks[channel] += len(blocks) // hum.BLOCK

    def _figures(self, channel: int) -> ChannelFigures:
        total = self._totals[channel]
        count = total.count
        variance = (total.squares * count - total.total**2) / count**2
        return ChannelFigures(
            total.low,
            total.high,
            total.total / count,
            variance**0.5,
            total.clipped,
            total.clipped / count,
            total.longest,
            self._hum(channel, variance),
        )

    def _hum(self, channel: int, variance: float) -> tuple[HumFigures, ...]:
        if channel >= len(self._powers):
            return ()
        found = []
        for wave, power in zip(self._waves, self._powers[channel], strict=True):
            height = hum.amplitude(power, self._measured_blocks[channel])
            share = min(1.0, height**2 / 2 / variance) if variance else 0.0
            found.append(HumFigures(wave.hz, height, share))
        return tuple(found)
