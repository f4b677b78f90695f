"""What stands below the traces in a terminal: the bars of the bands, a spectrum, a spectrogram. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kit.eeg.viewing import colours
from kit.eeg.viewing.decibels import BOTTOM_DB, TICK_HZ, TOP_DB, step
from kit.eeg.viewing.dots import Grid, Heights, trace
from kit.eeg.viewing.frame import Bar, Bars, Frame, Spectrum
from kit.eeg.viewing.glyphs import Glyphs
from kit.eeg.viewing.paint import RESET, Paint

SPECTRUM_ROWS = 9


class Panels:
    """Rows of a width, behind a gutter."""

    def __init__(self, width: int, gutter: int, glyphs: Glyphs, paint: Paint) -> None:
        self._width = width
        self._gutter = gutter
        self._glyphs = glyphs
        self._paint = paint

    def rows(self, frame: Frame) -> list[str]:
        """All that are wished for."""
        rows = self._bars(frame.bars)
        if frame.spectrum:
            rows += self._spectrum(frame.spectrum)
        return rows

    def _bars(self, channels: Sequence[Bars]) -> list[str]:
        if not channels:
            return []
        wide = self._width // len(channels[0].bars)
        quiet = self._paint.tone("quiet")
        head = "".join(_band_name(bar, wide).ljust(wide) for bar in channels[0].bars)
        rows = [quiet + self._label("µV rms") + self._glyphs.text(head) + RESET]
        for bars in channels:
            colour = self._paint.on(bars.colour)
            cells = "".join(self._bar(bar, wide) for bar in bars.bars)
            rows.append(colour + self._label(bars.label.removeprefix("channel ")) + cells + RESET)
        return rows

    def _bar(self, bar: Bar, wide: int) -> str:
        """Its length is the share, its number the amplitude."""
        room = max(0, wide - 8)
        if bar.uv is None or bar.share is None:
            return "-".rjust(5).ljust(wide)
        eighths = round(min(bar.share, 1) * room * 8)
        drawn = self._glyphs.eighths[8] * (eighths // 8)
        if eighths % 8:
            drawn += self._glyphs.eighths[eighths % 8]
        return f"{bar.uv:5.1f} {drawn}".ljust(wide)[:wide]

    def _spectrum(self, spectrum: Spectrum) -> list[str]:
        rows = SPECTRUM_ROWS - 2
        draw = self._line if spectrum.kind == "spectrum" else self._levels
        quiet = self._paint.tone("quiet")
        title = f"{spectrum.label}, {'dB of 1 µV²/Hz' if spectrum.kind == 'spectrum' else 'Hz over time'}"
        lines = [quiet + " " * self._gutter + self._glyphs.text(title)[: self._width] + RESET]
        lines += draw(spectrum, rows)
        if spectrum.kind == "spectrum":
            lines.append(quiet + self._label("Hz") + self._axis(spectrum) + RESET)
        else:
            lines.append("")
        return lines

    def _line(self, spectrum: Spectrum, rows: int) -> list[str]:
        """Power over frequency; the middle of the rows is between the lowest and the highest power."""
        wide, high = self._glyphs.wide, self._glyphs.high
        values, middle = spectrum.columns[-1], (TOP_DB + BOTTOM_DB) / 2
        stretches = [(0, [value - middle for value in values])] if values else []
        columns = self._width * wide
        grid = Grid(max(2, len(spectrum.frequencies_hz)), columns)
        dots = trace(stretches, grid, 0, columns, Heights((TOP_DB - BOTTOM_DB) / 2, rows * high))
        full = (1 << high) - 1
        colour, quiet = self._paint.on(spectrum.colour), self._paint.tone("quiet")
        lines = []
        for row in range(rows):
            cells = [
                self._glyphs.cells[
                    sum(self._glyphs.columns[k][dots[at + k] >> row * high & full] for k in range(wide))
                ]
                for at in range(0, columns, wide)
            ]
            label = {0: f"{TOP_DB:g}", rows - 1: f"{BOTTOM_DB:g}"}.get(row, "")
            lines.append(quiet + self._label(label) + colour + "".join(cells) + RESET)
        return lines

    def _axis(self, spectrum: Spectrum) -> str:
        last = spectrum.frequencies_hz[-1] if len(spectrum.frequencies_hz) > 1 else 1
        cells = [" "] * self._width
        for hz in range(0, int(last) + 1, TICK_HZ):
            at = int(hz / last * (self._width - 1))
            text = str(hz)
            if at + len(text) <= self._width:
                cells[at : at + len(text)] = text
        return "".join(cells)

    def _levels(self, spectrum: Spectrum, rows: int) -> list[str]:
        """Frequency upwards, time to the right, as the traces."""
        count = len(spectrum.frequencies_hz)
        lines = []
        for row in range(rows):
            first, last = count * (rows - 1 - row) // rows, count * (rows - row) // rows
            until = max(last, first + 1)
            levels = [
                None if column is None else step(max(column[first:until]), len(colours.SCALE))
                for column in spectrum.columns
            ]
            cells = [levels[at * len(levels) // self._width] for at in range(self._width)]
            label = f"{spectrum.frequencies_hz[max(last, 1) - 1]:.0f}" if row % 3 == 0 else ""
            lines.append(self._paint.tone("quiet") + self._label(label) + self._shaded(cells) + RESET)
        return lines

    def _shaded(self, levels: Sequence[int | None]) -> str:
        """Colour where there is any, else shades; nothing where the signal has a gap."""
        shades, text, before = self._glyphs.shades, "", None
        coloured = self._paint.depth in ("256", "full")
        for level in levels:
            if not coloured:
                text += (
                    " " if level is None else shades[level * (len(shades) - 1) // (len(colours.SCALE) - 1)]
                )
                continue
            if level != before:
                text += RESET if level is None else self._paint.behind(colours.SCALE[level])
                before = level
            text += self._paint.on(colours.GAP) + self._glyphs.behind["gap"] if level is None else " "
        return text

    def _label(self, text: str) -> str:
        return self._glyphs.text(text)[: self._gutter - 1].rjust(self._gutter - 1) + " "


def _band_name(bar: Bar, wide: int) -> str:
    names = (f"{'':6}{bar.band} {bar.range}", f"{'':6}{bar.band}", bar.band[: wide - 1].rjust(5))
    return next((name for name in names if len(name) < wide), names[-1])
