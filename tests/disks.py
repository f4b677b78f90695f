"""A disk that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers import forbidden


@contextmanager
def small_disk(place: Path, kib: int) -> Iterator[Path]:
    """A disk of so many KiB, in a directory of that place."""
    if os.geteuid():
        pytest.skip("only root can mount a disk")
    disk = place / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", disk]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        forbidden("mounting a disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)
