"""Spectrogram, spectrum and bands over time: a panel for each channel, with one scale for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from kit.eeg.plotting.gathering import Gathered
from kit.eeg.plotting.spectra import WINDOW_S
from kit.eeg.plotting.style import (
    BAND_LINES,
    FAINT,
    INK,
    MAP,
    NO_VALUE,
    TRACE,
    frame,
    inches,
    legend,
    time_label,
    time_unit,
)
from kit.eeg.processing.bands import BANDS

# Nothing above the board's low-pass is real.
_TOP_HZ = 60.0
_LOW_HZ = 0.5
_DARKEST_PERCENT, _LIGHTEST_PERCENT = 2.0, 99.5
_FLOOR = 1e-6  # µV²/Hz; a channel that stands still has no logarithm
_BAR_IN = 0.75  # with its numbers and label
# Panels of a spectrum in a row, and what is between two rows.
ACROSS, TITLE_GAP_IN = 3, 0.38
_DENSITY = "dB re 1 µV²/Hz"


def spectrogram(figure: Any, found: Gathered) -> None:
    """Density by time and frequency."""
    panels = _panels(figure, len(found.channels), right_in=_BAR_IN)
    unit, unit_us = time_unit(found.end_us - found.begin_us)
    within = _within(found)
    decibels = 10 * np.log10(np.maximum(found.spectra.densities()[:, within], _FLOOR))
    known = decibels[np.isfinite(decibels)]
    limits = np.percentile(known, [_DARKEST_PERCENT, _LIGHTEST_PERCENT]) if len(known) else (0.0, 1.0)
    right_us = found.begin_us + decibels.shape[-1] * found.spectra.columns.width_us
    frequencies = found.spectra.frequencies[within]
    half_hz = found.spectra.step_hz / 2
    image = None
    for row, panel in enumerate(panels):
        panel.set_facecolor(NO_VALUE)
        image = panel.imshow(
            decibels[row],
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            cmap=MAP,
            vmin=limits[0],
            vmax=limits[1],
            extent=(
                found.begin_us / unit_us,
                right_us / unit_us,
                frequencies[0] - half_hz,
                frequencies[-1] + half_hz,
            ),
        )
        panel.set_xlim(found.begin_us / unit_us, found.end_us / unit_us)
        panel.set_ylabel(f"ch{found.channels[row]}\nHz", rotation=0, ha="right", va="center")
        panel.set_yticks([0, 20, 40, 60])
        _say_if_empty(panel, found, row)
    _time_axis(panels, unit)
    if len(known) < decibels.size:
        unknown = Patch(color=NO_VALUE, label="no value: clipped, or packets lost")
        legend(figure, [unknown], 1)
    if image is not None:
        bar = figure.colorbar(image, cax=_beside(figure), label=_DENSITY)
        bar.outline.set_linewidth(0.5)


def spectrum(figure: Any, found: Gathered) -> None:
    """Density by frequency, the mean of all clean windows."""
    count = len(found.channels)
    across = min(count, ACROSS)
    down = -(-count // across)
    placed = frame(figure, down, across, TITLE_GAP_IN)
    panels = figure.subplots(
        down, across, sharex=True, sharey=True, squeeze=False, gridspec_kw=placed
    ).ravel()
    within = _within(found)
    densities = np.maximum(found.spectra.spectrum()[:, within], _FLOOR)
    frequencies = found.spectra.frequencies[within]
    for row, panel in enumerate(panels):
        if row >= count:
            panel.set_visible(False)
            continue
        _shade_bands(panel)
        panel.semilogy(frequencies, densities[row], color=TRACE)
        panel.set_title(f"ch{found.channels[row]}")
        panel.set_xlim(_LOW_HZ, frequencies[-1])
        panel.grid(axis="y", color="#dddddd", linewidth=0.4)
        _say_if_empty(panel, found, row)
        panel.yaxis.set_minor_locator(NullLocator())
        panel.tick_params(labelbottom=row + across >= count)
        if row + across >= count:
            panel.set_xlabel("frequency (Hz)")
        if row % across == 0:
            panel.set_ylabel("µV²/Hz")
    known = densities[np.isfinite(densities)]
    if len(known):
        panels[0].set_ylim(known.min() / 2, known.max() * 4)  # room for the bands' letters


def bands(figure: Any, found: Gathered) -> None:
    """The amplitude in each band by time."""
    panels = _panels(figure, len(found.channels))
    unit, unit_us = time_unit(found.end_us - found.begin_us)
    columns = np.arange(max(1, found.spectra.columns.used))
    at = (found.begin_us + (columns + 0.5) * found.spectra.columns.width_us) / unit_us
    for name, sign, colour, dashes in BAND_LINES:
        band = BANDS[name]
        powers = np.maximum(found.spectra.band(band), _FLOOR)
        label = f"{sign} {band.low_hz:g} to {band.high_hz:g} Hz"
        for panel, power in zip(panels, powers, strict=True):
            panel.semilogy(at, power, color=colour, linestyle=dashes, label=label)
    for row, panel in enumerate(panels):
        panel.set_xlim(found.begin_us / unit_us, found.end_us / unit_us)
        panel.set_ylabel(f"ch{found.channels[row]}\nµV²", rotation=0, ha="right", va="center")
        panel.yaxis.set_minor_locator(NullLocator())
        panel.grid(axis="y", color="#dddddd", linewidth=0.4)
        _say_if_empty(panel, found, row)
    _time_axis(panels, unit)
    legend(figure, panels[0].get_lines(), len(BAND_LINES))


def remark(found: Gathered) -> str:
    """What the figures are worth."""
    spectra = found.spectra
    seconds = f"windows of {WINDOW_S} s"
    if not spectra.seen:
        return f"no {seconds}: the recording is too short, or has too many gaps"
    # A gap is in windows, too, where it is so long that none was looked at.
    of_all = max(spectra.seen, spectra.within(found.end_us - found.begin_us) * len(found.channels))
    left_out = of_all - int(spectra.windows.sum())
    return f"{seconds}, {100 * left_out / of_all:.2g} % left out (clipped, or packets lost)"


def _panels(figure: Any, count: int, right_in: float = 0.12) -> Sequence[Any]:
    placed = frame(figure, count, right_in=right_in)
    panels: Sequence[Any] = figure.subplots(
        count, 1, sharex=True, sharey=True, squeeze=False, gridspec_kw=placed
    )[:, 0]
    return panels


def _beside(figure: Any) -> Any:
    """The place of the bar with the colours."""
    placed, (width, _) = frame(figure, 1, right_in=_BAR_IN), inches(figure)
    bottom, top = placed["bottom"], placed["top"]
    return figure.add_axes((1 - (_BAR_IN - 0.1) / width, bottom, 0.12 / width, top - bottom))


def _time_axis(panels: Sequence[Any], unit: str) -> None:
    for panel in panels[:-1]:
        panel.tick_params(labelbottom=False)
    panels[-1].set_xlabel(time_label(unit))


def _within(found: Gathered) -> NDArray[np.bool_]:
    """Which frequencies are shown."""
    frequencies = found.spectra.frequencies
    within: NDArray[np.bool_] = (frequencies >= _LOW_HZ) & (frequencies <= _TOP_HZ)
    return within


def _shade_bands(panel: Any) -> None:
    """Where the bands are, and their letters on top."""
    for number, (name, sign, _, _) in enumerate(BAND_LINES):
        band = BANDS[name]
        if number % 2 == 0:
            panel.axvspan(band.low_hz, band.high_hz, color="#f0f0f0", linewidth=0)
        middle = (band.low_hz + band.high_hz) / 2
        panel.text(
            middle, 0.985, sign, transform=panel.get_xaxis_transform(), ha="center", va="top", color=FAINT
        )


def _say_if_empty(panel: Any, found: Gathered, row: int) -> None:
    if not found.spectra.windows[row].any():
        text = "no window without clipping or loss"
        panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", color=INK)
