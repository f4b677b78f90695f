"""OpenSSH with keys in the token: a login by the module, an ssh-agent that loads it, and a server's host key.

OpenSSH makes the digest itself; its keys have the purpose `digest`, by which nobody can tell what they sign.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers import find
from tests.system.family import await_that
from tests.system.pkcs11_scene import KINDS, Token, module, serving_token
from tests.system.pkcs11_servers import server
from tests.system.probe_servers import free_port

LOGINS = [f"login-{kind}" for kind in KINDS]
_CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
{host_key}
PidFile none
UsePAM no
AuthorizedKeysFile {here}/authorized
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxAuthTries 20
LogLevel VERBOSE
"""


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    with serving_token() as token:
        yield token


def public(token: Token, name: str) -> str:
    """Its line for authorized_keys, as ssh-keygen finds it in the token."""
    lines = token.run("ssh-keygen", "-D", module()).splitlines()
    return next(line for line in lines if line.endswith(f" {name}"))


@contextlib.contextmanager
def sshd(token: Token, authorized: str, host_key: str = "") -> Iterator[int]:
    here, port = token.directory, free_port()
    if not host_key:
        (here / "host").unlink(missing_ok=True)
        token.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "host")
    (here / "authorized").write_text(authorized)
    text = _CONFIGURATION.format(port=port, here=here, host_key=host_key or f"HostKey {here}/host")
    (here / "sshd_config").write_text(text)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # else only Debian's service makes it
    with server(token, ["sshd", "-D", "-e", "-f", f"{here}/sshd_config"], [port]):
        yield port


def login(token: Token, port: int, *options: str, status: int = 0) -> str:
    fixed = ["-F", "none", "-o", "BatchMode=yes", "-o", "IdentityFile=none", "-p", str(port)]
    if not any("KnownHosts" in word for word in options):
        fixed += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    name = pwd.getpwuid(os.geteuid()).pw_name
    return token.run("ssh", *fixed, "-l", name, *options, "127.0.0.1", "echo let in", status=status)


@pytest.mark.parametrize("name", LOGINS)
def test_ssh_logs_in_with_a_key_of_the_token(token: Token, name: str) -> None:
    before = token.counted(name)
    with sshd(token, public(token, name)) as port:
        said = login(token, port, "-o", f"PKCS11Provider={module()}", "-o", "IdentityAgent=none")
    assert "let in" in said
    assert token.counted(name) == before + 1


def test_ssh_does_not_log_in_with_a_key_of_the_default_purposes(token: Token) -> None:
    before = token.counted("strict-p256", "refused")
    with sshd(token, public(token, "strict-p256")) as port:
        options = ("-o", f"PKCS11Provider={module()}", "-o", "IdentityAgent=none")
        assert "Permission denied" in login(token, port, *options, status=255)
    assert token.counted("strict-p256", "refused") == before + 1


@dataclass(frozen=True)
class SshAgent:
    """OpenSSH's own agent, which has loaded the module."""

    path: str
    process: subprocess.Popen[bytes]


def listens(path: Path) -> bool:
    """A socket's path is there before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return not probe.connect_ex(str(path))


@contextlib.contextmanager
def ssh_agent(token: Token) -> Iterator[SshAgent]:
    path = token.directory / "ssh-agent.sock"
    path.unlink(missing_ok=True)
    command = [find("ssh-agent"), "-D", "-a", str(path)]
    with subprocess.Popen(command, env=token.environment, stdout=subprocess.DEVNULL) as process:
        try:
            await_that(lambda: listens(path), "ssh-agent")
            asks = {"SSH_ASKPASS": "/bin/true", "SSH_ASKPASS_REQUIRE": "force", "SSH_AUTH_SOCK": str(path)}
            added = subprocess.run(
                [find("ssh-add"), "-s", module()],
                env={**token.environment, **asks},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert added.returncode == 0, added.stderr
            yield SshAgent(str(path), process)
        finally:
            process.terminate()


@pytest.mark.parametrize("name", LOGINS)
def test_an_ssh_agent_that_loaded_the_module_logs_in(token: Token, name: str) -> None:
    before = token.counted(name)
    with ssh_agent(token) as other, sshd(token, public(token, name)) as port:
        (token.directory / "wanted.pub").write_text(public(token, name))
        only = ("-o", "IdentitiesOnly=yes", "-i", "wanted.pub")
        said = login(token, port, *only, "-o", f"IdentityAgent={other.path}")
    assert "let in" in said
    assert token.counted(name) == before + 1


@pytest.mark.parametrize("name", ["login-rsa", "login-p256"])
def test_a_server_s_host_key_is_in_the_token(token: Token, name: str) -> None:
    line, before = public(token, name), token.counted(name)
    (token.directory / "host.pub").write_text(line)
    with ssh_agent(token) as other:
        host_key = f"HostKeyAgent {other.path}\nHostKey {token.directory}/host.pub"
        with sshd(token, public(token, "login-p384"), host_key) as port:
            words = " ".join(line.split()[:2])
            (token.directory / "known").write_text(f"[127.0.0.1]:{port} {words}\n")
            known = ("-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={token.directory}/known")
            said = login(token, port, *known, "-o", f"PKCS11Provider={module()}", "-o", "IdentityAgent=none")
    assert "let in" in said
    assert token.counted(name) == before + 1
