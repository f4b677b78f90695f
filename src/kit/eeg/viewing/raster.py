"""Pixels: boxes, lines with soft edges, and letters of lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil, floor, sqrt

from kit.eeg.viewing.picture import ADVANCE, Box, Cells, Path, Picture, Text
from kit.eeg.viewing.strokes import Point, glyph

_PEN, _BOLD_PEN = 0.085, 0.13
# How far below the middle of a text its base line is, in its size.
_BASE = 0.36
_CHANNELS = 3


class Raster:
    """An image of red, green and blue bytes, row by row, in `pixels`."""

    def __init__(self, width: int, height: int, ground: str) -> None:
        self.width, self.height = width, height
        self.pixels = bytearray(bytes.fromhex(ground[1:]) * (width * height))

    def box(self, box: Box) -> None:
        """Filled, to whole pixels, and at least one."""
        x, end = self._span(box.x, box.width, self.width)
        y, last = self._span(box.y, box.height, self.height)
        row = bytes.fromhex(box.colour[1:]) * (end - x)
        for at in range(y, last):
            begin = (at * self.width + x) * _CHANNELS
            self.pixels[begin : begin + len(row)] = row

    def path(self, path: Path) -> None:
        """A line with round ends."""
        points = list(zip(path.points[::2], path.points[1::2], strict=True))
        self._draw([points], path.width / 2, path.colour)

    def text(self, text: Text) -> None:
        """Letters of the built-in pen."""
        wide = ADVANCE * text.size
        x = text.x - len(text.text) * wide * {"start": 0, "middle": 0.5, "end": 1}[text.anchor]
        base = text.y + _BASE * text.size
        strokes = [
            [(x + at * wide + px * text.size, base - py * text.size) for px, py in stroke]
            for at, character in enumerate(text.text)
            for stroke in glyph(character)
        ]
        pen = max((_BOLD_PEN if text.bold else _PEN) * text.size, 1.0)
        self._draw(strokes, pen / 2, text.colour)

    def cells(self, cells: Cells) -> None:
        """Each a box."""
        columns, rows = cells.edges()
        for colours, (y, bottom) in zip(cells.rows, pairwise(rows), strict=True):
            for colour, (x, end) in zip(colours, pairwise(columns), strict=True):
                self.box(Box(x, y, end - x, bottom - y, colour))

    def _span(self, begin: float, length: float, limit: int) -> tuple[int, int]:
        first = round(begin)
        last = max(round(begin + length), first + 1) if length > 0 else first
        return min(max(first, 0), limit), min(max(last, 0), limit)

    def _draw(self, lines: Sequence[Sequence[Point]], half: float, colour: str) -> None:
        """All of them as one shape, so that a place where they cross is no darker."""
        cover: dict[int, float] = {}
        for points in lines:
            ends = [points[0], points[0]] if len(points) == 1 else points
            for (x, y), (to_x, to_y) in pairwise(ends):
                self._cover(cover, (x, y, to_x, to_y), half)
        red, green, blue = bytes.fromhex(colour[1:])
        pixels = self.pixels
        for place, share in cover.items():
            at, rest = place * _CHANNELS, 1 - share
            pixels[at] = int(pixels[at] * rest + red * share)
            pixels[at + 1] = int(pixels[at + 1] * rest + green * share)
            pixels[at + 2] = int(pixels[at + 2] * rest + blue * share)

    def _cover(self, cover: dict[int, float], ends: tuple[float, float, float, float], half: float) -> None:
        """By how much a piece of a line covers each pixel: by the distance of its middle from the line."""
        # Pixel k has its middle at k + 0.5.
        x, y, to_x, to_y = (value - 0.5 for value in ends)
        dx, dy, reach = to_x - x, to_y - y, half + 0.5
        square = dx * dx + dy * dy or 1.0
        for row in range(
            max(ceil(min(y, to_y) - reach), 0), min(floor(max(y, to_y) + reach), self.height - 1) + 1
        ):
            for column in self._columns((x, y, dx, dy), row, reach):
                along = min(max(((column - x) * dx + (row - y) * dy) / square, 0.0), 1.0)
                off_x, off_y = column - x - along * dx, row - y - along * dy
                share = reach - sqrt(off_x * off_x + off_y * off_y)
                place = row * self.width + column
                if share > cover.get(place, 0.0):
                    cover[place] = min(share, 1.0)

    def _columns(self, line: tuple[float, float, float, float], row: int, reach: float) -> range:
        """Those that a line can touch in a row."""
        x, y, dx, dy = line
        low, high = sorted((x, x + dx))
        if abs(dy) > 1e-9:
            first, last = sorted(((row - reach - y) / dy, (row + reach - y) / dy))
            near = sorted((x + max(first, 0.0) * dx, x + min(last, 1.0) * dx))
            low, high = max(low, near[0]), min(high, near[1])
        return range(max(ceil(low - reach), 0), min(floor(high + reach), self.width - 1) + 1)


def drawn(picture: Picture) -> Raster:
    """The picture's pixels."""
    raster = Raster(picture.width, picture.height, picture.ground)
    for shape in _shapes(picture):
        if isinstance(shape, Box):
            raster.box(shape)
        elif isinstance(shape, Path):
            raster.path(shape)
        elif isinstance(shape, Text):
            raster.text(shape)
        else:
            raster.cells(shape)
    return raster


def _shapes(picture: Picture) -> Iterator[Box | Path | Text | Cells]:
    """From the lowest to the highest."""
    yield from picture.under
    yield from picture.paths
    if picture.cells:
        yield picture.cells
    yield from picture.over
    yield from picture.cover
    yield from picture.help
