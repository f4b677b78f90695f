"""An agent as a service: systemd's own program opens its socket, a shell starts it again whenever it ends.

The shell stands for systemd: it keeps the listening socket while no agent is there, and each agent gets it as
descriptor 3. What the agent tells the service manager comes to a real datagram socket.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kit.agent.client import AgentClient
from kit.core.errors import KitError
from tests.agent.samples import certificate_verify
from tests.peers import find
from tests.system.agents import KIT
from tests.tls.authority import Leaf

DEADLINE_S = 30.0
_ECDSA_SHA256 = 0x0403
_END = b"END=1"

# $$ is the pid that the agent's command goes on with. A start that fails is tried again.
_STARTING = 'echo $$ >"$PID_FILE.new" && mv "$PID_FILE.new" "$PID_FILE" && LISTEN_PID=$$ exec "$@"'
_AGAIN_AND_AGAIN = f"""while [ -e "$PID_FILE.keep" ]; do sh -c '{_STARTING}' sh "$@" || sleep 0.1; done"""


class Told:
    """What the service manager is told, read as it comes: a queue that is full would hold it up."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._messages: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        path.chmod(0o666)  # like systemd's own: the agent is another user by then
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def next(self, wanted: str) -> dict[str, str]:
        """The next message that has this variable; those before it are gone then."""
        end_s = time.monotonic() + DEADLINE_S
        while True:
            message = self._messages.get(timeout=max(0, end_s - time.monotonic()))
            if wanted in message:
                return message

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(_END, self.path)
        self._reader.join()
        self._socket.close()

    def _read(self) -> None:
        while (data := self._socket.recv(5000)) != _END:
            lines = data.decode().split("\n")
            self._messages.put(dict(line.split("=", 1) for line in lines))


class Activated:
    """The service, and its manager's end of everything."""

    def __init__(self, directory: Path, told: Told, leaf: Leaf) -> None:
        self.directory, self.told, self.leaf = directory, told, leaf
        self.socket = str(directory / "agent.sock")
        self.config = directory / "agent.toml"

    @property
    def pid(self) -> int:
        """The command's, which a service manager knows as the main process."""
        return int((self.directory / "pid").read_text())

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def client(self) -> AgentClient:
        return AgentClient(self.socket, timeout_s=DEADLINE_S)

    def fingerprint(self) -> bytes:
        """The key that is held, by its key id."""
        with self.client() as client:
            (key,) = client.list_keys()
        return hashlib.sha256(key.spki).digest()

    def restart(self, number: signal.Signals, pid: int = 0) -> None:
        """End an agent, by the command or by another process of it; return when the next one serves."""
        before = self.pid
        os.kill(pid or before, number)
        while True:
            self.told.next("READY")
            if self.pid != before:
                return

    def write_config(self, *more: str) -> None:
        """One key, for whoever runs the test; root's agent becomes another user."""
        key = f'[keys.web]\nfile = "{self.leaf.key}"\npeers = ["uid:{os.getuid()}"]\n'
        user = 'user = "nobody"\n' if os.getuid() == 0 else ""
        self.config.write_text(f"[agent]\n{user}{key}" + "".join(more))


@contextlib.contextmanager
def activated(directory: Path, leaf: Leaf) -> Iterator[Activated]:
    """A service whose agent serves already; nothing is left of it at the end."""
    keep = directory / "pid.keep"
    keep.touch()
    with contextlib.closing(Told(directory / "notify")) as told:
        service = Activated(directory, told, leaf)
        service.write_config()
        with (directory / "log").open("w") as log:
            manager = subprocess.Popen(_command(service), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _first_connection(service)
            told.next("READY")
            yield service
        finally:
            keep.unlink()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(service.pid, signal.SIGTERM)
            manager.wait(DEADLINE_S)


def _command(service: Activated) -> list[str]:
    variables = {
        "PID_FILE": str(service.directory / "pid"),
        "NOTIFY_SOCKET": service.told.path,
        "WATCHDOG_USEC": "400000",
    }
    settings = [f"--setenv={name}={value}" for name, value in variables.items()]
    agent = [KIT, "agent", "start", "--foreground", "--config", str(service.config)]
    activate = [find("systemd-socket-activate"), "-l", service.socket, "--fdname=agent", *settings]
    return [*activate, "sh", "-c", _AGAIN_AND_AGAIN, "sh", *agent]


def _first_connection(service: Activated) -> None:
    """It starts the service, and ends at once: nobody has to answer it."""
    end_s = time.monotonic() + DEADLINE_S
    with socket.socket(socket.AF_UNIX) as client:
        while client.connect_ex(service.socket):
            assert time.monotonic() < end_s, f"no socket; {service.log}"
            time.sleep(0.01)


@dataclass
class Client:
    """What came of a client's calls."""

    done: int = 0
    errors: list[Exception] = field(default_factory=list)


def signing(service: Activated, *, connected: bool, number: int = 8) -> Callable[[int], None]:
    """A signature for the client of this number, over the connection that it has or over a new one."""
    key_id, own = service.fingerprint(), [service.client() for _ in range(number)]

    def ask(index: int) -> None:
        own[index].sign(key_id, _ECDSA_SHA256, certificate_verify())
        if not connected:
            own[index].close()

    return ask


@contextlib.contextmanager
def clients(ask: Callable[[int], None], number: int = 8) -> Iterator[list[Client]]:
    """So many threads that call `ask` with their number, again and again, until the block ends."""
    ended = threading.Event()
    made = [Client() for _ in range(number)]

    def work(index: int, own: Client) -> None:
        while not ended.is_set():
            try:
                ask(index)
                own.done += 1
            except (KitError, OSError) as error:
                own.errors.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(made)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def await_more(made: list[Client]) -> None:
    """Every client has been answered to a call that it began from now on."""
    before = [one.done for one in made]
    end_s = time.monotonic() + DEADLINE_S
    while any(one.done < done + 2 for one, done in zip(made, before, strict=True)):
        assert time.monotonic() < end_s, f"no more answers; {[one.errors[-1:] for one in made]}"
        time.sleep(0.01)
