"""Lines of words for a terminal: texts at places, and the status. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from kit.eeg.viewing.frame import Word
from kit.eeg.viewing.glyphs import Glyphs
from kit.eeg.viewing.paint import Paint
from kit.eeg.viewing.status import button_words

_HINT = "? help"
_WEIGHTS = {"quiet": 0, "good": 0, "plain": 1, "bad": 2, "warn": 3}
_BETWEEN = " · "


class Places:
    """Texts at places; one that would touch the next is cut, or left out."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._pieces: list[tuple[int, str, str]] = []

    def put(self, place: int, text: str, colour: str) -> None:
        self._pieces.append((place, text, colour))

    def text(self, paint: Paint) -> str:
        """The line."""
        text, at = "", 0
        ordered = sorted(self._pieces)
        ends = [place - 1 for place, _, _ in ordered[1:]] + [self._columns]
        for (place, words, colour), end in zip(ordered, ends, strict=False):
            shown, width = _fitting(words, end - place)
            if place >= at and len(shown) > 1:
                text += " " * (place - at) + paint.on(colour) + shown
                at = place + width
        return text


def _fitting(text: str, room: int) -> tuple[str, int]:
    """As much of a text as there are columns for, and how many it takes."""
    width = 0
    for at, character in enumerate(text):
        wide = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        wide = 0 if unicodedata.combining(character) else wide
        if width + wide > room:
            return text[:at], width
        width += wide
    return text, width


def status_line(
    status: Sequence[Word], buttons: Sequence[bool | None], columns: int, glyphs: Glyphs, paint: Paint
) -> str:
    """As many words as there is room for; those that tell the least go first, a warning is cut."""
    room = columns - len(_HINT) - 1
    told = (*status, *button_words(buttons))
    words = [Word(glyphs.text(word.text), word.tone) for word in told]
    while _length(words) > room and (least := min(_WEIGHTS[word.tone] for word in words)) < _WEIGHTS["warn"]:
        del words[max(at for at, word in enumerate(words) if _WEIGHTS[word.tone] == least)]
    too_long = max(0, _length(words) - room)
    if too_long:
        words[-1] = Word(words[-1].text[:-too_long], "warn")
    between = paint.tone("quiet") + glyphs.text(_BETWEEN)
    text = between.join(paint.tone(word.tone) + word.text for word in words)
    return text + paint.tone("quiet") + _HINT.rjust(columns - _length(words))


def _length(words: Sequence[Word]) -> int:
    return sum(len(word.text) for word in words) + len(_BETWEEN) * (len(words) - 1)
