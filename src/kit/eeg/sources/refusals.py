"""Why a device cannot be had, and what helps: one error with a hint for each number of the system."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.core.errors import KitError, NotPermitted, Unavailable, UsageError
from kit.core.text import printable
from kit.eeg.sources.holders import Holder, holders
from kit.eeg.sources.ports import what_is_there
from kit.eeg.sources.source import NotThere


@dataclass(frozen=True)
class Attempt:
    """What was tried: a device at a speed; the system's error number, 0 if it gave none."""

    path: str
    baud: int
    number: int
    bad_value: bool = False


class InUse(Unavailable):
    """Another program reads the device; both would get a part of the bytes."""


def refusal(attempt: Attempt, text: str) -> KitError:
    """The error for an attempt that failed; `text` is what the library said of it."""
    if attempt.bad_value:
        return _no_such_speed(attempt)
    answer = _ANSWERS.get(attempt.number)
    if answer:
        return answer(attempt)
    why = os.strerror(attempt.number).lower() if attempt.number else printable(text)
    return Unavailable(f"cannot open {attempt.path!r}: {why}", hint=what_is_there())


def missing(path: str) -> NotThere:
    """Nothing has that name."""
    return NotThere(f"no file or device {path!r}", hint=what_is_there())


def not_a_port(path: str, what: str = "it is not a serial port") -> UsageError:
    """Something has that name, and no EEG comes from it."""
    return UsageError(f"cannot read {path!r}: {what}", hint=what_is_there())


def in_use(path: str, others: Sequence[Holder]) -> InUse:
    """Somebody else has it."""
    if not others:
        return InUse(f"{path!r} is in use", hint=f"'sudo fuser -v {path}' says by whom")
    who = ", ".join(map(str, others))
    return InUse(f"{path!r} is in use by {who}", hint="end that program: both would get a part of the bytes")


def _busy(attempt: Attempt) -> KitError:
    return in_use(attempt.path, holders(attempt.path))


def _not_permitted(attempt: Attempt) -> KitError:
    return NotPermitted(f"no permission to open {attempt.path!r}", hint=_way_in(attempt.path))


def _forbidden(attempt: Attempt) -> KitError:
    hint = "a container sees only the devices that it was started with"
    return NotPermitted(f"the system does not let {attempt.path!r} be opened", hint=hint)


def _no_hardware(attempt: Attempt) -> KitError:
    return NotThere(f"there is no device behind {attempt.path!r}", hint=what_is_there())


def _no_such_speed(attempt: Attempt) -> KitError:
    hint = "OpenEEG boards send at 57600 baud"
    return UsageError(f"{attempt.path!r} does not know the speed of {attempt.baud} baud", hint=hint)


def _way_in(path: str) -> str:
    """How this user comes to open the device."""
    try:
        found = Path(path).stat()
        group = grp.getgrgid(found.st_gid).gr_name
        user = pwd.getpwuid(os.geteuid()).pw_name
    except (OSError, KeyError):
        return "ask who runs this machine"
    if not found.st_gid or found.st_mode & (stat.S_IRGRP | stat.S_IWGRP) != stat.S_IRGRP | stat.S_IWGRP:
        return f"its group {group!r} may not open it either: a udev rule for the board can change that"
    if found.st_gid in os.getgrouplist(user, os.getegid()):
        return f"you were made a member of its group {group!r} since you logged in: log in anew"
    return f"join its group with 'sudo usermod -aG {group} $USER', then log in anew"


_ANSWERS: dict[int, Callable[[Attempt], KitError]] = {
    errno.ENOENT: lambda attempt: missing(attempt.path),
    errno.EACCES: _not_permitted,
    errno.EPERM: _forbidden,
    errno.EBUSY: _busy,
    errno.EAGAIN: _busy,
    errno.ENOTTY: lambda attempt: not_a_port(attempt.path),
    errno.EINVAL: _no_such_speed,
    errno.EIO: _no_hardware,
    errno.ENXIO: _no_hardware,
    errno.ENODEV: _no_hardware,
}
