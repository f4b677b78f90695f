"""Files that a command was asked to write: whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from kit.core.errors import NotPermitted, Unavailable

output_option = click.option(
    "-o", "--output", "path", default="-", metavar="FILE", help="Write there. [default: standard output]"
)


def write_result(path: str, text: str) -> None:
    """Write the text to the file, or for "-" to standard output; an error leaves what was there."""
    if path == "-":
        # As bytes: of a text, click leaves out what would colour a terminal.
        click.echo(text.encode(), nl=False)
        return
    with result_file(path) as file:
        file.write(text.encode())


def is_special(target: Path) -> bool:
    """Is it a pipe or a device, which takes what comes at once?"""
    return target.exists() and not target.is_file()


@contextlib.contextmanager
def result_file(path: str, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file to be written in pieces; it stands under its name once the block has ended without an error.

    A private one is for nobody but its owner, whatever the mask says.
    """
    try:
        with _whole_file(Path(path).resolve(), private=private) as file:
            yield file
    except PermissionError:
        raise NotPermitted(f"no permission to write {path!r}") from None
    except OSError as error:
        raise Unavailable(f"cannot write {path!r}: {(error.strerror or 'failed').lower()}") from None


@contextlib.contextmanager
def _whole_file(target: Path, *, private: bool) -> Iterator[BinaryIO]:
    if is_special(target):
        # A pipe or a device has no half-written state to protect, and no other name to take.
        with target.open("wb") as file:
            yield file
        return
    # The name is known before there is a file of that name: a signal cannot come between it and its removal.
    part = target.with_name(f".{target.name[:50]}.{os.urandom(8).hex()}")
    try:
        with open(part, "xb", opener=_for_the_owner if private else None) as file:
            yield file
            file.flush()
            # Without it a crash can leave the new name with none of the content.
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
