"""Runs a command to its end, as if it stood here itself: signals go to it, its status comes back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence

from kit.core.errors import NotPermitted, Unavailable

_FORWARDED = {
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
}
# siginfo's si_code of what the terminal sends, to the whole foreground group: the command has it already.
_SI_KERNEL = 0x80


def run_to_end(command: Sequence[str], extra_environment: Mapping[str, str]) -> int:
    """The command's exit status, 128 + n where signal n ended it."""
    awaited = {*_FORWARDED, signal.SIGCHLD}
    # Blocked before it starts: no signal is lost between its start and the first wait.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    try:
        child = _start(command, {**os.environ, **extra_environment}, before)
        while child.poll() is None:
            received = signal.sigwaitinfo(awaited)
            if received.si_signo in _FORWARDED and received.si_code != _SI_KERNEL:
                child.send_signal(received.si_signo)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    status = child.returncode
    return status if status >= 0 else 128 - status


def _start(
    command: Sequence[str], environment: Mapping[str, str], mask: set[int | signal.Signals]
) -> subprocess.Popen[bytes]:
    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    try:
        # One thread runs here, so that a function between fork and exec is safe.
        return subprocess.Popen(command, env=environment, preexec_fn=unblock)  # noqa: PLW1509
    except OSError as error:
        # Not by the error's kind: a directory of PATH that may not be searched makes it a PermissionError.
        if shutil.which(command[0], os.F_OK) is None:
            raise Unavailable(f"no command {command[0]!r}") from None
        if isinstance(error, PermissionError):
            raise NotPermitted(f"no permission to run {command[0]!r}") from None
        raise Unavailable(f"cannot run {command[0]!r}: {(error.strerror or 'failed').lower()}") from None
