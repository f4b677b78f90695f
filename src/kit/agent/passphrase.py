"""Passphrases, from the terminal or from a descriptor; never from an argument or the environment.

They arrive in bytearrays that are wiped after use. Who can, asks in a process that ends soon (see `loader`).
"""

from __future__ import annotations

import contextlib
import os
import termios
from collections.abc import Iterator
from typing import Protocol

from kit.core.errors import UsageError
from kit.core.waiting import await_readable

# The longest line that a terminal hands over is 4096 bytes; ssh-agent takes as much.
_LIMIT = 4096
_NO_TERMINAL = "give it by --passphrase-fd, e.g. --passphrase-fd 3 3<FILE"


class Passphrases(Protocol):
    """Where passphrases come from; `tries` is how often it is worth to ask for the same one."""

    tries: int

    def ask(self, what: str) -> bytearray: ...


class FromDescriptor:
    """One line of an open descriptor for each question, so that several keys can follow each other."""

    tries = 1

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def ask(self, what: str) -> bytearray:
        """The next line; raises UsageError where the descriptor is not open."""
        try:
            return _line(self._descriptor)
        except OSError as error:
            why = (error.strerror or "unreadable").lower()
            raise UsageError(f"no passphrase from descriptor {self._descriptor}: {why}") from None


class FromTerminal:
    """Asks on the controlling terminal, without echo."""

    tries = 3

    def ask(self, what: str) -> bytearray:
        """What is typed at the prompt; raises UsageError where there is no terminal."""
        try:
            terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            raise UsageError(f"there is no terminal to ask for the {what}", hint=_NO_TERMINAL) from None
        try:
            return _prompt(terminal, what)
        finally:
            os.close(terminal)


class Nobody:
    """Where nobody can be asked: a service that reads its configuration."""

    tries = 1

    def ask(self, what: str) -> bytearray:
        raise UsageError(
            "it is encrypted, and a service has nobody to ask", hint="add it with 'kit agent add'"
        )


def source(descriptor: int | None) -> Passphrases:
    """What --passphrase-fd says, or the terminal."""
    return FromTerminal() if descriptor is None else FromDescriptor(descriptor)


@contextlib.contextmanager
def asked(passphrases: Passphrases, what: str) -> Iterator[bytearray]:
    """A passphrase, wiped at the end of the with block."""
    secret = passphrases.ask(what)
    try:
        yield secret
    finally:
        wipe(secret)


@contextlib.contextmanager
def chosen(passphrases: Passphrases) -> Iterator[bytearray]:
    """A new passphrase; a person types it twice."""
    with asked(passphrases, "new passphrase") as secret:
        if not secret:
            raise UsageError("an empty passphrase protects nothing")
        if passphrases.tries > 1:
            with asked(passphrases, "the same passphrase again") as again:
                if again != secret:
                    raise UsageError("the two passphrases differ")
        yield secret


def wipe(secret: bytearray) -> None:
    """Overwrite in place."""
    secret[:] = bytes(len(secret))


def _prompt(terminal: int, what: str) -> bytearray:
    with _no_echo(terminal):
        os.write(terminal, f"{what[:1].upper()}{what[1:]}: ".encode(errors="backslashreplace"))
        try:
            return _line(terminal)
        finally:
            os.write(terminal, b"\n")


@contextlib.contextmanager
def _no_echo(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    silent = list(before)
    silent[3] &= ~termios.ECHO
    # FLUSH: what was typed before the prompt was seen is no passphrase.
    termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


def _line(descriptor: int) -> bytearray:
    """Up to a line end, which is not part of it; byte by byte, since the rest belongs to the next reader."""
    line, one = bytearray(_LIMIT), bytearray(1)
    have = 0
    while _read(descriptor, one) and one != b"\n":
        if have == _LIMIT:
            wipe(line)
            raise UsageError(f"a passphrase of more than {_LIMIT} bytes")
        line[have], have = one[0], have + 1
    if have and line[have - 1] == ord("\r"):
        have -= 1
    secret = line[:have]
    wipe(line)
    return secret


def _read(descriptor: int, one: bytearray) -> int:
    await_readable(descriptor)
    return os.readv(descriptor, [one])
