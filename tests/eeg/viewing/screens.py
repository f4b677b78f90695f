"""A terminal to look at the view in (pyte)."""

from __future__ import annotations

import pyte

from kit.eeg.viewing.glyphs import BRAILLE, Glyphs
from kit.eeg.viewing.page import Page
from kit.eeg.viewing.paint import Depth, Paint
from kit.eeg.viewing.scene import Scene


class Screen:
    """A terminal's screen, and the page that is drawn on it."""

    def __init__(
        self, columns: int = 60, rows: int = 16, glyphs: Glyphs = BRAILLE, depth: Depth = "full"
    ) -> None:
        self.page = Page(columns, rows, glyphs, Paint(depth))
        self.written = ""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)

    def draw(self, scene: Scene) -> str:
        """The next frame; what was written for it."""
        self.written = self.page.draw(scene.frame(traces=False), scene.segments)
        self._stream.feed(self.written)
        return self.written

    @property
    def text(self) -> str:
        """What a person reads."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def cells(self) -> list[tuple[int, int, str, str, bool]]:
        """Each character that is to be seen, with its colour and weight."""
        return [
            (row, column, char.data, char.fg, char.bold)
            for row in range(self._screen.lines)
            for column in range(self._screen.columns)
            if (char := self._screen.buffer[row][column]).data != " "
        ]

    def colour_of(self, text: str) -> str:
        """The colour of the first character of a text that is to be seen."""
        for row, line in enumerate(self._screen.display):
            if text in line:
                return self._screen.buffer[row][line.index(text)].fg
        raise AssertionError(f"{text!r} is not there:\n{self.text}")
