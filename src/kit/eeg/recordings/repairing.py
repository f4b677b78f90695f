"""A recording on the disk: looked at, and mended in place where somebody asks for it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.core.errors import NotPermitted, ProtocolError, Unavailable
from kit.eeg.formats.sniffing import HEAD, sniff
from kit.eeg.recordings.checking import CHECKED, Checked, check


def recording_form(path: str) -> str | None:
    """The format of a file that can be checked; None for a port, a pipe, raw bytes and what is no file."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - to Path an empty name is the current directory
            return None
        with Path(path).open("rb") as file:
            found = sniff(file.read(HEAD))
    except (OSError, ValueError):
        return None
    return found if found in CHECKED else None


def look(path: str, form: str) -> Checked:
    """What the recording is like; raises Unavailable while it is being made."""
    with _locked(path, os.O_RDONLY, fcntl.LOCK_SH) as descriptor:
        return check(form, _content(descriptor))


def mend(path: str, form: str) -> Checked:
    """Cut off what never was complete, and enter the number of records; what it was like before."""
    with _locked(path, os.O_RDWR, fcntl.LOCK_EX) as descriptor:
        found = check(form, _content(descriptor))
        if found.torn:
            os.ftruncate(descriptor, found.whole)
        if found.patch:
            at, data = found.patch
            os.pwrite(descriptor, data, at)
        os.fsync(descriptor)
        after = check(form, _content(descriptor))
        if after.can_be_mended:
            raise ProtocolError(f"{path!r} could not be mended")
    return found


def _content(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read()


@contextmanager
def _locked(path: str, flags: int, lock: int) -> Iterator[int]:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC)
    except PermissionError:
        raise NotPermitted(f"no permission to open {path!r}") from None
    except OSError as error:
        raise Unavailable(f"cannot open {path!r}: {(error.strerror or 'failed').lower()}") from None
    try:
        fcntl.flock(descriptor, lock | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError:
        raise Unavailable(f"{path!r} is being recorded", hint="ask again when that has ended") from None
    except OSError as error:
        raise Unavailable(f"cannot mend {path!r}: {(error.strerror or 'failed').lower()}") from None
    finally:
        os.close(descriptor)
