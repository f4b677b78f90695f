"""Files that a command was asked to write: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

import click

from kit.core.errors import NotPermitted, Unavailable

output_option = click.option(
    "-o", "--output", "path", default="-", metavar="FILE", help="Write there. [default: standard output]"
)


def write_result(path: str, text: str) -> None:
    """Write the text to the file, or for "-" to standard output; an error leaves what was there."""
    if path == "-":
        click.echo(text, nl=False)
        return
    try:
        _write(Path(path).resolve(), text.encode())
    except PermissionError:
        raise NotPermitted(f"no permission to write {path!r}") from None
    except OSError as error:
        raise Unavailable(f"cannot write {path!r}: {(error.strerror or 'failed').lower()}") from None


def _write(target: Path, data: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(target.stat().st_mode):
            # A pipe or a device has no half-written state to protect, and no other name to take.
            target.write_bytes(data)
            return
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, 0o666 & ~_umask())
            # Without it a crash can leave the new name with none of the content.
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
