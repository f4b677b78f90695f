"""Pictures as files: SVG as text, PNG from pixels. Pure.

PNG (ISO/IEC 15948): a signature, then chunks of length, type, data and CRC: IHDR, IDAT (the rows deflated, a
byte with the row's filter before each) and IEND.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from itertools import groupby, pairwise
from xml.sax.saxutils import escape, quoteattr

from kit.eeg.viewing.picture import Box, Cells, Path, Picture, Text
from kit.eeg.viewing.raster import Raster

_FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
# How far below the middle of a text its base line is, in its size.
_BASE = 0.35
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTH, _RGB = 8, 2
_AS_IT_IS = b"\0"


def svg(picture: Picture, title: str) -> str:
    """The picture as a document of its own."""
    size = f'width="{picture.width}" height="{picture.height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {picture.width} {picture.height}" '
        f'font-family={quoteattr(_FONT)} xml:space="preserve">',
        f"<title>{escape(title)}</title>",
        f'<rect {size} fill="{picture.ground}"/>',
        *map(_box, picture.under),
        *map(_path, picture.paths),
        *(_cells(picture.cells) if picture.cells else ()),
        *map(_text, picture.over),
        *map(_box, picture.cover),
        *map(_text, picture.help),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def png(raster: Raster) -> bytes:
    """The pixels as a file."""
    row = raster.width * 3
    rows = [_AS_IT_IS + raster.pixels[begin : begin + row] for begin in range(0, len(raster.pixels), row)]
    head = struct.pack(">IIBBBBB", raster.width, raster.height, _DEPTH, _RGB, 0, 0, 0)
    data = zlib.compress(b"".join(rows), 9)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _box(box: Box) -> str:
    x, y, width, height = map(_number, (box.x, box.y, box.width, box.height))
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{box.colour}"/>'


def _path(path: Path) -> str:
    points = " ".join(
        f"{_number(x)},{_number(y)}" for x, y in zip(path.points[::2], path.points[1::2], strict=True)
    )
    line = f'stroke="{path.colour}" stroke-width="{_number(path.width)}" stroke-linejoin="round"'
    return f'<polyline points="{points}" fill="none" {line} stroke-linecap="round"/>'


def _text(text: Text) -> str:
    place = (
        f'x="{_number(text.x)}" y="{_number(text.y + _BASE * text.size)}" font-size="{_number(text.size)}"'
    )
    more = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    more += ' font-weight="bold"' if text.bold else ""
    return f'<text {place} fill="{text.colour}"{more}>{escape(text.text)}</text>'


def _cells(cells: Cells) -> Iterator[str]:
    """Those of one colour in a row together."""
    columns, rows = cells.edges()
    for colours, (y, bottom) in zip(cells.rows, pairwise(rows), strict=True):
        at = 0
        for colour, same in groupby(colours):
            end = at + len(list(same))
            yield _box(Box(columns[at], y, columns[end] - columns[at], bottom - y, colour))
            at = end
