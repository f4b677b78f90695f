"""The letters of pictures, as lines of a pen. Pure.

Each glyph is strokes of points: a digit for x, 0 to 8, and a letter for y, from `a` below the base line over
`c` (on it), `h` (a small letter's height) and `j` (a capital's) to `k`. A stroke behind `~` is rounded; one
that ends where it began is closed, and a single point is a dot. Drawn for kit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

Point = tuple[float, float]

_GLYPHS = {
    "A": "0c4j8c 1e7e",
    "B": "1c1j ~1j5j7j7g5g1g ~1g5g8g8c5c1c",
    "C": "~8h7j4j1j0h0e1c4c7c8e",
    "D": "1c1j ~1j4j8j8c4c1c",
    "E": "7j1j1c7c 1g6g",
    "F": "7j1j1c 1g6g",
    "G": "~8h7j4j1j0h0e1c4c8c8f 8f5f",
    "H": "1c1j 7c7j 1g7g",
    "I": "2j6j 4j4c 2c6c",
    "J": "3j7j ~7j7e7c4c1c1d",
    "K": "1c1j 7j1f 3g7c",
    "L": "1j1c7c",
    "M": "0c0j4f8j8c",
    "N": "1c1j7c7j",
    "O": "~4j1j0h0e1c4c7c8e8h7j4j",
    "P": "1c1j ~1j5j8j8f5f1f",
    "Q": "~4j1j0h0e1c4c7c8e8h7j4j 5e8b",
    "R": "1c1j ~1j5j8j8f5f1f 4f8c",
    "S": "~7i6j3j1j1g4g7g7c5c2c1d",
    "T": "0j8j 4j4c",
    "U": "~1j1e1c4c7c7e7j",
    "V": "0j4c8j",
    "W": "0j2c4h6c8j",
    "X": "1j7c 7j1c",
    "Y": "0j4f8j 4f4c",
    "Z": "1j7j1c7c",
    "a": "7h7c ~7g5h3h1h1c3c5c7d",
    "b": "1j1c ~1g3h5h7h7c5c3c1d",
    "c": "~7g6h3h1h1c3c6c7d",
    "d": "7j7c ~7g5h3h1h1c3c5c7d",
    "e": "1f7f ~7f7h4h1h1c4c6c7d",
    "f": "3c3h ~3h3j6j7j 1h6h",
    "g": "~7g5h3h1h1c3c5c7d ~7h7c7a4a2a",
    "h": "1j1c ~1g3h5h7h7e7c",
    "i": "2h4h4c 2c6c 4j",
    "j": "3h5h ~5h5c5a3a1a 5j",
    "k": "1j1c 6h1e 3f7c",
    "l": "2j4j4c 2c6c",
    "m": "0h0c ~0g1h3h4h4e4c ~4g5h7h8h8e8c",
    "n": "1h1c ~1g3h5h7h7e7c",
    "o": "~4h2h1g1d2c4c6c7d7g6h4h",
    "p": "1h1a ~1g3h5h7h7c5c3c1d",
    "q": "7h7a ~7g5h3h1h1c3c5c7d",
    "r": "2h2c ~2f3h5h7h7g",
    "s": "~7g6h3h1h1f4f7f7c5c2c1d",
    "t": "3j3e ~3e3c5c7c 1h6h",
    "u": "~1h1e1c3c5c7d 7h7c",
    "v": "1h4c7h",
    "w": "0h2c4g6c8h",
    "x": "1h7c 7h1c",
    "y": "1h4c 7h4c3a1a",
    "z": "1h7h1c7c",
    "0": "~4j2j1h1e2c4c6c7e7h6j4j",
    "1": "2i4j4c 2c6c",
    "2": "~1i1j4j7j7g5f1c 1c7c",
    "3": "~1i2j4j7j7g5g3g ~3g5g8g7c5c2c1d",
    "4": "6c6j1e8e",
    "5": "7j2j1g ~1g3h5h7h7c5c2c1d",
    "6": "~6j4j1i1e ~1e1c4c7c7g4g1g1e",
    "7": "1j7j3c",
    "8": "~4j2j1i1h2g4g6g7h7i6j4j ~4g2g1f1d2c4c6c7d7f6g4g",
    "9": "~2c4c7d7h ~7h7j4j1j1f4f7f7h",
    " ": "",
    "!": "4j4e 4c",
    '"': "3j3h 5j5h",
    "#": "3j2c 6j5c 1h7h 1e7e",
    "$": "~7i6j3j1j1g4g7g7c5c2c1d 4k4b",
    "%": "7j1c ~2j1i2h3i2j ~6e5d6c7d6e",
    "&": "~7c3g2i3j5j5h1f1c4c7f",
    "'": "4j4h",
    "(": "~5k3i3d5a",
    ")": "~3k5i5d3a",
    "*": "4i4e 2h6f 6h2f",
    "+": "4h4d 2f6f",
    ",": "4d4c3a",
    "-": "2f6f",
    ".": "4c",
    "/": "7k1b",
    ":": "4g 4d",
    ";": "4g 4d3b",
    "<": "7h1f7d",
    "=": "1g7g 1e7e",
    ">": "1h7f1d",
    "?": "~1i2j5j7j7h4g4e 4c",
    "@": "~6f5g4g3e5e6f6e7d8f8i5j2j0h0d2b6b",
    "[": "5k3k3a5a",
    "\\": "1k7b",
    "]": "3k5k5a3a",
    "^": "2h4j6h",
    "_": "0b8b",
    "`": "3k5j",
    "{": "~5k4k4g2f ~2f4e4a5a",
    "|": "4k4a",
    "}": "~3k4k4g6f ~6f4e4a3a",
    "~": "~1f2g4f6e7f",
    "µ": "1h1a ~1d1c3c5c7d 7h7c",
    "²": "~3j3k5k5j3h 3h5h",
    "±": "4i4e 2g6g 2d6d",
    "·": "4f",
    "°": "~4k3k3j5j5k4k",
    "…": "1c 4c 7c",
    "●": "~4h2h2d6d6h4h ~4g3g3e5e5g4g 4f",
    "○": "~4h2h2d6d6h4h",
    "▾": "2g6g4e2g 3g5g4f",
    "▸": "3h3d6f3h 4g4e5f",
    "▏": "1k1a",
    "←": "7f1f 3g1f3e",
    "→": "1f7f 5g7f5e",
    "↑": "4d4i 3h4i5h",
    "↓": "4i4d 3e4d5e",
}
_UNKNOWN = "1c1j7j7c1c"
# In hundredths of the letters' size.
_COLUMN, _LEFT, _ROW = 6.1, 5.5, 10.2
_CUTS = 2


@cache
def glyph(character: str) -> tuple[tuple[Point, ...], ...]:
    """The strokes of a character one pixel large: from its left edge, and up from the base line."""
    return tuple(_stroke(text) for text in _GLYPHS.get(character, _UNKNOWN).split())


def _stroke(text: str) -> tuple[Point, ...]:
    pairs = text.removeprefix("~")
    points = [
        ((int(x) * _COLUMN + _LEFT) / 100, (ord(y) - ord("c")) * _ROW / 100)
        for x, y in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    for _ in range(_CUTS if text.startswith("~") else 0):
        points = list(_rounded(points))
    return tuple(points)


def _rounded(points: Sequence[Point]) -> Iterator[Point]:
    """Its corners cut, by Chaikin's method; the ends stay, unless it is closed."""
    closed = points[0] == points[-1]
    if not closed:
        yield points[0]
    for (x, y), (to_x, to_y) in pairwise(points):
        yield x * 0.75 + to_x * 0.25, y * 0.75 + to_y * 0.25
        yield x * 0.25 + to_x * 0.75, y * 0.25 + to_y * 0.75
    if closed:
        (x, y), (to_x, to_y) = points[0], points[1]
        yield x * 0.75 + to_x * 0.25, y * 0.75 + to_y * 0.25
    else:
        yield points[-1]
