"""Every error that a user can meet: one root, an exit status a class, an optional way out an instance.

The statuses are part of the interface and stand in kit(1). They follow sysexits.h where it has a word.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_NO = 1
EXIT_USAGE = 2
EXIT_UNAVAILABLE = 69
EXIT_PROTOCOL = 76
EXIT_NOT_PERMITTED = 77
EXIT_INTERRUPTED = 130


class KitError(Exception):
    """Something stands between the user and the result; `hint` says what may help."""

    exit_status = EXIT_NO

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class NegativeAnswer(KitError):
    """The command ran, and the answer is no: a handshake failed, a key was refused."""


class UsageError(KitError):
    """What the user typed, or a file that he named, does not say what is wanted."""

    exit_status = EXIT_USAGE


class Unavailable(KitError):
    """Something that the command needs is not there: no agent, no file, nobody on the port."""

    exit_status = EXIT_UNAVAILABLE


class ProtocolError(KitError):
    """The peer said something that its protocol does not allow."""

    exit_status = EXIT_PROTOCOL


class NotPermitted(KitError):
    """The system or the agent's policy does not let this user do this."""

    exit_status = EXIT_NOT_PERMITTED
