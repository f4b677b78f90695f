"""Queue files between the file system and the agent: whole, or not at all.

What is opened goes to a file that gets its name at the end, or to standard output once its tag has been
checked. In between nobody may be able to change the input, so then it is a copy without a name that is
checked and opened. Such a copy is of ciphertext; no plaintext lies in a temporary place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from kit.agent.client import AgentClient
from kit.agent.queue.choosing import to_open, to_seal
from kit.agent.queue.format import OVERHEAD, PLAINTEXT_LIMIT, NotSealed
from kit.agent.queue.passage import PIECE_BYTES, Unreadable, find_key, open_with, seal
from kit.cli.endings import ended_by_sigterm
from kit.cli.files import is_special, result_file
from kit.core.errors import KitError, NegativeAnswer, NotPermitted, Unavailable, UsageError

_STANDARD = "-"
# Most mail is smaller; up to this much is copied into memory.
_IN_MEMORY = 1024 * 1024
# What can be wrong with the input; the agent's own errors are of other classes.
_OF_THE_FILE = (UsageError, NotSealed, NegativeAnswer, Unreadable)


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
def _source(file: str, limit: int) -> Iterator[BinaryIO]:
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
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == _STANDARD:
        yield sys.stdin.buffer
        return
    with _open(file) as source:
        yield source


def _open(file: str) -> BinaryIO:
    try:
        return Path(file).open("rb")
    except PermissionError:
        raise NotPermitted(f"no permission to read {file!r}") from None
    except OSError as error:
        raise Unavailable(f"cannot read {file!r}: {(error.strerror or 'failed').lower()}") from None
    except ValueError:
        raise UsageError("the path holds a null character") from None


@contextlib.contextmanager
def _unchanging(source: BinaryIO, file: str, path: str) -> Iterator[BinaryIO]:
    """The input as it can be read twice."""
    regular = file != _STANDARD and stat.S_ISREG(os.fstat(source.fileno()).st_mode)
    if regular and path != _STANDARD and not is_special(Path(path)):
        yield source  # checked again before the result has a name
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
        try:
            shutil.copyfileobj(source, copy, PIECE_BYTES)
        except OSError as error:
            why = (error.strerror or "failed").lower()
            raise Unreadable(f"it cannot be copied to a temporary place: {why}") from None
        yield cast(BinaryIO, copy)


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
