"""An agent whose keys unmodified programs use by PKCS#11: certificates, the module, and what finds it.

The agent runs as its command starts it, in its sandbox; root's becomes another user. Keys that a program
hashes for have the purpose `tls-digest` or `digest`; those named `strict-…` have the default purposes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from kit.agent.public import describe
from tests.peers import find, missing
from tests.system.agents import KIT, Agent, await_end
from tests.tls.authority import Authority, Key, Leaf, make_key

AGENT_USER = "daemon"
KINDS = ("rsa", "p256", "p384")
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
_BOTH_SIDES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
# A program that has its certificate from the token shows the leaf alone.
TRUSTED = "trusted.pem"
DIGEST, LOGIN, STRICT = ("tls-digest",), ("digest",), ("tls-server", "csr")


@dataclass(frozen=True)
class Rule:
    """A key of the configuration."""

    name: str
    kind: str
    purposes: Sequence[str] = DIGEST
    peers: Sequence[str] = (f"uid:{os.geteuid()}",)


RULES = (
    *(Rule(kind, kind) for kind in KINDS),
    *(Rule(f"login-{kind}", kind, LOGIN) for kind in KINDS),
    *(Rule(f"strict-{kind}", kind, STRICT) for kind in ("rsa", "p256")),
)


@dataclass(frozen=True)
class Token:
    """The agent as programs see it."""

    agent: Agent
    socket: str
    authority: Authority
    leaves: Mapping[str, Leaf]

    @property
    def directory(self) -> Path:
        return self.agent.directory

    @property
    def finds(self) -> dict[str, str]:
        """What tells p11-kit's module where the token is."""
        return {"P11_KIT_SERVER_ADDRESS": f"unix:path={self.socket}"}

    @property
    def environment(self) -> dict[str, str]:
        """The same, for programs that load the module by themselves, or through libp11."""
        return {**os.environ, **self.finds, "PKCS11_MODULE_PATH": module()}

    def run(self, *words: str, status: int = 0, stdin: str = "") -> str:
        """What a program says on both streams; it must end with this status."""
        command = [find(words[0]), *words[1:]]
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + self.log()
        return done.stdout

    def uri(self, name: str, kind: str = "private") -> str:
        return f"pkcs11:token=kit%20agent;object={name};type={kind}"

    def id(self, name: str) -> str:
        """CKA_ID of the key's objects."""
        spki = describe(self.leaves[name].private.public_key()).spki
        return hashlib.sha1(spki, usedforsecurity=False).hexdigest()

    def counted(self, name: str, what: str = "signed") -> int:
        return int(self.agent.keys()[name][what])

    def log(self) -> str:
        return (self.directory / "own" / "log").read_text()

    def audit(self, event: str = "sign") -> list[dict[str, object]]:
        lines = [json.loads(line) for line in (self.directory / "own" / "audit").read_text().splitlines()]
        return [line for line in lines if line["event"] == event]

    def start(self) -> Token:
        """Another agent in the place of the one that ended."""
        return replace(self, agent=_start(self.directory))


def module() -> str:
    """p11-kit's module that speaks to a socket."""
    found = sorted(Path("/usr/lib").glob("*/pkcs11/p11-kit-client.so"))
    if not found:
        missing("not installed: p11-kit-client.so (.ci/setup installs what the tests need)")
    return str(found[0])


@contextlib.contextmanager
def serving_token(rules: Sequence[Rule] = RULES, mode: str = "0600", group: str = "") -> Iterator[Token]:
    """The agent runs. Where mode and group let others connect, its directory lets them through."""
    module()
    with tempfile.TemporaryDirectory(prefix="kit-", dir="/tmp") as place:
        directory = Path(place)
        directory.chmod(0o755)
        authority = Authority(directory)
        leaves = {
            rule.name: authority.leaf(rule.name, _make(rule.kind), usages=_BOTH_SIDES) for rule in rules
        }
        trusted = (authority.root, authority.middle)
        (directory / TRUSTED).write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in trusted))
        where = directory / ("run" if mode == "0600" else "shared") / "pkcs11.sock"
        door = [f'path = "{where}"', f'mode = "{mode}"', *([f'group = "{group}"'] if group else [])]
        _prepare(directory)
        _configure(
            directory,
            rules,
            leaves,
            door,
        )
        token = Token(_start(directory), str(where), authority, leaves)
        try:
            yield token
        finally:
            _stop(token)


def _prepare(directory: Path) -> None:
    for name, mode in (("run", 0o700), ("shared", 0o755), ("own", 0o700)):
        (directory / name).mkdir(mode=mode)
    if os.geteuid() == 0:
        shutil.chown(directory / "own", AGENT_USER)


def _configure(
    directory: Path, rules: Sequence[Rule], leaves: Mapping[str, Leaf], door: Sequence[str]
) -> None:
    own = directory / "own"
    lines = ["[agent]", f'audit = "{own}/audit"', "audit-strict = true", f'log = "{own}/log"', "workers = 2"]
    if os.geteuid() == 0:
        lines.append(f'user = "{AGENT_USER}"')
    lines += ["[pkcs11]", *door]
    for rule in rules:
        leaf = leaves[rule.name]
        lines += [f"[keys.{rule.name}]", f'file = "{leaf.key}"', f'certificate = "{leaf.chain}"']
        lines += [f"purposes = {json.dumps(rule.purposes)}", f"peers = {json.dumps(rule.peers)}"]
    config = directory / "agent.toml"
    config.write_text("\n".join(lines) + "\n")
    config.chmod(0o600)


def _start(directory: Path) -> Agent:
    path = str(directory / "run" / "agent.sock")
    command = [KIT, "agent", "start", "--socket", path, "--config", str(directory / "agent.toml"), "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0, done.stderr
    return Agent(path, json.loads(done.stdout)["pid"], directory)


def _stop(token: Token) -> None:
    """Whichever agent answers there now."""
    pid = json.loads(token.agent.ok("status", "--json"))["pid"]
    token.agent.ok("stop")
    await_end(pid)


def _make(kind: str) -> Key:
    return ec.generate_private_key(ec.SECP384R1()) if kind == "p384" else make_key(kind)


def trusting(authorities: Path, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client's context for one version of TLS."""
    context = ssl.create_default_context(cafile=str(authorities))
    context.minimum_version = context.maximum_version = version
    return context


def talk(port: int, context: ssl.SSLContext) -> str:
    """What the server answers, whose certificate, and signature with its key, the context has checked."""
    with (
        socket.create_connection(("127.0.0.1", port), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        data = b""
        with contextlib.suppress(ssl.SSLError, ConnectionError):  # some servers end without a word
            while part := tls.recv(65536):
                data += part
    return data.decode(errors="replace")


def handshake(port: int, authority: Authority, version: ssl.TLSVersion) -> str:
    """The same, for a client of one version of TLS that trusts the authority alone."""
    return talk(port, trusting(authority.ca_file, version))
