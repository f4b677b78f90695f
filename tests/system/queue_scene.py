"""A real OpenSMTPD with an encrypted queue, and a server that it delivers to.

In mount namespaces, so that the spool and the control socket of the system, and of other tests, stay as they
are.
"""

from __future__ import annotations

import os
import shutil
import smtplib
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers import find, forbidden
from tests.system.probe_servers import answers, free_port, needs_root
from tests.system.terminal import at_terminal

Wait = Callable[..., None]
MAIL = b"Subject: hello\r\n\r\n" + b"a line of the body\r\n" * 2000

_ENTER = """
set -e
mkdir -p /var/spool/smtpd
mount --bind "$1/spool" /var/spool/smtpd
mount --bind "$1/run" /run
shift
exec "$@"
"""
_CONFIGURATION = """
queue encryption "{key}"
{compression}
listen on 127.0.0.1 port {port}
action "relay" relay host smtp://127.0.0.1:{relay}
match from any for any action "relay"
"""


class _Letters(socketserver.StreamRequestHandler):
    """One session of SMTP."""

    server: Sink

    def handle(self) -> None:
        self._say("220 sink")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                self._say("354 go on")
                self.server.letters.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            self._say("221 bye" if word == b"QUIT" else "250 sink")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


class Sink(socketserver.ThreadingTCPServer):
    """Takes every mail."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Letters)
        self.letters: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def sink() -> Iterator[Sink]:
    with Sink() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


class Smtpd:
    """OpenSMTPD with a spool of its own below `directory`."""

    def __init__(self, directory: Path, wait_until: Wait) -> None:
        needs_root()
        self._smtpd, installed = find("smtpd"), find("smtpctl")
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
            forbidden("a mount namespace")
        self._directory, self._wait_until = directory, wait_until
        directory.chmod(0o755)
        for name in ("spool", "run"):
            (directory / name).mkdir()
        (directory / "spool").chmod(0o711)
        # It wants to be setgid, which .ci/setup's is not.
        self._smtpctl = shutil.copy(installed, directory / "smtpctl")
        shutil.chown(self._smtpctl, group="opensmtpq")
        self._smtpctl.chmod(0o2755)

    @contextmanager
    def running(self, key: str, *, compressed: bool, relay: int = 1) -> Iterator[int]:
        """The server with this key; its port. What cannot be relayed stays in the queue."""
        port = free_port()
        compression = "queue compression" if compressed else ""
        configuration = self._directory / "smtpd.conf"
        configuration.write_text(
            _CONFIGURATION.format(key=key, compression=compression, port=port, relay=relay)
        )
        log = self._directory / "output.log"
        with log.open("ab") as output:
            command = self._inside(self._smtpd, "-d", "-v", "-f", str(configuration))
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            self._wait_until(lambda: process.poll() is not None or answers(port), "smtpd", 20)
            assert process.poll() is None, log.read_text()
            yield port
        finally:
            process.terminate()
            process.wait(20)

    def post(self, port: int) -> None:
        """Hand over a mail, and wait until it is in the queue."""
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail("alice@example.org", ["bob@example.org"], MAIL)
        self._wait_until(lambda: len(self.files()) == 2, "a message and an envelope", 20)

    def files(self) -> list[Path]:
        """The envelopes and messages of the queue."""
        # os.walk passes over a directory that smtpd takes away meanwhile; rglob does not in Python 3.11.
        queue = self._directory / "spool/queue"
        return [Path(root) / name for root, _, names in os.walk(queue) for name in names]

    def message(self) -> Path:
        """The only message."""
        (path,) = (path for path in self.files() if path.name == "message")
        return path

    def hurry_until(self, done: Callable[[], object]) -> None:
        """Have everything delivered now; asked again, as smtpd may listen, or know of it, a moment later."""
        command = self._inside(str(self._smtpctl), "schedule", "all")

        def asked() -> object:
            subprocess.run(command, capture_output=True, timeout=60, check=False)
            return done()

        self._wait_until(asked, "what was to be delivered", 60)

    def shown(self, key: str) -> str:
        """What `smtpctl show message` makes of the message, for somebody who types the key."""
        command = self._inside(str(self._smtpctl), "show", "message", self.message().parent.name)
        with at_terminal(command, os.environ) as terminal:
            terminal.wait_for("key> ")
            terminal.type(key + "\n")
            assert terminal.end() == 0, terminal.seen
            return terminal.seen

    def _inside(self, *command: str) -> list[str]:
        return ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(self._directory), *command]
