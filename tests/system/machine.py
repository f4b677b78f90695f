"""A machine with made ports: /sys and /dev of a mount namespace, for whole commands."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.eeg.sources.ptys import Pty
from tests.eeg.sources.sysfs import Adapter, Tree
from tests.peers import forbidden, needs

BOARD = Adapter("0403", "6001", "FT232R USB UART", "FTDI", "A9014SQP")
OTHER = Adapter("1a86", "7523", "USB Serial")

_ENTER = """
set -e
mount --bind /dev/pts "$1/dev/pts"
mount --bind /dev/null "$1/dev/null"
mount --bind "$1/sys" /sys
mount --rbind "$1/dev" /dev
shift
exec "$@"
"""


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command, its output and errors in pipes; killed at the end if it still runs."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class Machine:
    """Its ports are ptys; a command that is started here sees no others."""

    def __init__(self, root: Path) -> None:
        needs("unshare", "mount")
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
            forbidden("a mount namespace")
        self._tree = Tree(root)
        (root / "dev/pts").mkdir()
        (root / "dev/null").touch()

    def plug_in(self, name: str, adapter: Adapter) -> Pty:
        """An adapter at this name, with a device behind it."""
        made = Pty()
        self._tree.add_usb_serial(name, adapter, "ftdi_sio")
        (self._tree.root / "dev" / name).unlink()
        (self._tree.root / "dev" / name).symlink_to(made.path)
        return made

    def unplug(self, name: str, board: Pty) -> None:
        """Take the adapter away."""
        self._tree.remove(name)
        board.unplug()

    def start(self, *command: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """A command on this machine."""
        return running("unshare", "--mount", "sh", "-c", _ENTER, "sh", str(self._tree.root), *command)

    def run(self, *command: str) -> tuple[int, str, str]:
        """Status, output and errors of a command on this machine."""
        with self.start(*command) as process:
            out, err = process.communicate(timeout=60)
        return process.returncode, out.decode(), err.decode()
