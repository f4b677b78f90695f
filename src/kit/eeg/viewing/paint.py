"""Colours as a terminal is told them (ECMA-48, and xterm's for 256 and for all). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from kit.eeg.viewing import colours
from kit.eeg.viewing.frame import Tone

Depth = Literal["none", "16", "256", "full"]

RESET = "\x1b[0m"
# The nearest of the sixteen, whose look is the terminal's choice.
_SIXTEEN = {
    colours.SKY: 96,
    colours.ORANGE: 33,
    colours.GREEN: 32,
    colours.PURPLE: 95,
    colours.BLUE: 94,
    colours.YELLOW: 93,
    colours.VERMILION: 91,
    colours.GREY: 90,
}
_TONES: Mapping[Tone, str | None] = {
    "plain": None,
    "quiet": colours.GREY,
    "good": colours.GREEN,
    "warn": colours.ORANGE,
    "bad": colours.VERMILION,
}
_CUBE = (0, 95, 135, 175, 215, 255)


@dataclass(frozen=True)
class Paint:
    """How many colours there are."""

    depth: Depth

    def on(self, colour: str | None, *, bold: bool = False) -> str:
        """What begins a text in this colour, whatever was before."""
        return _sgr(self.depth, colour, bold, background=False)

    def tone(self, tone: Tone) -> str:
        """What begins a text in this tone."""
        return self.on(_TONES[tone], bold=tone == "bad")

    def behind(self, colour: str) -> str:
        """What begins a text on this colour; nothing if there are no colours."""
        return "" if self.depth == "none" else _sgr(self.depth, colour, False, background=True)


def depth_of(environment: Mapping[str, str]) -> Depth:
    """What the environment says of the terminal (no-color.org, COLORTERM, TERM)."""
    if environment.get("NO_COLOR"):
        return "none"
    if environment.get("COLORTERM") in ("truecolor", "24bit"):
        return "full"
    term = environment.get("TERM", "")
    return "256" if "256color" in term or term.startswith(("xterm", "screen", "tmux", "rxvt")) else "16"


@cache
def _sgr(depth: Depth, colour: str | None, bold: bool, *, background: bool) -> str:
    codes = ["0"] if not background else []
    if bold:
        codes.append("1")
    if colour and depth != "none":
        codes.append(_code(depth, colour, background))
    return f"\x1b[{';'.join(codes)}m"


def _code(depth: Depth, colour: str, background: bool) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    if depth == "full":
        return f"{48 if background else 38};2;{red};{green};{blue}"
    if depth == "256":
        steps = [min(range(6), key=lambda step: abs(_CUBE[step] - part)) for part in (red, green, blue)]
        return f"{48 if background else 38};5;{16 + 36 * steps[0] + 6 * steps[1] + steps[2]}"
    return str(_SIXTEEN.get(colour, 37) + (10 if background else 0))
