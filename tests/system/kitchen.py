"""A recipe carried out as it is printed, in a mount namespace with a copy of this machine's /etc.

Commands run as they stand there, but for systemctl: what a drop-in sets, the test gives to the program.
"""

from __future__ import annotations

import contextlib
import json
import pwd
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers import forbidden
from tests.system.agents import Agent, running_agent
from tests.tls.authority import Authority, Leaf

_ROOM = 'mount --bind "$1" /etc && echo ready && exec cat'
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Kitchen:
    """The room, the agent whose keys are used, and who certified them."""

    etc: Path
    agent: Agent
    authority: Authority
    enter: tuple[str, ...]

    @property
    def here(self) -> Path:
        return self.agent.directory

    def recipe(self, program: str, leaf: Leaf, *options: str) -> dict[str, Any]:
        """What kit prints, which must lack nothing."""
        name = leaf.key.stem
        command = ["recipe", program, "--key", name, "--cert", str(leaf.chain), "--json", *options]
        done = self.agent.kit(*command)
        found: dict[str, Any] = json.loads(done.stdout)
        assert (found["missing"], done.returncode, done.stderr) == ([], 0, "")
        assert found["tested"]
        return found

    def follow(self, recipe: Mapping[str, Any]) -> dict[str, str]:
        """Do what it says, all but the last step where that runs the program; the environment of the unit."""
        environment = {"PATH": PATH}
        for step in recipe["steps"]:
            if step["what"] == "Run it.":
                break
            if step["path"]:
                self.write(step["path"], step["text"])
                environment |= dict(re.findall(r"^Environment=(\w+)=(.*)$", step["text"], re.MULTILINE))
            else:
                lines = [line for line in step["text"].splitlines() if not line.startswith("systemctl ")]
                self.ok("sh", "-ec", "\n".join(lines))
        return environment

    def write(self, path: str, text: str) -> None:
        """A file of the machine's configuration."""
        place = self.etc / Path(path).relative_to("/etc")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def run(
        self, *command: str, environment: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """A program in the room, to its end."""
        return subprocess.run(
            [*self.enter, *command],
            capture_output=True,
            text=True,
            timeout=60,
            input=stdin,
            env=dict(environment or {"PATH": PATH}),
            check=False,
        )

    def ok(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


Kit = Callable[..., subprocess.CompletedProcess[str]]


def cells(kit: Kit, room: Kitchen, *arguments: str) -> list[tuple[str, str, str]]:
    """What becomes of each handshake that the server has a key for: version, kind of key, outcome."""
    done = kit("tls", "probe", "--json", "--ca", str(room.authority.ca_file), *arguments)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = [line for line in lines if line["kind"] == "cell" and line["outcome"] != "not served"]
    return [(line["version"], line["authentication"], line["outcome"]) for line in found]


_CONFIGURATION = """
[agent]
mode = "0666"
[pkcs11]
mode = "0666"
"""
_KEY = """
[keys.{name}]
file = "{key}"
certificate = "{chain}"
purposes = {purposes}
peers = {peers}
"""
_USERS = ("root", "nobody", "www-data", "postfix", "opensmtpd")


@contextlib.contextmanager
def kitchen(directory: Path, purposes: str) -> Iterator[Kitchen]:
    """An agent with an RSA and an ECDSA key for servers of several users, in a directory that they reach."""
    directory.chmod(0o755)
    pki = directory / "pki"
    pki.mkdir()
    authority = Authority(pki)
    text, everybody = _CONFIGURATION, {entry.pw_name for entry in pwd.getpwall()}
    peers = [f"user:{name}" for name in _USERS if name in everybody]
    for leaf in (authority.rsa, authority.ecdsa):
        text += _KEY.format(
            name=leaf.key.stem,
            key=leaf.key,
            chain=leaf.chain,
            purposes=json.dumps(purposes.split()),
            peers=json.dumps(peers),
        )
        leaf.chain.chmod(0o644)
    configuration = directory / "agent.toml"
    configuration.write_text(text)
    configuration.chmod(0o600)
    run = directory / "run"
    run.mkdir(mode=0o755)
    with (
        running_agent(run, "--config", str(configuration), "--user", "daemon") as agent,
        _room(directory / "etc") as enter,
    ):
        yield Kitchen(directory / "etc", agent, authority, enter)


@contextlib.contextmanager
def _room(etc: Path) -> Iterator[tuple[str, ...]]:
    """What stands before a command that sees a copy of /etc."""
    subprocess.run(["cp", "-a", "/etc", str(etc)], check=True, timeout=60)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ROOM, "sh", str(etc)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdin and holder.stdout
    try:
        if holder.stdout.readline() != "ready\n":
            forbidden("a mount namespace")
        yield ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt")
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()
