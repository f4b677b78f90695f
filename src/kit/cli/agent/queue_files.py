"""Queue files between the file system and the agent: whole, or not at all.

What is opened goes to a file that gets its name at the end, or to standard output once its tag has been
checked. In between nobody may be able to change the input, so then it is a copy without a name that is
checked and opened. Such a copy is of ciphertext; no plaintext lies in a temporary place.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from kit.agent.client import AgentClient
from kit.agent.queue.choosing import to_open, to_seal
from kit.agent.queue.format import OVERHEAD, PLAINTEXT_LIMIT, NotSealed
from kit.agent.queue.passage import PIECE_BYTES, Source, Unreadable, find_key, open_with, seal
from kit.cli.endings import ended_by_sigterm
from kit.cli.files import is_special, result_file
from kit.core.errors import KitError, NegativeAnswer, NotPermitted, Unavailable, UsageError
from kit.core.waiting import await_readable

_STANDARD = "-"
# Most mail is smaller; up to this much is copied into memory.
_IN_MEMORY = 1024 * 1024
# What can be wrong with the input; the agent's own errors are of other classes.
_OF_THE_FILE = (UsageError, NotSealed, NegativeAnswer, Unreadable)


class _Input:
    """A file, or a pipe that may have nothing for a while; Ctrl-C is noticed all the same."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def read(self, size: int, /) -> bytes:
        """So many bytes, or fewer at the end."""
        read = bytearray()
        while len(read) < size:
            await_readable(self._descriptor)
            got = os.read(self._descriptor, size - len(read))
            if not got:
                break
            read += got
        return bytes(read)

    def seek(self, offset: int, /) -> int:
        return os.lseek(self._descriptor, offset, os.SEEK_SET)


def seal_file(client: AgentClient, file: str, path: str, key: str | None) -> None:
    """Seal `file` into `path` with the key of this name, or the only one."""
    key_id = to_seal(client.list_keys(), key, _who()).key_id
    with ended_by_sigterm(), _source(file, PLAINTEXT_LIMIT) as source, _result(path) as target:
        seal(client, key_id, source, target.write)


def open_sealed(client: AgentClient, file: str, path: str, keys: Sequence[str]) -> None:
    """Open the sealed `file` into `path` with whichever key fits."""
    key_ids = [record.key_id for record in to_open(client.list_keys(), keys, _who())]
    with (
        ended_by_sigterm(),
        _source(file, PLAINTEXT_LIMIT + OVERHEAD) as given,
        _unchanging(given, file, path) as source,
    ):
        key_id = find_key(client, key_ids, source)
        with _result(path) as target:
            open_with(client, key_id, source, target.write)


@contextlib.contextmanager
def _source(file: str, limit: int) -> Iterator[_Input]:
    """The input; what is found to be wrong with it is told with its name."""
    try:
        with _opened(file) as source:
            status = os.fstat(source.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size > limit:
                raise UsageError(f"it is too large: {status.st_size} bytes, where {limit} are possible")
            yield source
    except KitError as error:
        if type(error) not in _OF_THE_FILE:
            raise
        raise type(error)(f"{_named(file)}: {error}", hint=error.hint) from None


@contextlib.contextmanager
def _opened(file: str) -> Iterator[_Input]:
    if file == _STANDARD:
        if not sys.stdin:
            raise Unavailable("standard input is closed")
        yield _Input(sys.stdin.fileno())
        return
    with _open(file) as source:
        yield _Input(source.fileno())


def _open(file: str) -> IO[bytes]:
    try:
        return Path(file).open("rb", buffering=0)
    except PermissionError:
        raise NotPermitted(f"no permission to read {file!r}") from None
    except OSError as error:
        raise Unavailable(f"cannot read {file!r}: {(error.strerror or 'failed').lower()}") from None
    except ValueError:
        raise UsageError("the path holds a null character") from None


@contextlib.contextmanager
def _unchanging(source: _Input, file: str, path: str) -> Iterator[Source]:
    """The input as it can be read twice."""
    regular = file != _STANDARD and stat.S_ISREG(os.fstat(source.fileno()).st_mode)
    if regular and path != _STANDARD and not is_special(Path(path)):
        yield source  # checked again before the result has a name
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
        try:
            while piece := source.read(PIECE_BYTES):
                copy.write(piece)
        except OSError as error:
            why = (error.strerror or "failed").lower()
            raise Unreadable(f"it cannot be copied to a temporary place: {why}") from None
        yield copy


@contextlib.contextmanager
def _result(path: str) -> Iterator[BinaryIO]:
    if path == _STANDARD:
        yield sys.stdout.buffer
        return
    with result_file(path, private=True) as target:
        yield target


def _named(file: str) -> str:
    return "standard input" if file == _STANDARD else repr(file)


def _who() -> frozenset[str]:
    """This user as the agent names its keys' peers."""
    groups = {os.getegid(), *os.getgroups()}
    return frozenset({f"uid:{os.geteuid()}", *(f"gid:{group}" for group in groups)})
