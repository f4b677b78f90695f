"""The overview: a lane of losses and events, and a lane for each channel with the range of its samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from kit.eeg.plotting.gathering import Event, Gathered
from kit.eeg.plotting.style import (
    CLIPPED,
    EVENT,
    HOLE,
    LOST,
    RANGE,
    TRACE,
    frame,
    legend,
    time_label,
    time_unit,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# A column from which so much is missing is a hole; less is told by the lane of losses alone.
_HOLE = 0.5
# Of the extremes of all columns so many are left out of the scale.
_OUTSIDE_PERCENT = 0.5
_LEAST_UV = 10.0
_ROOM = 1.15
_LEAST_SHOWN = 0.1
# Of fewer packets in a column a deviation says nothing.
_MEASURED = 16
_LABEL_APART = 0.08  # of the width
# More events would hide the signal.
_MANY = 60
_DASHES: Any = (0, (4, 2))


class _Lanes:
    """What was gathered, as the lanes show it: in microvolts, and in the unit of the axis of time."""

    def __init__(self, found: Gathered) -> None:
        columns, envelope = found.envelope.columns, found.envelope
        used = slice(columns.used)
        self.unit, self.unit_us = time_unit(found.end_us - found.begin_us)
        self.edges: Floats = (found.begin_us + np.arange(columns.used + 1) * columns.width_us) / self.unit_us
        self.limits = found.begin_us / self.unit_us, found.end_us / self.unit_us
        self.packets, self.lost = envelope.packets[used], envelope.lost[used]
        self.clipped = envelope.clipped[:, used]
        self.holes: Flags = (self.lost > 0) & (self.lost >= _HOLE * (self.lost + self.packets))
        empty, many = self.packets == 0, np.maximum(self.packets, 1)
        mean = envelope.sums[:, used] / many
        spread = np.sqrt(np.maximum(envelope.squares[:, used] / many - mean * mean, 0))
        measures = (envelope.low[:, used], envelope.high[:, used], mean - spread, mean + spread)
        self.low, self.high, self.usual_low, self.usual_high = (
            np.where(empty, np.nan, (counts - found.scale.zero) * found.scale.uv_per_count)
            for counts in measures
        )
        self.measured = columns.width_us * found.rate_hz / 1e6 >= _MEASURED
        self.middles: Floats = np.nanmedian((self.low + self.high) / 2, axis=1)

    def reach(self) -> tuple[float, float]:
        """How many microvolts a lane shows below and above its middle, the same for all."""
        middles = self.middles[:, None]
        outside = [
            np.nanpercentile(excess, 100 - _OUTSIDE_PERCENT, axis=1).max()
            for excess in (middles - self.low, self.high - middles)
        ]
        below, above = (_ROOM * max(_LEAST_UV, float(excess)) for excess in outside)
        return below, above


def heights(channels: int) -> list[float]:
    """Of the lanes, in inches."""
    return [0.42, *[0.75] * channels]


def draw(figure: Any, found: Gathered) -> None:
    """All lanes, into a figure."""
    tall = heights(len(found.channels))
    placed = {"height_ratios": tall, **frame(figure, len(tall))}
    axes = figure.subplots(len(tall), 1, sharex=True, gridspec_kw=placed)
    lanes = _Lanes(found)
    axes[-1].set_xlim(lanes.limits)
    axes[-1].set_xlabel(time_label(lanes.unit))
    _losses(axes[0], lanes)
    below, above = lanes.reach()
    for row, lane in enumerate(axes[1:]):
        lane.set_ylim(lanes.middles[row] - below, lanes.middles[row] + above)
        lane.set_ylabel(f"ch{found.channels[row]}\nµV", rotation=0, ha="right", va="center")
        _channel(lane, lanes, row)
        _clipped(lane, lanes, row)
        _bars(lane, lanes.edges, lanes.holes, (0, 1), facecolor=HOLE, edgecolor=LOST, hatch="////")
    _events(axes, found.events, lanes)
    for lane in axes[:-1]:
        lane.tick_params(labelbottom=False)
    width_s = found.envelope.columns.width_us / 1e6
    legend(figure, _legend(lanes, found, width_s), 5)


def _channel(lane: Any, lanes: _Lanes, row: int) -> None:
    at, empty = (lanes.edges[:-1] + lanes.edges[1:]) / 2, np.isnan(lanes.low[row])
    # Where columns are as narrow as packets one can be empty by rounding alone.
    kept = ~(empty & (lanes.lost == 0) & ~np.r_[True, empty[:-1]] & ~np.r_[empty[1:], True])
    colour = RANGE if lanes.measured else TRACE
    lane.fill_between(at[kept], lanes.low[row][kept], lanes.high[row][kept], color=colour, linewidth=0.5)
    if lanes.measured:
        lane.fill_between(
            at[kept], lanes.usual_low[row][kept], lanes.usual_high[row][kept], color=TRACE, linewidth=0.4
        )


def _clipped(lane: Any, lanes: _Lanes, row: int) -> None:
    """A bar above and below where it was so, and how much of the whole it is."""
    clipped = lanes.clipped[row]
    if not clipped.any():
        return
    for low in (0.0, 0.94):
        _bars(lane, lanes.edges, clipped > 0, (low, 0.06), facecolor=CLIPPED, edgecolor=CLIPPED)
    share = 100 * clipped.sum() / lanes.packets.sum()
    figure = f"{share:.0f}" if share >= 10 else f"{share:.2g}" if share >= 0.01 else "< 0.01"
    text = f"{figure} % clipped"
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0}
    lane.text(0.995, 0.87, text, color=CLIPPED, transform=lane.transAxes, ha="right", va="top", bbox=box)


def _losses(lane: Any, lanes: _Lanes) -> None:
    percent = 100 * lanes.lost / np.maximum(lanes.lost + lanes.packets, 1)
    most = max(1, int(np.ceil(percent.max(initial=0))))
    # However few they are beside the most, they are to be seen.
    shown = np.where(lanes.lost > 0, np.maximum(percent, _LEAST_SHOWN * most), 0)
    lane.fill_between(lanes.edges, np.r_[shown, 0], step="post", color=LOST, linewidth=0.6)
    lane.set_ylim(0, most)
    lane.set_yticks([0, most])
    lane.set_ylabel("lost\n%", rotation=0, ha="right", va="center")


def _bars(lane: Any, edges: Floats, which: Flags, part: tuple[float, float], **look: Any) -> None:
    """Mark some columns, in a part of the lane (its begin and height); neighbours are one bar."""
    steps = np.diff(np.r_[0, which.astype(int), 0])
    begins, ends = np.flatnonzero(steps > 0), np.flatnonzero(steps < 0)
    spans = [(edges[b], edges[e] - edges[b]) for b, e in zip(begins, ends, strict=True)]
    if spans:
        across = lane.get_xaxis_transform()
        lane.broken_barh(spans, part, transform=across, zorder=3, linewidth=0.3, **look)


def _events(axes: Sequence[Any], events: Sequence[Event], lanes: _Lanes) -> None:
    """A line through all lanes, with its text where there is room; many are ticks above the first one."""
    at = np.array([event.at_us for event in events]) / lanes.unit_us
    few = len(events) <= _MANY
    for lane in axes if few else axes[:1]:
        part, dashes = ((0, 1), _DASHES) if few else ((1.05, 1.3), "-")
        across = lane.get_xaxis_transform()
        lines = lane.vlines(at, *part, transform=across, colors=EVENT, linewidth=0.6, linestyles=dashes)
        lines.set_clip_on(few)
    last = -np.inf
    for when, event in sorted(zip(at, events, strict=True), key=lambda pair: pair[0]) if few else ():
        place = (when - lanes.limits[0]) / (lanes.limits[1] - lanes.limits[0])
        right = place > 1 - _LABEL_APART
        if place - last >= (2 if right else 1) * _LABEL_APART:
            last = place
            axes[0].annotate(
                event.text,
                (place, 1),
                xycoords="axes fraction",
                xytext=(-1 if right else 1, 2),
                ha="right" if right else "left",
                textcoords="offset points",
                color=EVENT,
                fontsize=6.5,
                parse_math=False,
            )


def _legend(lanes: _Lanes, found: Gathered, width_s: float) -> list[Any]:
    """What is to be seen, each once."""
    shown: list[Any] = [
        Patch(color=RANGE if lanes.measured else TRACE, label=f"range of the samples in {width_s:.2g} s")
    ]
    if lanes.measured:
        shown.append(Patch(color=TRACE, label="mean ± standard deviation"))
    if lanes.holes.any():
        shown.append(Patch(facecolor=HOLE, edgecolor=LOST, hatch="////", label="lost"))
    if lanes.clipped.any():
        shown.append(Patch(color=CLIPPED, label="clipped"))
    if found.events:
        few = len(found.events) <= _MANY
        text = "event" if few else f"events ({len(found.events)})"
        shown.append(
            Line2D([], [], color=EVENT, linewidth=0.8, linestyle=_DASHES if few else "-", label=text)
        )
    return shown
