"""What stands below the traces in a picture: the bars of the bands, a spectrum, a spectrogram. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit.eeg.viewing import colours
from kit.eeg.viewing.decibels import BOTTOM_DB, TICK_HZ, TOP_DB, share, step
from kit.eeg.viewing.frame import Bars, Frame, Spectrum
from kit.eeg.viewing.picture import Box, Cells, Path, Text

_QUIET, _GROUND, _RULE = "#96a0aa", "#1a2027", "#242c35"
_ROW, _SPECTRUM = 20, 175
_STEP_DB = 20
_LEVELS = 32

Shapes = tuple[list[Box], list[Path], "Cells | None", list[Text]]


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the picture."""

    x: float
    y: float
    width: float
    height: float


class Graphs:
    """Draws them, so many pixels a point, with characters of that width."""

    def __init__(self, unit: float, advance: float) -> None:
        self._u = unit
        self._advance = advance

    def height(self, frame: Frame) -> float:
        """What they need."""
        bars = (len(frame.bars) + 1.5) * _ROW if frame.bars else 0
        return (bars + (_SPECTRUM if frame.spectrum else 0)) * self._u

    def draw(self, frame: Frame, area: Area) -> Shapes:
        """Their shapes."""
        shapes: Shapes = ([], [], None, [])
        if frame.bars:
            self._bars(frame.bars, area, shapes)
        if frame.spectrum:
            high = _SPECTRUM * self._u
            below = Area(area.x, area.y + area.height - high, area.width, high - 34 * self._u)
            shapes = self._spectrum(frame.spectrum, below, shapes)
        return shapes

    def _bars(self, channels: Sequence[Bars], area: Area, shapes: Shapes) -> None:
        """A row a channel; a bar is as long as its share, and its number the amplitude."""
        u, (boxes, _, _, texts) = self._u, shapes
        wide = area.width / len(channels[0].bars)
        texts.append(Text(area.x - 17 * u, area.y + _ROW * u / 2, "µV rms", _QUIET, 11 * u, "end"))
        for at, bar in enumerate(channels[0].bars):
            room = int(wide / (11 * u * self._advance)) - 1
            name = f"{bar.band} {bar.range}" if len(bar.band) + len(bar.range) < room else bar.band[:room]
            texts.append(Text(area.x + at * wide, area.y + _ROW * u / 2, name, _QUIET, 11 * u))
        for row, channel in enumerate(channels, 1):
            y = area.y + row * _ROW * u
            texts.append(Text(10 * u, y + _ROW * u / 2, channel.label, channel.colour, 11 * u, bold=True))
            for at, bar in enumerate(channel.bars):
                x, number = area.x + at * wide, "-" if bar.uv is None else f"{bar.uv:.1f}"
                texts.append(Text(x + 34 * u, y + _ROW * u / 2, number, channel.colour, 11 * u, "end"))
                long = max(wide - 54 * u, 0)
                boxes.append(Box(x + 42 * u, y + 5 * u, long, (_ROW - 9) * u, _GROUND))
                if bar.share is not None:
                    drawn = min(bar.share, 1) * long
                    boxes.append(Box(x + 42 * u, y + 5 * u, drawn, (_ROW - 9) * u, channel.colour))

    def _spectrum(self, spectrum: Spectrum, area: Area, shapes: Shapes) -> Shapes:
        u, (boxes, paths, _, texts) = self._u, shapes
        what = "dB of 1 µV²/Hz by Hz" if spectrum.kind == "spectrum" else "Hz over time"
        title = f"{spectrum.label}, {what}"
        texts.append(Text(area.x, area.y + 8 * u, title, spectrum.colour, 11 * u, bold=True))
        plot = Area(area.x, area.y + 18 * u, area.width, area.height - 18 * u)
        boxes.append(Box(plot.x, plot.y, plot.width, plot.height, _GROUND))
        if spectrum.kind == "spectrum":
            self._grid(spectrum, plot, shapes)
            paths += self._line(spectrum, plot)
            return boxes, paths, None, texts
        last = spectrum.frequencies_hz[-1]
        for hz in range(0, int(last) + 1, TICK_HZ * 2):
            y = plot.y + plot.height * (1 - hz / last)
            texts.append(Text(plot.x - 17 * u, y, f"{hz} Hz", _QUIET, 11 * u, "end"))
        return boxes, paths, self._cells(spectrum, plot), texts

    def _grid(self, spectrum: Spectrum, plot: Area, shapes: Shapes) -> None:
        u, (boxes, _, _, texts) = self._u, shapes
        for db in range(int(BOTTOM_DB), int(TOP_DB) + 1, _STEP_DB):
            y = plot.y + plot.height * (1 - share(db))
            boxes.append(Box(plot.x, y, plot.width, max(1, u), _RULE))
            texts.append(Text(plot.x - 17 * u, y, f"{db}", _QUIET, 11 * u, "end"))
        last = spectrum.frequencies_hz[-1] or 1
        for hz in range(0, int(last) + 1, TICK_HZ):
            x = plot.x + plot.width * hz / last
            boxes.append(Box(x, plot.y, max(1, u), plot.height, _RULE))
            texts.append(Text(x, plot.y + plot.height + 10 * u, f"{hz}", _QUIET, 11 * u, "middle"))

    def _line(self, spectrum: Spectrum, plot: Area) -> list[Path]:
        powers, last = spectrum.columns[-1], spectrum.frequencies_hz[-1] or 1
        if powers is None or len(powers) < 2:
            return []
        points: list[float] = []
        for hz, power in zip(spectrum.frequencies_hz, powers, strict=True):
            depth = 1 - share(power)
            points += [round(plot.x + plot.width * hz / last, 1), round(plot.y + plot.height * depth, 1)]
        return [Path(points, spectrum.colour, max(1.5 * self._u, 1))]

    def _cells(self, spectrum: Spectrum, plot: Area) -> Cells:
        """Frequency upwards, time to the right; of more columns than pixels some are left out.

        What is before the first column is before the capture, mostly, and no gap.
        """
        count, wide, high = len(spectrum.columns), int(plot.width), max(1, int(plot.height))
        shown = min(count, wide)
        columns = [spectrum.columns[at * count // shown] for at in range(shown)]
        begun = next((number for number, column in enumerate(columns) if column), shown)
        size = -(-len(spectrum.frequencies_hz) // high)
        rows = tuple(
            tuple(
                _colour(max(column[at : at + size]))
                if column
                else colours.GAP_GROUND
                if number > begun
                else _GROUND
                for number, column in enumerate(columns)
            )
            for at in reversed(range(0, len(spectrum.frequencies_hz), size))
        )
        return Cells(int(plot.x), int(plot.y), wide, high, rows)


def _colour(power_db: float) -> str:
    return _PALETTE[step(power_db, _LEVELS)]


def _between(part: float) -> str:
    """A colour of the scale, between the two that are next to it."""
    at = part * (len(colours.SCALE) - 1)
    low = min(int(at), len(colours.SCALE) - 2)
    one, other = (bytes.fromhex(colours.SCALE[k][1:]) for k in (low, low + 1))
    mixed = (round(a + (b - a) * (at - low)) for a, b in zip(one, other, strict=True))
    return "#" + bytes(mixed).hex()


_PALETTE = tuple(_between(level / (_LEVELS - 1)) for level in range(_LEVELS))
