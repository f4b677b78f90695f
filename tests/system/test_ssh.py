"""OpenSSH's programs with kit's agent: ssh-add, ssh-keygen's signatures, and a real sshd that lets it in."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers import find, needs
from tests.system.agents import Agent

TYPES = {"rsa": ["-t", "rsa", "-b", "2048"], "ecdsa": ["-t", "ecdsa"], "ed25519": ["-t", "ed25519"]}


@pytest.fixture
def agent(lent: Agent) -> Agent:
    needs("ssh-add", "ssh-keygen")
    return lent


def keygen(directory: Path, name: str, *options: str) -> Path:
    path = directory / name
    command = ["ssh-keygen", "-q", "-N", "", "-C", f"{name}@test", "-f", str(path), *options]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)
    return path


def add(agent: Agent, *options: str) -> Path:
    """A key that is in the agent and, but for its public half, nowhere else (ssh-keygen prefers files)."""
    path = keygen(agent.directory, "id", *options)
    assert agent.run("ssh-add", path).returncode == 0
    path.unlink()
    return Path(f"{path}.pub")


def fingerprint(public: Path) -> str:
    shown = subprocess.run(["ssh-keygen", "-l", "-f", public], capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


@pytest.mark.parametrize("options", [*TYPES.values(), ["-t", "ecdsa", "-b", "521"]], ids=str)
def test_ssh_add_adds_lists_and_removes_a_key(agent: Agent, options: list[str]) -> None:
    public = add(agent, *options)
    listed = agent.run("ssh-add", "-l").stdout.split()
    assert (listed[1], listed[2]) == (fingerprint(public), "id@test")
    assert agent.run("ssh-add", "-L").stdout == public.read_text()
    assert sign_file(agent, public).returncode == 0
    assert agent.keys()["id@test"]["purposes"] == ["ssh"]
    assert agent.run("ssh-add", "-d", public).returncode == 0
    assert agent.run("ssh-add", "-l").stdout == "The agent has no identities.\n"


def test_random_bytes_are_no_ssh_content(agent: Agent) -> None:
    """`ssh-add -T` lets the agent sign 1,024 random bytes; only a key for any content does that."""
    assert agent.run("ssh-add", "-T", generate(agent, "login", "p-256", "ssh")).returncode == 1
    assert agent.run("ssh-add", "-T", generate(agent, "free", "p-256", "any")).returncode == 0


def test_an_older_pem_file_is_as_good(agent: Agent) -> None:
    path = keygen(agent.directory, "old", "-t", "rsa", "-b", "3072", "-m", "PEM")
    assert agent.run("ssh-add", path).returncode == 0
    assert fingerprint(path) in agent.run("ssh-add", "-l").stdout


def test_all_keys_are_removed_at_once(agent: Agent) -> None:
    for name, options in TYPES.items():
        assert agent.run("ssh-add", keygen(agent.directory, name, *options)).returncode == 0
    assert len(agent.keys()) == 3
    assert agent.run("ssh-add", "-D").returncode == 0
    assert agent.keys() == {}


def test_a_lifetime_ends(agent: Agent, wait_until: Callable[..., None]) -> None:
    assert agent.run("ssh-add", "-t", "2", keygen(agent.directory, "id", *TYPES["ed25519"])).returncode == 0
    wait_until(lambda: "no identities" in agent.run("ssh-add", "-l").stdout, "the end of the lifetime")


def test_confirmation_is_refused_and_the_key_not_taken(agent: Agent) -> None:
    done = agent.run("ssh-add", "-c", keygen(agent.directory, "id", *TYPES["ed25519"]))
    assert done.returncode == 1
    assert "agent refused operation" in done.stderr
    assert agent.keys() == {}


def askpass(directory: Path, passphrase: str) -> dict[str, str]:
    script = directory / "askpass"
    script.write_text(f"#!/bin/sh\necho {passphrase}\n")
    script.chmod(0o700)
    return {"SSH_ASKPASS": str(script), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}


def test_a_locked_agent_shows_and_signs_nothing(agent: Agent) -> None:
    public = add(agent, *TYPES["ed25519"])
    opens = askpass(agent.directory, "sesame")
    assert agent.run("ssh-add", "-x", extra=opens).returncode == 0
    assert agent.run("ssh-add", "-l").stdout == "The agent has no identities.\n"
    assert sign_file(agent, public).returncode != 0
    wrong = askpass(agent.directory, "wrong")
    assert agent.run("ssh-add", "-X", extra=wrong).returncode != 0
    opens = askpass(agent.directory, "sesame")
    assert agent.run("ssh-add", "-X", extra=opens).returncode == 0
    assert fingerprint(public) in agent.run("ssh-add", "-l").stdout


def test_ssh_add_locks_what_kit_unlocks(agent: Agent) -> None:
    assert agent.run("ssh-add", "-x", extra=askpass(agent.directory, "sesame")).returncode == 0
    refused = agent.kit("list")
    assert (refused.returncode, "locked" in refused.stderr) == (77, True), refused.stderr
    assert agent.kit("unlock", "--passphrase-fd", "0", stdin="sesame\n").returncode == 0
    assert agent.ok("list") == ""


def test_a_certificate_is_refused_and_its_key_taken(agent: Agent) -> None:
    authority = keygen(agent.directory, "ca", *TYPES["ed25519"])
    path = keygen(agent.directory, "id", *TYPES["ed25519"])
    sign = ["ssh-keygen", "-q", "-s", authority, "-I", "test", "-n", "somebody", f"{path}.pub"]
    subprocess.run(sign, check=True, timeout=30)
    done = agent.run("ssh-add", path)
    assert "Identity added" in done.stderr
    assert "agent refused operation" in done.stderr
    assert len(agent.run("ssh-add", "-L").stdout.splitlines()) == 1


def sign_file(agent: Agent, public: Path) -> subprocess.CompletedProcess[str]:
    (agent.directory / "message").write_text("a message\n")
    return agent.run("ssh-keygen", "-Y", "sign", "-f", public, "-n", "file", "message")


def generate(agent: Agent, name: str, kind: str, allow: str) -> Path:
    """A key made in the agent, its public half in a file."""
    agent.ok("generate", name, "--type", kind, "--allow", allow)
    public = agent.directory / f"{name}.pub"
    agent.ok("public", name, "--format", "ssh", "-o", public)
    return public


@pytest.mark.parametrize("kind", ["rsa-2048", "p-256", "p-521", "ed25519"])
def test_ssh_keygen_signs_and_verifies_with_a_key_of_the_agent(agent: Agent, kind: str) -> None:
    public = generate(agent, "signer", kind, "ssh")
    assert sign_file(agent, public).returncode == 0
    (agent.directory / "allowed").write_text("me@test " + public.read_text())
    verify = ["ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "me@test", "-n", "file"]
    done = agent.run(*verify, "-s", "message.sig", stdin="a message\n")
    assert (done.returncode, "Good" in done.stdout) == (0, True), done.stderr
    assert agent.run(*verify, "-s", "message.sig", stdin="another\n").returncode != 0
    assert agent.keys()["signer"]["signed"] == 1


def test_git_signs_a_commit_with_a_key_of_the_agent(agent: Agent) -> None:
    needs("git", "ssh-keygen")
    public = generate(agent, "commits", "ed25519", "ssh")
    (agent.directory / "allowed").write_text("me@test " + public.read_text())
    settings = {
        "user.name": "me",
        "user.email": "me@test",
        "user.signingKey": str(public),
        "gpg.format": "ssh",
        "gpg.ssh.allowedSignersFile": str(agent.directory / "allowed"),
    }
    git = ["git", *(part for item in settings.items() for part in ("-c", "=".join(item)))]
    nowhere = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    assert agent.run(*git, "init", "-q", ".", extra=nowhere).returncode == 0
    done = agent.run(*git, "commit", "-q", "-S", "--allow-empty", "-m", "signed", extra=nowhere)
    assert done.returncode == 0, done.stderr
    done = agent.run(*git, "verify-commit", "HEAD", extra=nowhere)
    assert (done.returncode, "Good" in done.stderr) == (0, True), done.stderr


def test_a_key_for_tls_servers_makes_no_ssh_signature(agent: Agent) -> None:
    public = generate(agent, "web", "p-256", "tls-server")
    done = sign_file(agent, public)
    assert done.returncode != 0
    assert "agent refused operation" in done.stderr
    assert not (agent.directory / "message.sig").exists()
    assert {name: agent.keys()["web"][name] for name in ("signed", "refused")} == {"signed": 0, "refused": 1}


def test_openssh_s_own_agent_is_told_from_kit_s(home: Path) -> None:
    needs("ssh-agent")
    path = home / "other.sock"
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout
            assert other.stdout.readline()  # it listens
            done = Agent(str(path), other.pid, home).kit("list")
        finally:
            other.terminate()
    assert done.returncode == 69
    assert "it is not kit's agent" in done.stderr


@contextlib.contextmanager
def sshd(directory: Path, authorized: str) -> Iterator[int]:
    """OpenSSH's server on a free port of loopback, as whoever runs the tests; yields the port."""
    keygen(directory, "host", *TYPES["ed25519"])
    (directory / "authorized_keys").write_text(authorized)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (directory / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        # The server takes what the agent must refuse.
        "PubkeyAcceptedAlgorithms +ssh-rsa\nLogLevel VERBOSE\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # else only Debian's service makes it
    command = [find("sshd"), "-D", "-e", "-f", str(directory / "sshd_config")]
    with (directory / "sshd.log").open("w") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            await_port(port, server)
            yield port
        finally:
            server.terminate()
            server.wait(10)


def await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 10
    while True:
        assert server.poll() is None, "sshd does not start"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < end, "sshd does not answer"
        time.sleep(0.02)


def login(agent: Agent, port: int, *options: str) -> subprocess.CompletedProcess[str]:
    fixed = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=INFO"]
    fixed += ["-o", "UserKnownHostsFile=/dev/null", "-p", str(port), "-l", pwd.getpwuid(os.geteuid()).pw_name]
    return agent.run("ssh", *fixed, *options, "127.0.0.1", "echo let in")


@pytest.mark.parametrize("kind", ["rsa-2048", "p-256", "ed25519"])
def test_sshd_lets_in_a_key_that_was_made_in_the_agent(agent: Agent, kind: str) -> None:
    needs("sshd", "ssh")
    public = generate(agent, "login", kind, "ssh")
    with sshd(agent.directory, public.read_text()) as port:
        done = login(agent, port)
    log = (agent.directory / "sshd.log").read_text()
    assert done.stdout == "let in\n", done.stderr + log
    assert "Accepted publickey" in log
    assert agent.keys()["login"]["signed"] == 1


def test_sha1_signatures_are_refused(agent: Agent) -> None:
    needs("sshd", "ssh")
    public = generate(agent, "login", "rsa-2048", "ssh")
    with sshd(agent.directory, public.read_text()) as port:
        done = login(agent, port, "-o", "PubkeyAcceptedAlgorithms=ssh-rsa")
        assert done.returncode == 255
        assert "agent refused operation" in done.stderr
        assert login(agent, port, "-o", "PubkeyAcceptedAlgorithms=rsa-sha2-256").stdout == "let in\n"


def test_a_key_for_tls_servers_opens_no_ssh_session(agent: Agent) -> None:
    needs("sshd", "ssh")
    public = generate(agent, "web", "p-256", "tls-server,csr,self-signed")
    with sshd(agent.directory, public.read_text()) as port:
        done = login(agent, port)
    assert done.returncode == 255
    assert "agent refused operation" in done.stderr
    assert agent.keys()["web"]["refused"] == 1
