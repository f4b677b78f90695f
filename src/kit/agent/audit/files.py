"""The audit log in a file, which stays whole lines through full disks, rotation and crashes.

Nothing is fsynced: a line survives the end of the agent, and what the kernel had not yet written when the
machine lost its power is gone.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Sequence

from kit.agent.audit.descriptor import LineDescriptor

# A device or FIFO in the file's place must not make the agent wait, nor a terminal become its own.
_CAREFULLY = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
# Read, too: to see at the start whether the last line is whole.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | _CAREFULLY
# What no line begins with, where it is not known what the last one in the file begins with.
_SOMETHING = b"\0"
# A file that has not grown for so long is not being written to; nobody waits for more than so many looks.
_STILL_S, _LOOKS = 0.02, 10


class FileSink:
    """Appends to a file of the agent's user; no other may be able to write to it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = _open(path)

    def write(self, lines: Sequence[bytes]) -> int:
        """How many of the lines are in the file; raises OSError where that is none."""
        if not os.fstat(self._file.descriptor).st_nlink:
            self.reopen()  # it was removed: what is written to it now, nobody would find
        try:
            return self._file.write(lines)
        finally:
            if self._file.begun:
                _cut_back(self._file)

    def reopen(self) -> None:
        """Go on in what the path names now; where that fails, in the old file, and OSError is raised."""
        if _names(self._path, self._file.descriptor):
            return  # and what lets an agent go on in a file that it was given by root
        old, self._file = self._file, _open(self._path)
        os.close(old.descriptor)

    def close(self) -> None:
        os.close(self._file.descriptor)


def _open(path: str) -> LineDescriptor:
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        found = os.fstat(descriptor)
        wrong = _what_is_wrong(found)
        if wrong:
            raise OSError(errno.EPERM, wrong, path)
        whole = _ends_with_a_line(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return LineDescriptor(descriptor, b"" if whole else _SOMETHING)


def _ends_with_a_line(descriptor: int) -> bool:
    """Whether it does when nobody writes: of another agent's line a part may be seen, as one that crosses a
    page becomes visible in two steps.
    """
    before = -1
    for _ in range(_LOOKS):
        size = os.fstat(descriptor).st_size
        if not size or os.pread(descriptor, 1, size - 1) == b"\n":
            return True
        if size == before:
            return False
        before = size
        time.sleep(_STILL_S)
    return False


def _names(path: str, descriptor: int) -> bool:
    """Does the path name the open file?"""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _what_is_wrong(found: os.stat_result) -> str:
    """Why this is no file for a log of which others cannot change a line."""
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid not in (0, os.geteuid()):
        return f"it belongs to uid {found.st_uid}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it"
    return ""


def _cut_back(file: LineDescriptor) -> None:
    """Take a line's begin off the file's end again, if it is at the end; otherwise end that line later."""
    here = os.lseek(file.descriptor, 0, os.SEEK_CUR)
    if file.begun == _SOMETHING or os.fstat(file.descriptor).st_size != here:
        file.begun = _SOMETHING
        return
    try:
        os.ftruncate(file.descriptor, here - len(file.begun))
        file.begun = b""
    except OSError:
        pass  # the file can only grow (chattr +a): the line is completed when it can
