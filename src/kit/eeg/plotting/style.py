"""How a page looks: readable in print, without colour, and by the colour-blind.

Colours are those of Okabe and Ito, and whatever a colour says a line's dashes, a hatch or a place says, too.
The map of the spectrogram is cividis, whose lightness rises evenly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INK = "#1a1a1a"
FAINT = "#6b6b6b"
TRACE = "#0072B2"
RANGE = "#9CC7E4"
LOST = "#E69F00"
HOLE = "#FBE7BF"
CLIPPED = "#D55E00"
NO_VALUE = "#e8e8e8"
EVENT = "#009E73"
MAP = "cividis"
WIDTH_IN = 7.2  # two columns of a journal, 183 mm
DOTS_PER_INCH = 200
# The margins of a page, for its headline, legend and labels, and what is between two lanes.
TOP_IN, BOTTOM_IN, LEFT_IN, GAP_IN = 0.6, 0.68, 0.78, 0.18

# Name, what is written for it, colour and dashes.
BAND_LINES: tuple[tuple[str, str, str, Any], ...] = (
    ("delta", "δ", "#000000", "-"),
    ("theta", "θ", "#0072B2", (0, (5, 1.5))),
    ("alpha", "\N{GREEK SMALL LETTER ALPHA}", "#D55E00", "-"),
    ("beta", "β", "#009E73", (0, (1.2, 1.2))),
    ("gamma", "\N{GREEK SMALL LETTER GAMMA}", "#CC79A7", (0, (6, 1.5, 1.2, 1.5))),
)

_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 0.9,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "path.simplify": True,
    # Names in an SVG are otherwise drawn by lot.
    "svg.hashsalt": "kit",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


@contextmanager
def applied() -> Iterator[None]:
    """This style, and nothing of what the user's own matplotlibrc says."""
    import matplotlib

    usual: Any = {name: value for name, value in matplotlib.rcParamsDefault.items() if "backend" not in name}
    settings: Any = {**usual, **_SETTINGS}
    with matplotlib.rc_context(settings):
        yield


def inches(figure: Any) -> tuple[float, float]:
    """Width and height of a figure, or of a part of one."""
    return figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi


def frame(figure: Any, down: int, across: int = 1, gap_in: float = GAP_IN, right_in: float = 0.12) -> Any:
    """Where the axes of a page are.

    By hand: matplotlib's own layout takes as long as the drawing, and differs in the last digits each time.
    """
    width, height = inches(figure)
    tall = (height - TOP_IN - BOTTOM_IN - (down - 1) * gap_in) / down
    wide = (width - LEFT_IN - right_in - (across - 1) * GAP_IN) / across
    return {
        "left": LEFT_IN / width,
        "right": 1 - right_in / width,
        "top": 1 - TOP_IN / height,
        "bottom": BOTTOM_IN / height,
        "hspace": gap_in / tall,
        "wspace": GAP_IN / wide,
    }


def headline(figure: Any, text: str) -> None:
    """On top of a page."""
    _, height = inches(figure)
    figure.suptitle(text, y=1 - 0.08 / height, va="top", fontsize=8)


def legend(figure: Any, handles: Any, columns: int) -> None:
    """At the foot of a page."""
    _, height = inches(figure)
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.02 / height), ncols=columns)


def time_label(unit: str) -> str:
    """What the axis of time is called."""
    return f"time since the start ({unit})"


def time_unit(span_us: int) -> tuple[str, float]:
    """The unit of the axis of time, and how many microseconds one is."""
    if span_us < 180_000_000:
        return "s", 1e6
    return ("min", 60e6) if span_us < 3 * 3600 * 1_000_000 else ("h", 3600e6)
