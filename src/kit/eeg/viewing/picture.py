"""A drawn frame as plain shapes, for whoever puts them on a screen or into a file. Pure.

Coordinates are pixels, y downwards. What is in `under`, `paths`, `cells`, `over`, `cover` and `help` lies one
above the other in this order. Texts are of one width a character (`ADVANCE` of their size).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ADVANCE = 0.602  # of DejaVu Sans Mono, and within a hundredth that of the others


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True, slots=True)
class Path:
    """Lines from point to point: x, y, x, y …"""

    points: Sequence[float]
    colour: str
    width: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text that begins, ends or has its middle at x; its height is around y."""

    x: float
    y: float
    text: str
    colour: str
    size: float
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows of colours from top to bottom, which fill a rectangle of whole pixels."""

    x: int
    y: int
    width: int
    height: int
    rows: tuple[tuple[str, ...], ...]

    def edges(self) -> tuple[list[int], list[int]]:
        """Where the columns and the rows begin, and where the last ones end."""
        columns, rows = len(self.rows[0]), len(self.rows)
        return (
            [self.x + at * self.width // columns for at in range(columns + 1)],
            [self.y + at * self.height // rows for at in range(rows + 1)],
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it, on a ground of one colour."""

    width: int
    height: int
    ground: str
    under: Sequence[Box]
    paths: Sequence[Path]
    cells: Cells | None
    over: Sequence[Text]
    cover: Sequence[Box]
    help: Sequence[Text]
