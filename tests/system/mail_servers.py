"""OpenSMTPD with its keys where they always were, or in an agent; each with a /run and a spool of its own.

The two are a namespace's, because the paths are compiled into smtpd and two of it would meet there.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.agent.samples import LEAF, PrivateKey, certificate, private_key
from tests.peers import find
from tests.system.agents import KIT
from tests.system.family import await_that
from tests.system.probe_servers import answers, free_ports

Wait = Callable[[Callable[[], bool]], None]
USER = "opensmtpd"
KINDS = {"rsa": "rsa-2048", "ec": "p-256"}
_CONFIGURATION = """
pki rsa.test cert "{here}/rsa.crt"
pki rsa.test key "{keys[rsa]}"
pki ec.test cert "{here}/ec.crt"
pki ec.test key "{keys[ec]}"
table boxes {{ "@mail.test" = "nobody" }}
listen on 127.0.0.1 port {ports[rsa]} tls pki rsa.test
listen on 127.0.0.1 port {ports[ec]} tls pki ec.test
listen on 127.0.0.1 port {ports[smtps]} smtps pki rsa.test
action "keep" mda "cat >> {here}/mail" virtual <boxes>
match from any for domain "mail.test" action "keep"
"""
# A process as it was started, or under the title that it took later.
_NAME = re.compile(r"(?:-x |^smtpd: )([a-z ]+)$")
_TITLES = {
    "lookup": "lka",
    "crypto": "ca",
    "klondike": "ca",
    "pony express": "dispatcher",
    "pony": "dispatcher",
}
ALONE = 'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/spool && exec "$@"'


@dataclass
class Mail:
    """What the servers share: a directory with keys, certificates and configurations."""

    here: Path
    wait_until: Wait
    keys: dict[str, PrivateKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.here.chmod(0o755)
        (self.here / "mail").touch()
        (self.here / "mail").chmod(0o666)
        (self.here / "audit").mkdir()
        shutil.chown(self.here / "audit", "nobody")
        for name, kind in KINDS.items():
            self.keys[name] = private_key(kind)
            pem = self.keys[name].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            self._write(f"{name}.key", pem, 0o600)
            leaf = certificate(kind, LEAF)
            self._write(f"{name}.crt", leaf.public_bytes(Encoding.PEM), 0o644)

    def _write(self, name: str, content: bytes, mode: int) -> None:
        path = self.here / name
        path.touch(mode=mode)
        path.chmod(mode)
        path.write_bytes(content)

    @property
    def socket(self) -> str:
        return str(self.here / "agent" / "agent.sock")

    def agent_configuration(self, purposes: str = '["tls-digest"]') -> Path:
        tables = [
            f'[keys."{name}.test"]\nfile = "{self.here}/{name}.key"\npurposes = {purposes}\n'
            f'peers = ["user:{USER}"]\n'
            for name in KINDS
        ]
        head = f'[agent]\nuser = "nobody"\nsocket = "{self.socket}"\nmode = "0660"\ngroup = "{USER}"\n'
        path = self.here / "agent.toml"
        path.write_text(head + "\n".join(tables))
        return path

    @contextmanager
    def agent(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """An agent with the keys, in this session: the bench gives that its share of the machine."""
        command = [KIT, "agent", "start", "--foreground", "--config", self.agent_configuration(), "--json"]
        log = self.here / "agent.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [*command, *options], stdout=subprocess.PIPE, stderr=output, text=True
            ) as process,
        ):
            assert process.stdout
            assert process.stdout.readline(), log.read_text()
            try:
                yield process
            finally:
                process.terminate()
                process.wait(20)

    @contextmanager
    def genuine(self) -> Iterator[Server]:
        """smtpd as its package has it."""
        keys = {name: f"{self.here}/{name}.key" for name in KINDS}
        with self._running("genuine", keys, [find("smtpd")]) as server:
            yield server

    @contextmanager
    def by_kit(self, *options: str, debug: bool = True) -> Iterator[Server]:
        """smtpd with the agent's keys, and a dummy where its key files were."""
        dummy = self.here / "dummy.key"
        if not dummy.exists():
            subprocess.run([KIT, "agent", "smtpd", "--make-dummy", dummy], check=True)
        command = [KIT, "agent", "smtpd", "--socket", self.socket, *options, "--", find("smtpd")]
        with self._running("by-kit", dict.fromkeys(KINDS, str(dummy)), command, debug=debug) as server:
            yield server

    @contextmanager
    def _running(
        self, name: str, keys: dict[str, str], command: list[str], *, debug: bool = True
    ) -> Iterator[Server]:
        listeners = (*KINDS, "smtps")
        ports = dict(zip(listeners, free_ports(len(listeners)), strict=True))
        configuration = self.here / f"{name}.conf"
        configuration.write_text(_CONFIGURATION.format(here=self.here, keys=keys, ports=ports))
        log = self.here / f"{name}.log"
        alone = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", ALONE, "sh"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*alone, *command, "-d" if debug else "-F", "-f", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        server = Server(process.pid, ports, log)
        try:
            await_that(lambda: process.poll() is not None or server.answers(), "smtpd", 60)
            assert process.poll() is None, log.read_text()
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@dataclass(frozen=True)
class Server:
    """A running smtpd: its parent process, its listeners, its log."""

    pid: int
    ports: dict[str, int]
    log: Path

    def answers(self) -> bool:
        return all(answers(port) for port in self.ports.values())

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def processes(self) -> dict[str, int]:
        """Its processes by the names under which smtpd starts them."""
        found = {"parent": self.pid}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
                words = (stat.parent / "cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue
            name = _NAME.search(words)
            if parent == self.pid and name:
                found[_TITLES.get(name[1], name[1])] = int(stat.parent.name)
        return found
