"""Why a device cannot be had, by the number that the system gives."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.core.errors import KitError, NotPermitted, Unavailable, UsageError
from kit.eeg.sources.refusals import Attempt, InUse, refusal
from kit.eeg.sources.source import NotThere
from tests.peers import forbidden

PATH = "/dev/ttyUSB7"


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.ENOENT, NotThere, f"no file or device {PATH!r}"),
        (errno.EACCES, NotPermitted, f"no permission to open {PATH!r}"),
        (errno.EPERM, NotPermitted, f"the system does not let {PATH!r} be opened"),
        (errno.EBUSY, InUse, f"{PATH!r} is in use"),
        (errno.EAGAIN, InUse, f"{PATH!r} is in use"),
        (errno.ENOTTY, UsageError, f"cannot read {PATH!r}: it is not a serial port"),
        (errno.EINVAL, UsageError, f"{PATH!r} does not know the speed of 57600 baud"),
        (errno.EIO, NotThere, f"there is no device behind {PATH!r}"),
        (errno.ENXIO, NotThere, f"there is no device behind {PATH!r}"),
        (errno.ENODEV, NotThere, f"there is no device behind {PATH!r}"),
        (errno.EMFILE, Unavailable, f"cannot open {PATH!r}: too many open files"),
        (0, Unavailable, f"cannot open {PATH!r}: who \\x1b knows"),
    ],
)
def test_each_number_has_an_error_with_a_hint(number: int, kind: type[KitError], says: str) -> None:
    error = refusal(Attempt(PATH, 57600, number), "who \x1b knows")
    assert type(error) is kind
    assert str(error) == says
    assert error.hint


_AS_MEMBER = """
import errno, grp, os, pwd, sys
from kit.eeg.sources.refusals import Attempt, refusal
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(refusal(Attempt(sys.argv[1], 57600, errno.EACCES), "").hint)
"""


def test_who_was_made_a_member_of_the_group_has_to_log_in_anew(short_tmp: Path) -> None:
    enter = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc/group && shift && exec "$@"', "sh"]
    groups = short_tmp / "group"
    groups.write_text("nogroup:x:65534:\nplugdev:x:4711:nobody\n")
    if subprocess.run([*enter, str(groups), "true"], capture_output=True, check=False).returncode:
        forbidden("a mount namespace")
    port = short_tmp / "port"
    port.touch()
    os.chown(port, 0, 4711)
    port.chmod(0o660)
    short_tmp.chmod(0o755)
    program = [*enter, str(groups), sys.executable, "-c", _AS_MEMBER, str(port)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stdout == "you were made a member of its group 'plugdev' since you logged in: log in anew\n"
