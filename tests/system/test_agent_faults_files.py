"""A reload meets key files and configurations that are wrong: it says why, and the old key goes on.

And clocks that are set while the agent runs.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from kit.agent.client import AgentClient
from kit.agent.forms import key_id
from kit.agent.launch import Options, Running, start_agent
from kit.agent.processes.supervisor import _steady_clock
from kit.core.errors import NegativeAnswer
from tests.system.agents import Agent
from tests.system.family import await_that, family
from tests.system.provider_scene import make_identity
from tests.system.signers import CONTENT, ECDSA_P256


@pytest.fixture
def agent(short_tmp: Path) -> Iterator[Running]:
    identity = make_identity(short_tmp, "web", "p-256", "")
    identity.key.chmod(0o600)
    config = short_tmp / "agent.toml"
    config.write_text(
        f'[keys.web]\nfile = "{identity.key}"\ncertificate = "{identity.certificate}"\n'
        f'purposes = ["tls-server"]\npeers = ["uid:{os.getuid()}"]\n'
    )
    options = Options(config=str(config), workers=2)
    log = f"{short_tmp}/log"
    with start_agent(f"{short_tmp}/agent.sock", log_path=log, options=options) as running:
        yield running


def _encrypt(path: Path) -> None:
    key = load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))


def _replace(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _copy_back(path: Path) -> None:
    key = load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))


# What happens to the key's file, and what a reload says of it.
WRONGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "it is removed": (lambda path: path.unlink(), "there is no key file"),
    "others may read it": (lambda path: path.chmod(0o604), "others can read the key file"),
    "a group may write to it": (lambda path: path.chmod(0o620), "others can write to the key file"),
    "it is another user's": (lambda path: os.chown(path, 65534, 65534), "belongs to neither"),
    "it is a link": (_link, "is a symbolic link"),
    "it is a pipe that nobody writes to": (_pipe, "is no regular file"),
    "it is empty": (lambda path: path.write_bytes(b""), "neither PEM nor DER"),
    "it is half a file": (lambda path: path.write_bytes(path.read_bytes()[:120]), "it has no end"),
    "it is garbage": (lambda path: path.write_bytes(b"?" + os.urandom(3000)), "neither PEM nor DER"),
    "it is too long": (lambda path: path.write_bytes(b"x" * 10**6), "it is larger than"),
    "it is encrypted": (_encrypt, "it is encrypted"),
    "its certificate is another key's": (_replace, "its certificate is another key's"),
}


def _signs(running: Running) -> None:
    with AgentClient(running.socket_path) as client:
        wanted = key_id(client.find("web").spki)
        assert len(client.sign(wanted, ECDSA_P256, CONTENT)) > 60


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("wrong", WRONGS)
def test_a_key_file_that_is_wrong_is_refused_and_the_old_key_stays(
    agent: Running, short_tmp: Path, wrong: str
) -> None:
    spoil, why = WRONGS[wrong]
    processes = family(agent.socket_path)
    with AgentClient(agent.socket_path) as client:
        before = client.find("web").spki
        spoil(short_tmp / "web.key")
        (row,) = client.reload()
        assert (row.key_name, row.result) == ("web", "failed")
        assert why in row.why
        assert row.why.endswith(", and the key stays as it was")
        assert client.find("web").spki == before
    _signs(agent)
    assert family(agent.socket_path) == processes
    assert why.partition("'")[0] in (short_tmp / "log").read_text()


def test_the_same_key_in_another_format_is_taken(agent: Running, short_tmp: Path) -> None:
    _copy_back(short_tmp / "web.key")
    with AgentClient(agent.socket_path) as client:
        (row,) = client.reload()
        assert row.result == "kept"
    _signs(agent)


@pytest.mark.parametrize("text", ["[agent]\nusr = 1\n", "not toml", '[keys.web]\nfile = "web.key"\n'])
def test_a_configuration_that_is_wrong_changes_nothing(agent: Running, short_tmp: Path, text: str) -> None:
    (short_tmp / "agent.toml").write_text(text)
    done = Agent(agent.socket_path, agent.pid, short_tmp).kit("reload")
    assert done.returncode != 0
    assert "agent.toml" in done.stderr
    _signs(agent)
    os.kill(agent.pid, signal.SIGHUP)
    log = short_tmp / "log"
    await_that(lambda: log.read_text().count("reload-failed") == 2, "the second failure in the log")
    _signs(agent)


def test_the_command_fails_where_a_key_could_not_be_reloaded(agent: Running, short_tmp: Path) -> None:
    (short_tmp / "web.key").chmod(0o644)
    done = Agent(agent.socket_path, agent.pid, short_tmp).kit("reload", "--json")
    assert done.returncode == NegativeAnswer.exit_status, done.stderr
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert row["result"] == "failed"


def test_a_clock_that_is_set_moves_no_lifetime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting the machine's own would be felt by everybody on it; the one that counts cannot be set."""
    clock = _steady_clock()
    before_s = clock()
    assert abs(before_s - time.time()) < 1
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= clock() - before_s < 1
    monkeypatch.setattr(time, "time", lambda: 2.0**40)
    assert 0 <= clock() - before_s < 1
