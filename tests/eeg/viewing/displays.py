"""A screen without a monitor: Xvfb, on a display that nobody else has, and what is to be seen on it."""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import peers

RGB = tuple[int, int, int]
# XWD (xc/include/XWDFile.h): 25 numbers of 32 bits, the window's name, 12 bytes for each colour, the rows.
_HEAD = struct.Struct(">25I")


@dataclass(frozen=True)
class Screen:
    """A frame buffer's copy, 32 bits a pixel."""

    width: int
    height: int
    row: int
    data: bytes

    def pixel(self, x: int, y: int) -> RGB:
        blue, green, red = self.data[y * self.row + 4 * x : y * self.row + 4 * x + 3]
        return red, green, blue

    def colours(self) -> set[RGB]:
        """All that are seen."""
        rows = (self.data[y * self.row : y * self.row + 4 * self.width] for y in range(self.height))
        return {(p[2], p[1], p[0]) for row in rows for p in {row[x : x + 4] for x in range(0, len(row), 4)}}


@dataclass(frozen=True)
class Display:
    """Its name, as in DISPLAY; the server's process; and the directory with its frame buffer."""

    name: str
    pid: int
    directory: Path

    def screen(self) -> Screen:
        """What is to be seen now."""
        data = (self.directory / "Xvfb_screen0").read_bytes()
        head = _HEAD.unpack_from(data)
        header_size, width, height, row, colours = head[0], head[4], head[5], head[12], head[19]
        return Screen(width, height, row, data[header_size + 12 * colours :])


@contextmanager
def display(width: int = 1280, height: int = 800) -> Iterator[Display]:
    """A display, which the server chooses itself and tells when it is ready, for windows of tkinter."""
    try:
        import tkinter  # noqa: F401
    except ImportError:
        peers.missing("this Python has no tkinter")
    program = peers.find("Xvfb")
    ready, said = os.pipe()
    with tempfile.TemporaryDirectory(prefix="kit-") as directory:
        command = [
            program,
            "-displayfd",
            str(said),
            "-screen",
            "0",
            f"{width}x{height}x24",
            "-fbdir",
            directory,
        ]
        with subprocess.Popen(
            [*command, "-nolisten", "tcp", "-noreset"],
            pass_fds=[said],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server:
            os.close(said)
            try:
                with os.fdopen(ready) as told:
                    number = told.readline().strip()
                assert number, "Xvfb did not start"
                yield Display(f":{number}", server.pid, Path(directory))
            finally:
                server.terminate()
