"""Where the audit log's lines go: nowhere, to standard output, to the journal, or to a file.

None waits for a reader or a journal that is slow. Each keeps what `Sink` says.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Iterator, Sequence

from kit.agent.audit.descriptor import LineDescriptor
from kit.agent.audit.files import FileSink
from kit.agent.audit.journal_entry import journal_entry
from kit.agent.audit.render import LINE_LIMIT
from kit.agent.audit.writer import Sink
from kit.core.errors import Unavailable

_JOURNAL = "/run/systemd/journal/socket"
_STANDARD_OUTPUT = 1


class NoSink:
    """Takes everything, keeps nothing."""

    def write(self, lines: Sequence[bytes]) -> int:
        return len(lines)

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


class StreamSink:
    """A descriptor that somebody else opened and may share: it stays in whichever blocking mode it is."""

    def __init__(self, descriptor: int = _STANDARD_OUTPUT) -> None:
        self._stream = LineDescriptor(descriptor)
        self._room = select.poll()
        self._room.register(descriptor, select.POLLOUT)

    def write(self, lines: Sequence[bytes]) -> int:
        done = 0
        for group in _groups(lines):
            try:
                if not self._room.poll(0):
                    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                written = self._stream.write(group)
            except OSError:
                if not done:
                    raise
                return done
            done += written
            if written < len(group):
                return done
        return done

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


class JournalSink:
    """systemd's journal; addressed anew with each datagram, so that its restart is no matter."""

    def __init__(self, path: str = _JOURNAL) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def write(self, lines: Sequence[bytes]) -> int:
        for done, line in enumerate(lines):
            try:
                self._socket.sendto(journal_entry(line), socket.MSG_DONTWAIT, self._path)
            except OSError:
                if not done:
                    raise
                return done
        return len(lines)

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        self._socket.close()


def open_sink(target: str) -> Sink:
    """The sink that the configuration calls "", "stdout", "journal" or by a file's path."""
    if not target:
        return NoSink()
    if target == "stdout":
        return StreamSink()
    if target == "journal":
        return JournalSink()
    try:
        return FileSink(target)
    except OSError as error:
        why = (error.strerror or "failed").lower()
        raise Unavailable(
            f"cannot write the audit log {target!r}: {why}",
            hint="the agent's user must be able to make this file, and nobody else to write to it",
        ) from None


def _groups(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The lines by what a pipe with any room takes whole, so that it neither blocks nor takes half a line."""
    begin = size = 0
    for at, line in enumerate(lines):
        if size + len(line) > LINE_LIMIT and at > begin:
            yield lines[begin:at]
            begin, size = at, 0
        size += len(line)
    if begin < len(lines):
        yield lines[begin:]
