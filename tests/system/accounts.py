"""Programs run as another user, in whose way root's private directories may stand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.peers import forbidden, needs

ROOT, NOBODY = 0, 65534
_BECOME = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all"]
# A Python that lies in root's home is shown to nobody through an empty directory in its home's place, in a
# mount namespace of the command's own.
_SHOW = """
set -e
hidden=$1 wanted=$2
shift 2
keep=$(mktemp -d)
mount --bind "$wanted" "$keep"
mount -t tmpfs -o mode=0755 none "$hidden"
mkdir -p "$wanted"
mount --bind "$keep" "$wanted"
umount "$keep"
rmdir "$keep"
exec "$@"
"""


@cache
def as_nobody() -> tuple[str, ...]:
    """What stands before a command that is to run as nobody, without any capability."""
    needs("setpriv")
    hidden = _hidden()
    if not hidden:
        return tuple(_BECOME)
    needs("unshare", "mount")
    prefix = ["unshare", "--mount", "sh", "-c", _SHOW, "sh", hidden, sys.base_prefix, *_BECOME]
    if subprocess.run([*prefix, sys.executable, "-c", ""], capture_output=True, check=False).returncode:
        forbidden("another user to run this Python")
    return tuple(prefix)


def _hidden() -> str:
    """The first directory above this Python that others may not search."""
    prefix = Path(sys.base_prefix)
    closed = [place for place in (*reversed(prefix.parents), prefix) if not place.stat().st_mode & 0o001]
    return str(closed[0]) if closed else ""


def run_as_nobody(command: Sequence[str], directory: Path) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run(
        [*as_nobody(), *command],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory)},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
