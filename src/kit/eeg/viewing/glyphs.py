"""The characters that a picture is drawn with in a terminal, from finest to plainest. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# The dots of a braille character (Unicode chapter 21), from the top: those at the left, then at the right.
_LEFT, _RIGHT = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)
_PLAIN = str.maketrans(
    {
        "µ": "u",
        "±": "+-",
        "²": "^2",
        "●": "*",
        "○": "o",
        "▸": ">",
        "▾": "v",
        "▏": "_",
        "·": "-",
        "…": "...",
        "←": "left",
        "→": "right",
        "↑": "up",
        "↓": "down",
    }
)


@dataclass(frozen=True)
class Glyphs:
    """A cell is `wide` dots by `high`; `columns` has for each of its columns, by the dots in it (bit 0 is the
    top), a part of the index into `cells`.
    """

    name: str
    wide: int
    high: int
    cells: str
    columns: tuple[tuple[int, ...], ...]
    behind: Mapping[str, str]  # where no trace is: a gap, a mark, a button, the grid
    eighths: str  # of a bar
    shades: str
    plain: bool = False

    def text(self, text: str) -> str:
        """As it can be written."""
        if not self.plain:
            return text
        return text.translate(_PLAIN).encode("ascii", "replace").decode()


def _braille(dots: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sum(bit for at, bit in enumerate(dots) if column >> at & 1) for column in range(16))


BRAILLE = Glyphs(
    name="braille",
    wide=2,
    high=4,
    cells=" " + "".join(chr(0x2800 + mask) for mask in range(1, 256)),
    columns=(_braille(_LEFT), _braille(_RIGHT)),
    behind={"gap": "░", "mark": "│", "button": "╎", "grid": "┊"},
    eighths=" ▏▎▍▌▋▊▉█",
    shades=" ░▒▓█",
)
# For consoles whose font has no braille: VGA's characters are in all of them.
BLOCKS = Glyphs(
    name="blocks",
    wide=1,
    high=2,
    cells=" ▀▄█",
    columns=((0, 1, 2, 3),),
    behind={"gap": "░", "mark": "│", "button": "│", "grid": "·"},
    eighths="   ▌▌▌▌██",
    shades=" ░▒▓█",
)
ASCII = Glyphs(
    name="ascii",
    wide=1,
    high=3,
    cells=" '-|.|||",
    columns=((0, 1, 2, 3, 4, 5, 6, 7),),
    behind={"gap": "#", "mark": "!", "button": "!", "grid": ":"},
    eighths="    =====",
    shades=" .:+#",
    plain=True,
)
