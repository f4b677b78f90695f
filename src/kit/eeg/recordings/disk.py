"""Pieces of a recording to the disk, in a thread, so that nobody who reads a device waits for a disk.

What was given out is on the disk within a second. A disk that is full takes a part of a piece without an
error: that part is cut off again, what says how much there is stays as it was, and whoever records is told.
"""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kit.core.errors import KitError, NotPermitted, Unavailable, UsageError
from kit.eeg.recordings.making import part
from kit.eeg.recordings.pieces import Begin, Output, Piece, Unit

_SYNC_S = 1.0
# Four hours of a stalled disk; a file that is recorded from is read no faster than the disk takes it.
_WAITING = 16_384
_MODE = 0o666


class Disk:
    """Files that grow piece by piece, the first one under the given name, the others with -002 and so on."""

    def __init__(self, path: Path, unit: Unit, *, force: bool = False) -> None:
        self.paths: list[Path] = []
        self.packets = 0
        self.bytes = 0
        self.error: KitError | None = None
        self._unit = unit
        self._force = force
        self._path = path
        if not force and part(path, 2).exists():
            raise _exists(part(path, 2))
        self._descriptor, self._created = _open(path, force)
        self._length = 0
        self._begun = False
        self._synced_s = time.monotonic()
        self._jobs: queue.Queue[Output | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name=f"recording {path.name}", daemon=True)
        self._thread.start()

    def put(self, outputs: Sequence[Output]) -> None:
        """Have these written; raises what went wrong with those before."""
        if self.error:
            raise self.error
        for output in outputs:
            self._jobs.put(output)

    def close(self) -> None:
        """Await that all of it is on the disk; raises what went wrong. A file that never began is removed."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        if self.error:
            raise self.error

    def _run(self) -> None:
        open_ = True
        while open_:
            try:
                job = self._jobs.get(timeout=_SYNC_S)
            except queue.Empty:
                self._guarded(self._sync)
                continue
            open_ = job is not None
            if job is not None and not self.error:
                self._guarded(partial(self._do, job))
        self._guarded(self._end)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except KitError as error:
            self.error = self.error or error
        except OSError as error:
            self.error = self.error or _failed(self._path, error)

    def _do(self, job: Output) -> None:
        if isinstance(job, Begin):
            self._begin(job)
        else:
            self._append(job)
        if self._jobs.empty() and (self._unit == "piece" or time.monotonic() - self._synced_s >= _SYNC_S):
            self._sync()

    def _begin(self, begin: Begin) -> None:
        if self._begun:
            self._end()
            self._path = self._next_path()
            self._descriptor, self._created = _open(self._path, self._force)
        os.ftruncate(self._descriptor, 0)
        self._length = 0
        self._write(Piece(begin.head), "piece")
        self._begun = True
        self.paths.append(self._path)
        self._sync()
        _sync_directory(self._path.parent)

    def _next_path(self) -> Path:
        """The next part's name; one that is taken meanwhile is passed over."""
        number = len(self.paths) + 1
        while not self._force and part(self.paths[0], number).exists():
            number += 1
        return part(self.paths[0], number)

    def _append(self, piece: Piece) -> None:
        self._write(piece, self._unit)
        if piece.patch:
            at, data = piece.patch
            os.pwrite(self._descriptor, data, at)
        self.packets += piece.packets
        self.bytes += len(piece.data)

    def _write(self, piece: Piece, unit: Unit) -> None:
        """All of it, or nothing but whole units."""
        left, error = memoryview(piece.data), None
        while left and not error:
            try:
                left = left[os.pwrite(self._descriptor, left, self._length + len(piece.data) - len(left)) :]
            except OSError as failed:
                error = failed
        written = len(piece.data) - len(left)
        if error:
            written = _whole(piece.data, written, unit)
            os.ftruncate(self._descriptor, self._length + written)
        self._length += written
        if error:
            raise error

    def _sync(self) -> None:
        if self._begun:
            os.fdatasync(self._descriptor)
        self._synced_s = time.monotonic()

    def _end(self) -> None:
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        try:
            if self._begun:
                os.fsync(descriptor)
        finally:
            if self._created and not os.fstat(descriptor).st_size:
                self._path.unlink(missing_ok=True)
            os.close(descriptor)


def _whole(data: bytes, written: int, unit: Unit) -> int:
    if unit == "byte":
        return written
    return data.rfind(b"\n", 0, written) + 1 if unit == "line" else 0


def _open(path: Path, force: bool) -> tuple[int, bool]:
    """The file's descriptor, unchanged so far and locked against other recorders, and whether it is new."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    existed = path.exists()
    try:
        descriptor = os.open(path, flags if force else flags | os.O_EXCL, _MODE)
    except FileExistsError:
        raise _exists(path) from None
    except PermissionError:
        raise NotPermitted(f"no permission to write {str(path)!r}") from None
    except OSError as error:
        raise _failed(path, error) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{str(path)!r} is no file", hint="'kit eeg read' writes into pipes")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Unavailable(f"{str(path)!r} is being recorded by somebody else") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, not existed


def _exists(path: Path) -> UsageError:
    return UsageError(f"{str(path)!r} exists", hint="--force overwrites it")


def _failed(path: Path, error: OSError) -> Unavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Unavailable(f"no space left to record {str(path)!r}", hint="what came before is written")
    return Unavailable(f"cannot record {str(path)!r}: {(error.strerror or 'failed').lower()}")


def _sync_directory(path: Path) -> None:
    """Without it a file can be on the disk, and its name not."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
