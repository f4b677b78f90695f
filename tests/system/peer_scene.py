"""An agent for several users on one machine: root starts it, another user runs it, and children of the test
become whom a configuration names before they connect.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kit.agent import extension, wire
from kit.agent.client import AgentClient
from kit.agent.encoding import string, uint32
from kit.agent.launch import Options, Running, start_agent
from kit.agent.public import PublicKey
from kit.agent.startup import Limits
from kit.core.framing import FrameReader, frame
from tests.agent.samples import TLS_1_3_HEAD, private_key, public_key, sshsig

AGENT, AGENT_UID = "daemon", 1
CONTENT = TLS_1_3_HEAD + bytes(32)
P256, ED25519 = 0x0403, 0x0807
# The key files of these names hold these keys of the tests' samples.
KEYS = {"mail": ("p-256", 0), "staff": ("p-256", 1), "web": ("p-256", 2)}


@dataclass(frozen=True)
class User:
    """Whom a child becomes."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Scene:
    """The directories, the configuration and the agent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.chmod(0o755)
        self.own = directory / "own"  # where the agent's user may write
        self.own.mkdir()
        os.chown(self.own, AGENT_UID, AGENT_UID)
        self.socket, self.audit = str(directory / "run" / "agent.sock"), self.own / "audit"
        self.config = directory / "agent.toml"
        self.running: Running | None = None

    def write_key(self, name: str, kind: str = "p-256", which: int = 0) -> Path:
        """A key file as root keeps it."""
        path = self.directory / f"{name}.key"
        path.unlink(missing_ok=True)
        key = private_key(kind, which)
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return path

    def configure(self, *rules: str, agent: Sequence[str] = ()) -> None:
        """`rules`: each a key's name, and the lines of its table."""
        lines = ["[agent]", 'mode = "0666"', *agent]
        for rule in rules:
            name, *more = rule.strip().splitlines()
            file = f'file = "{self.directory}/{name}.key"'
            lines += [f"[keys.{name}]", file, 'purposes = ["tls-server", "ssh"]', *more]
        self.config.write_text("\n".join(lines) + "\n")
        self.config.chmod(0o600)

    @contextlib.contextmanager
    def agent(self, limits: Limits | None = None, workers: int = 2) -> Iterator[AgentClient]:
        """The agent runs; a client of root."""
        options = Options(
            config=str(self.config),
            user=AGENT,
            workers=workers,
            audit=str(self.audit),
            audit_strict=True,  # so that it can be read once an answer is there
            limits=limits or Limits(),
        )
        with (
            start_agent(self.socket, log_path=str(self.own / "log"), options=options) as self.running,
            AgentClient(self.socket, timeout_s=20) as client,
        ):
            yield client

    def events(self, wanted: str = "") -> list[dict[str, Any]]:
        """The lines of the audit log, of one event."""
        lines = [json.loads(line) for line in self.audit.read_text().splitlines()]
        return [line for line in lines if not wanted or line["event"] == wanted]

    def log(self) -> str:
        return (self.own / "log").read_text()


def become(user: User, work: Callable[[], Any]) -> Any:
    """What a child does as this user; its result travels as JSON."""
    with becoming(user, work) as result:
        return result


@contextlib.contextmanager
def becoming(user: User, work: Callable[[], Any]) -> Iterator[Any]:
    """The same, and the child, with whatever its work left open, stays for the block."""
    reading, writing = os.pipe()
    leave, told = os.pipe()
    child = os.fork()
    if not child:
        os.close(told)
        _work(user, work, writing)
        os.read(leave, 1)
        os._exit(0)
    os.close(writing)
    os.close(leave)
    try:
        with os.fdopen(reading) as pipe:
            result = json.loads(pipe.readline())
        assert not (isinstance(result, dict) and "error" in result), result
        yield result
    finally:
        os.close(told)
        os.waitpid(child, 0)


def _work(user: User, work: Callable[[], Any], writing: int) -> None:
    try:
        os.setgroups(user.groups)
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
        result = work()
    except BaseException as error:  # noqa: BLE001 - told to the test
        result = {"error": repr(error)}
    os.write(writing, json.dumps(result).encode() + b"\n")


class Line:
    """A raw connection."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)

    def ask(self, *parts: Any) -> bytes:
        """The answer's bytes; b"" where the agent closed."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(frame(*[bytes(part) for part in parts]))
            reader, answer = FrameReader(wire.MESSAGE_LIMIT), b""
            while data := self.socket.recv(65536):
                for message in reader.feed(data):
                    answer = bytes(message)
                if answer:
                    return answer
        return b""

    def kit(self, request: extension.Request) -> bytes:
        return self.ask(wire.extension_request(request.name), *extension.encode(request))

    def status(self, request: extension.Request) -> int:
        """The status byte of the answer."""
        reader = wire.read_extension_response(self.kit(request), request.name)
        assert reader
        return reader.byte()

    def sign(self, key: PublicKey, scheme: int = P256, content: bytes = CONTENT) -> int:
        return self.status(extension.Sign(key.key_id, scheme, "", content))

    def ssh_sign(self, key: PublicKey) -> bytes:
        return self.ask([wire.SIGN_REQUEST], string(key.ssh_blob), string(sshsig()), uint32(0))

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def named(name: str) -> PublicKey:
    """The public side of a key of the scene."""
    return public_key(*KEYS[name])
