"""Ptys for tests: a line without hardware, whose device end the test holds."""

from __future__ import annotations

import contextlib
import os
import tty
from collections.abc import Iterator
from pathlib import Path


class Pty:
    """A raw pty; `main` is the device's end of it, `path` the port's."""

    def __init__(self) -> None:
        self.main, terminal = os.openpty()
        tty.setraw(terminal)
        self.path = os.ttyname(terminal)
        os.close(terminal)

    def send(self, data: bytes) -> None:
        """Have the device say this."""
        os.write(self.main, data)

    def unplug(self) -> None:
        """Take the device away; the port's path goes with it."""
        if self.main >= 0:
            os.close(self.main)
            self.main = -1


def plug_in(link: Path) -> Pty:
    """A new pty, with a link to it that takes the place of what was there."""
    made = Pty()
    new = link.with_suffix(".new")
    new.symlink_to(made.path)
    new.replace(link)
    return made


@contextlib.contextmanager
def kept_open(path: str) -> Iterator[int]:
    """A port that somebody has open."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    yield descriptor
    os.close(descriptor)
