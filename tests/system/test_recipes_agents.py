"""What `kit agent recipe` prints for OpenSSH and Python, which speak to the agent itself, carried out."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import find
from tests.system import probe_servers
from tests.system.kitchen import Kit, Kitchen, cells, kitchen

SSH_AGENT = "the agent as an SSH agent"
_SSHD = """
ListenAddress 127.0.0.1
Port {port}
PidFile none
AuthorizedKeysFile {here}/authorized
StrictModes no
PasswordAuthentication no
UsePAM no
PermitRootLogin yes
"""


@pytest.fixture
def secure(short_tmp: Path) -> Iterator[Kitchen]:
    """Keys for logins and for whatever else OpenSSH signs."""
    probe_servers.needs_root()
    with kitchen(short_tmp, "ssh any") as made:
        yield made


def _logged_in(
    secure: Kitchen, server: str, client: str, known: str, wait_until: probe_servers.Wait
) -> subprocess.CompletedProcess[str]:
    """ssh runs a command by sshd, each with these lines of configuration."""
    here, port = secure.here / "ssh", probe_servers.free_port()
    here.mkdir()
    Path("/run/sshd").mkdir(exist_ok=True)
    secure.write("/etc/ssh/test_sshd", _SSHD.format(port=port, here=here) + server)
    secure.write("/etc/ssh/test_ssh", client)
    (here / "authorized").write_text(secure.agent.ok("public", "ecdsa", "--format", "ssh"))
    (here / "known").write_text(f"[127.0.0.1]:{port} {known}\n")
    command = [*secure.enter, find("sshd"), "-D", "-e", "-f", "/etc/ssh/test_sshd"]
    options = ["-p", str(port), "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={here}/known"]
    with probe_servers.running(command, here, [port], wait_until):
        return secure.run("ssh", "-F", "/etc/ssh/test_ssh", *options, "root@127.0.0.1", "echo in")


def _host_key(secure: Kitchen) -> tuple[str, str]:
    """A line for sshd, and its public key."""
    path = secure.here / "host"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", path], check=True, timeout=60)
    kind, key, *_ = path.with_suffix(".pub").read_text().split()
    return f"HostKey {path}\n", f"{kind} {key}"


@pytest.mark.recipe("openssh", SSH_AGENT)
def test_ssh_logs_in_with_a_key_in_the_agent(secure: Kitchen, wait_until: probe_servers.Wait) -> None:
    recipe = secure.recipe("openssh", secure.authority.ecdsa)
    secure.follow(recipe)
    server, known = _host_key(secure)
    done = _logged_in(secure, server, "Include /etc/ssh/ssh_config.d/kit.conf\n", known, wait_until)
    assert (done.stdout, done.returncode) == ("in\n", 0), done.stderr


@pytest.mark.recipe("sshd", SSH_AGENT)
def test_sshd_proves_itself_with_a_key_in_the_agent(secure: Kitchen, wait_until: probe_servers.Wait) -> None:
    secure.follow(secure.recipe("sshd", secure.authority.ecdsa))
    kind, key, *_ = secure.agent.ok("public", "ecdsa", "--format", "ssh").split()
    server = "Include /etc/ssh/sshd_config.d/kit.conf\n"
    client = f"Host *\n    IdentityAgent {secure.agent.socket}\n"
    done = _logged_in(secure, server, client, f"{kind} {key}", wait_until)
    assert (done.stdout, done.returncode) == ("in\n", 0), done.stderr


@pytest.mark.recipe("python", "kit's provider")
@pytest.mark.parametrize("kind", ["RSA", "ECDSA"])
def test_an_unmodified_python_server_serves(
    kind: str, room: Kitchen, kit: Kit, wait_until: probe_servers.Wait
) -> None:
    recipe = room.recipe("python", getattr(room.authority, kind.lower()))
    *before, last = recipe["steps"]
    room.follow({"steps": before})
    here, port = room.here / "python", probe_servers.free_port()
    here.mkdir()
    (here / "app.py").write_text(
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'http':\n"
        "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "        await send({'type': 'http.response.body', 'body': b'ok'})\n"
    )
    line = f"cd {shlex.quote(str(here))} && exec {last['text'].strip()} --port {port}"
    command = [*room.enter, "sh", "-c", line]
    with probe_servers.running(command, here, [port], wait_until, {**os.environ}):
        found = cells(kit, room, "--want", kind.lower(), f"localhost:{port}")
    assert found == [(version, kind, "ok") for version in ("1.2", "1.3")]
