"""Pictures on a tkinter canvas: items are made once, and then only moved.

To delete and make anew costs several times as much, and so does an item that is configured without need: what
an item shows is remembered, and lines, which change with each picture, get their points in one call.
"""

from __future__ import annotations

import tkinter
from collections.abc import Callable, Sequence
from itertools import pairwise
from tkinter import font as fonts
from typing import Any, Generic, TypeVar

from kit.eeg.viewing.picture import Box, Cells, Path, Picture, Text

_SHAPE = TypeVar("_SHAPE", Box, Path, Text)
_ANCHORS = {"start": "w", "middle": "center", "end": "e"}
_LAYERS = ("under", "paths", "cells", "over", "cover", "help")


class Easel:
    """Shows one picture after the other."""

    def __init__(self, canvas: tkinter.Canvas) -> None:
        self._canvas = canvas
        self._family = fonts.nametofont("TkFixedFont").actual("family")
        self._fonts: dict[tuple[int, bool], fonts.Font] = {}
        self._under = _Pool[Box]("under", self._new_box, self._move_box)
        self._paths = _Pool[Path]("paths", self._new_path, self._move_path)
        self._over = _Pool[Text]("over", self._new_text, self._move_text)
        self._cover = _Pool[Box]("cover", self._new_box, self._move_box)
        self._help = _Pool[Text]("help", self._new_text, self._move_text)
        self._cells: Cells | None = None
        self._image: tkinter.PhotoImage | None = None

    def advance(self, size: float) -> float:
        """How wide a character is, in the size of the letters."""
        return self._font(size, bold=False).measure("0" * 10) / 10 / max(round(size), 1)

    def show(self, picture: Picture) -> None:
        """Have this picture on the canvas."""
        made = [
            self._under.show(picture.under, self._canvas),
            self._paths.show(picture.paths, self._canvas),
            self._show_cells(picture.cells),
            self._over.show(picture.over, self._canvas),
            self._cover.show(picture.cover, self._canvas),
            self._help.show(picture.help, self._canvas),
        ]
        if any(made):
            for layer in _LAYERS:
                if self._canvas.find_withtag(layer):
                    self._canvas.tag_raise(layer)

    def _new_box(self, box: Box, tag: str) -> int:
        return self._canvas.create_rectangle(*_corners(box), fill=box.colour, width=0, tags=tag)

    def _move_box(self, item: int, box: Box, before: Box) -> None:
        corners = _corners(box)
        if corners != _corners(before):
            self._canvas.coords(item, *corners)
        if box.colour != before.colour:
            self._canvas.itemconfigure(item, fill=box.colour)

    def _new_path(self, path: Path, tag: str) -> int:
        return self._canvas.create_line(*path.points, fill=path.colour, width=round(path.width), tags=tag)

    def _move_path(self, item: int, path: Path, before: Path) -> None:
        # As one list of numbers: `Canvas.coords` would make a text of each of them.
        self._canvas.tk.call(str(self._canvas), "coords", item, tuple(path.points))
        if path.colour != before.colour:
            self._canvas.itemconfigure(item, fill=path.colour)

    def _new_text(self, text: Text, tag: str) -> int:
        return self._canvas.create_text(round(text.x), round(text.y), tags=tag, **self._look(text))

    def _move_text(self, item: int, text: Text, before: Text) -> None:
        """Most texts only move, or only say something else."""
        place = (round(text.x), round(text.y))
        if place != (round(before.x), round(before.y)):
            self._canvas.coords(item, *place)
        look = self._look(text)
        was = self._look(before)
        if look != was:
            changed = {name: value for name, value in look.items() if value != was[name]}
            self._canvas.itemconfigure(item, **changed)

    def _look(self, text: Text) -> dict[str, Any]:
        return {
            "text": text.text,
            "fill": text.colour,
            "anchor": _ANCHORS[text.anchor],
            "font": self._font(text.size, bold=text.bold),
        }

    def _font(self, size: float, *, bold: bool) -> fonts.Font:
        """A font of so many pixels."""
        key = (max(round(size), 1), bold)
        if key not in self._fonts:
            weight = "bold" if bold else "normal"
            self._fonts[key] = fonts.Font(family=self._family, size=-key[0], weight=weight)  # type: ignore[arg-type]
        return self._fonts[key]

    def _show_cells(self, cells: Cells | None) -> bool:
        """As an image, whose bytes Tk takes as they are in the format PPM."""
        if cells == self._cells:
            return False
        self._cells = cells
        self._canvas.delete("cells")
        self._image = None
        if cells:
            self._image = tkinter.PhotoImage(master=self._canvas, data=_ppm(cells), format="ppm")
            self._canvas.create_image(cells.x, cells.y, image=self._image, anchor="nw", tags="cells")
        return cells is not None


class _Pool(Generic[_SHAPE]):
    """Items of one kind in one layer, and what each of them shows; None if it is hidden."""

    def __init__(
        self,
        layer: str,
        new: Callable[[_SHAPE, str], int],
        move: Callable[[int, _SHAPE, _SHAPE], None],
    ) -> None:
        self._layer = layer
        self._new: Callable[[_SHAPE, str], int] = new
        self._move: Callable[[int, _SHAPE, _SHAPE], None] = move
        self._items: list[int] = []
        self._shown: list[_SHAPE] = []
        self._visible = 0

    def show(self, shapes: Sequence[_SHAPE], canvas: tkinter.Canvas) -> bool:
        """Have these in the layer; was one made?"""
        known = len(self._items)
        for at, shape in enumerate(shapes[:known]):
            if at >= self._visible:
                canvas.itemconfigure(self._items[at], state="normal")
            if shape is not self._shown[at] and shape != self._shown[at]:
                self._move(self._items[at], shape, self._shown[at])
                self._shown[at] = shape
        for at in range(len(shapes), self._visible):
            canvas.itemconfigure(self._items[at], state="hidden")
        for shape in shapes[known:]:
            self._items.append(self._new(shape, self._layer))
            self._shown.append(shape)
        self._visible = len(shapes)
        return len(shapes) > known


def _corners(box: Box) -> tuple[int, int, int, int]:
    x, y = round(box.x), round(box.y)
    return x, y, max(round(box.x + box.width), x + 1), max(round(box.y + box.height), y + 1)


def _ppm(cells: Cells) -> bytes:
    columns, rows = cells.edges()
    wide = [end - x for x, end in pairwise(columns)]
    lines = []
    for colours, (y, bottom) in zip(cells.rows, pairwise(rows), strict=True):
        line = b"".join(
            bytes.fromhex(colour[1:]) * count for colour, count in zip(colours, wide, strict=True)
        )
        lines.append(line * (bottom - y))
    return b"P6 %d %d 255\n" % (cells.width, cells.height) + b"".join(lines)
