"""The agents that are measured: kit's with the options of a setting, and OpenSSH's."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from kit.agent.client import AgentClient
from kit.agent.public import describe, load_spki
from kit.agent.schemes import BY_NAME
from tests.bench.processes import family
from tests.bench.requests import Question, ssh_question, tls_question
from tests.peers import find

PKCS11 = "pkcs11.sock"
KIT = str(Path(sys.executable).parent / "kit")
_SCHEMES = {"rsa": "rsa_pss_rsae_sha256", "p-256": "ecdsa_secp256r1_sha256"}
_STOP_LIMIT_S = 15.0
_NO_SANDBOX = '[agent]\nsandbox = "off"\ni-know-that-keys-are-less-protected = true\n'


@dataclass(frozen=True)
class Setting:
    """How an agent is started; the audit goes to a file."""

    sandbox: str = "strict"
    audit: bool = True
    audit_strict: bool = False
    wipe_memory: bool = False
    pkcs11: bool = False

    def options(self, directory: Path) -> list[str]:
        """Those of `kit agent start`; files that they name are made in the directory."""
        options = ["--wipe-memory"] * self.wipe_memory
        if self.pkcs11:
            options += ["--pkcs11", str(directory / PKCS11)]
        if self.sandbox == "off":
            (directory / "agent.toml").write_text(_NO_SANDBOX)
            options += ["--config", str(directory / "agent.toml")]
        else:
            options += ["--sandbox", self.sandbox]
        if self.audit:
            options += ["--audit", str(directory / "audit.log")]
        return options + ["--audit-strict"] * self.audit_strict


@dataclass(frozen=True)
class Key:
    """A key in the agent, and what is asked of it: in kit's words, and in SSH's."""

    tls: Question
    ssh: Question


@dataclass(frozen=True)
class Agent:
    """A running agent of kit; `pid` is its first process."""

    pid: int
    socket: str
    directory: Path

    def key(self, kind: str) -> Key:
        """A new key of this kind."""
        with AgentClient(self.socket) as client:
            record = client.generate(kind, kind, ("tls-server", "ssh"))
        key_id = describe(load_spki(record.spki)).key_id
        scheme = next(name for start, name in _SCHEMES.items() if kind.startswith(start))
        return Key(tls_question(key_id, BY_NAME[scheme].code), ssh_question(record.ssh_blob))


@contextmanager
def kit_agent(setting: Setting) -> Iterator[Agent]:
    """An agent that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="kit-") as name:
        directory = Path(name)
        path = str(directory / "agent.sock")
        command = [KIT, "agent", "start", "--foreground", "--json", "--socket", path]
        log = ["--log", os.devnull]
        with _ended(
            subprocess.Popen([*command, *log, *setting.options(directory)], stdout=subprocess.PIPE)
        ) as kit:
            assert kit.stdout
            line = kit.stdout.readline()
            if not line:
                raise SystemExit("the agent did not start")
            pid = json.loads(line)["pid"]
            for urgent in chain.from_iterable(family(pid).values()):
                _as_urgent(urgent)
            yield Agent(pid, path, directory)


def _as_urgent(pid: int) -> None:
    """Give the process's session the priority of the bench's own (autogroups in sched(7))."""
    with suppress(OSError):  # where sessions have none
        priority = Path("/proc/self/autogroup").read_text().split()[-1]
        Path(f"/proc/{pid}/autogroup").write_text(priority)


@contextmanager
def ssh_agent() -> Iterator[tuple[str, Question]]:
    """OpenSSH's agent with a P-256 key: its socket, and a question that it can answer."""
    with tempfile.TemporaryDirectory(prefix="kit-") as name:
        path, key = f"{name}/agent.sock", f"{name}/key"
        subprocess.run(
            [find("ssh-keygen"), "-q", "-t", "ecdsa", "-b", "256", "-N", "", "-f", key], check=True
        )
        blob = base64.b64decode(Path(f"{key}.pub").read_text().split()[1])
        with _ended(subprocess.Popen([find("ssh-agent"), "-D", "-a", path], stdout=subprocess.PIPE)) as agent:
            assert agent.stdout
            agent.stdout.readline()  # printed when it listens
            environment = {**os.environ, "SSH_AUTH_SOCK": path}
            subprocess.run([find("ssh-add"), "-q", key], env=environment, check=True)
            yield path, ssh_question(blob)


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
