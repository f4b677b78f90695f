"""The README's pictures, made by this run; one that no longer shows what kit shows is a failure.

KIT_PICTURES=1 in the environment puts the new ones into the place of the old.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import pyte

from kit.eeg.viewing import colours
from kit.eeg.viewing.images import png
from kit.eeg.viewing.raster import Raster
from tests.eeg.viewing.displays import Screen, display
from tests.system.agents import KIT
from tests.system.terminal import Terminal, at_terminal

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "tests" / "pictures"
SOURCE = "sim:seed=7,speed=max,duration=16,fault=lost:at=14.4:burst=50"
COLUMNS, ROWS = 88, 18
CELL = (8.4, 18.0)
BOLD = ' font-weight="bold"'
_END_OF_PICTURE = "\x1b[?2026l"


def _kept(name: str, made: bytes) -> bytes:
    """The picture in the README, or the new one where that is wished for."""
    path = PICTURES / name
    if os.environ.get("KIT_PICTURES"):
        path.write_bytes(made)
    return path.read_bytes()


def _size(png: bytes) -> tuple[int, int]:
    """Of the header (PNG specification, 11.2.1)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_the_readme_shows_these_and_they_are_small() -> None:
    shown = set(re.findall(r"\]\(tests/pictures/([\w.-]+)\)", (ROOT / "README.md").read_text()))
    assert shown == {path.name for path in PICTURES.iterdir()}
    for path in PICTURES.iterdir():
        assert path.stat().st_size < 200_000


def test_the_terminal_looks_as_in_the_readme() -> None:
    screen = pyte.Screen(COLUMNS, ROWS)
    command = [KIT, "eeg", "view", "--seconds", "5", SOURCE]
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    with at_terminal(command, environment) as terminal:
        terminal.resize(COLUMNS, ROWS)
        _show(terminal, screen)
        terminal.type("q")
        assert terminal.end() == 0
    made = _svg(screen)
    assert _kept("view-terminal.svg", made) == made


def _show(terminal: Terminal, screen: pyte.Screen) -> None:
    """All that comes, until the last picture is complete."""
    stream, tail, end_s = pyte.Stream(screen), "", time.monotonic() + 60
    while "the input ended" not in "\n".join(screen.display) or tail != _END_OF_PICTURE:
        assert time.monotonic() < end_s, screen.display
        text = terminal.read_some()
        tail = (tail + text)[-len(_END_OF_PICTURE) :]  # what is read may end in the middle of it
        stream.feed(re.sub(r"\x1b\[\?1049[hl]", "\x1b[2J\x1b[H", text))


def _svg(screen: pyte.Screen) -> bytes:
    """Each run of one style is a text of its own, as wide as its cells."""
    width, height = COLUMNS * CELL[0], ROWS * CELL[1]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -8 {width + 16:g} {height + 16:g}" '
        'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">',
        f'<rect x="-8" y="-8" width="{width + 16:g}" height="{height + 16:g}" rx="6" fill="#111418"/>',
    ]
    for row in range(ROWS):
        cells = enumerate(screen.buffer[row][column] for column in range(COLUMNS))
        for (colour, weight), run in groupby(cells, lambda cell: (cell[1].fg, cell[1].bold)):
            together = list(run)
            text = "".join(cell.data for _, cell in together)
            if text.strip():
                x, y, wide = together[0][0] * CELL[0], row * CELL[1] + 14, len(text) * CELL[0]
                fill = f"#{colour}" if set(colour) <= set("0123456789abcdef") else "#c8ccd0"
                lines.append(
                    f'<text x="{x:g}" y="{y:g}" textLength="{wide:g}" fill="{fill}"'
                    f"{BOLD if weight else ''}>{escape(text)}</text>"
                )
    return "\n".join([*lines, "</svg>", ""]).encode()


def _window_of(screen: Screen) -> Raster:
    """What is not the bare screen, which is black."""
    bare = (0, 0, 0)
    width = next(x for x in range(screen.width, 0, -1) if screen.pixel(x - 1, 1) != bare)
    height = next(y for y in range(screen.height, 0, -1) if screen.pixel(1, y - 1) != bare)
    raster = Raster(width, height, "#000000")
    raster.pixels[:] = b"".join(bytes(screen.pixel(x, y)) for y in range(height) for x in range(width))
    return raster


def test_a_window_has_the_size_and_the_colours_of_the_readme_s(wait_until: Callable[..., None]) -> None:
    with display(1000, 420) as shown:
        command = [KIT, "eeg", "view", "--window", "--seconds", "5", SOURCE]
        with subprocess.Popen(command, env={**os.environ, "DISPLAY": shown.name}) as window:
            try:
                gap = bytes.fromhex(colours.GAP_GROUND[1:])
                wait_until(lambda: (gap[0], gap[1], gap[2]) in shown.screen().colours(), "the gap", 30)
                made = _window_of(shown.screen())
            finally:
                window.terminate()
    assert _size(_kept("view-window.png", png(made))) == (made.width, made.height)


def test_a_plot_has_the_size_of_the_readme_s(
    kit: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    recording, picture = tmp_path / "night.raw", tmp_path / "plot.png"
    simulated = kit(
        *(
            "eeg",
            "record",
            str(recording),
            "sim:seed=7,speed=max,duration=90,bursts=1,fault=lost:rate=0.001:burst=30",
        )
    )
    assert simulated.returncode == 0, simulated.stderr
    plotted = kit(
        "eeg", "plot", str(recording), "--kind", "overview", "--channels", "1-2", "-o", str(picture)
    )
    assert plotted.returncode == 0, plotted.stderr
    made = picture.read_bytes()
    assert _size(_kept("plot.png", made)) == _size(made)
