"""Pages out of what was gathered: one below the other, or in a PDF each by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from kit.eeg.plotting import Form, Kind, PlotWish, overview, spectral, style
from kit.eeg.plotting.gathering import Gathered

_HEADINGS: dict[Kind, str] = {
    "overview": "overview",
    "spectrogram": "spectrogram",
    "spectrum": "spectrum",
    "bands": "power in the bands",
}
_DRAWN: dict[Kind, Callable[[Any, Gathered], None]] = {
    "overview": overview.draw,
    "spectrogram": spectral.spectrogram,
    "spectrum": spectral.spectrum,
    "bands": spectral.bands,
}
_LANE_IN = 0.85
_PANEL_IN = 1.5
# So early no board was recorded: that is a file without dates.
_DATED_US = 365 * 86_400 * 1_000_000
# What would tell when and by what it was made, where it would differ each time.
_METADATA: dict[Form, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": "kit"},
    "png": {"Software": "kit"},
    "pdf": {"CreationDate": None, "Creator": "kit", "Producer": None},
}


def write(found: Gathered, wish: PlotWish, title: str, form: Form, file: BinaryIO) -> None:
    """Draw the pages and write them."""
    with style.applied():
        if form == "pdf":
            with PdfPages(file, metadata=_METADATA[form]) as pages:
                for kind in wish.kinds:
                    pages.savefig(_figure(found, wish, title, [kind]))
            return
        figure = _figure(found, wish, title, wish.kinds)
        figure.savefig(file, format=form, dpi=style.DOTS_PER_INCH, metadata=_METADATA[form])


def _figure(found: Gathered, wish: PlotWish, title: str, kinds: Sequence[Kind]) -> Figure:
    heights = [_height(kind, len(found.channels)) for kind in kinds]
    figure = Figure(figsize=(style.WIDTH_IN, sum(heights)))
    parts: Any = figure.subfigures(len(kinds), 1, height_ratios=heights, squeeze=False)[:, 0]
    for kind, part in zip(kinds, parts, strict=True):
        style.headline(part, f"{title}: {_HEADINGS[kind]}\n{_facts(kind, found)}")
        _DRAWN[kind](part, found)
    return figure


def _height(kind: Kind, channels: int) -> float:
    """Of a page, in inches."""
    margins_in = style.TOP_IN + style.BOTTOM_IN
    if kind == "overview":
        return margins_in + sum(overview.heights(channels)) + style.GAP_IN * channels
    if kind == "spectrum":
        down = -(-channels // spectral.ACROSS)
        return margins_in + _PANEL_IN * down + spectral.TITLE_GAP_IN * (down - 1)
    return margins_in + max(2 * _LANE_IN, _LANE_IN * channels + style.GAP_IN * (channels - 1))


def _facts(kind: Kind, found: Gathered) -> str:
    parts = [*_date(found), f"{found.rate_hz:g} Hz", _lost(found)]
    if kind == "overview":
        parts.append(f"{found.scale.uv_per_count:g} µV per count ({found.scale.origin})")
    else:
        parts.append(spectral.remark(found))
    return ", ".join(parts)


def _date(found: Gathered) -> list[str]:
    if found.start_us < _DATED_US:
        return []
    return [f"{datetime.fromtimestamp(found.start_us // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"]


def _lost(found: Gathered) -> str:
    if not found.lost:
        return f"{found.packets:,} packets, none lost"
    share = 100 * found.lost / (found.lost + found.packets)
    return f"{found.packets:,} packets, {found.lost:,} lost ({share:.2g} %)"
