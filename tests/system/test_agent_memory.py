"""What of a key stands in the memory of the agent's processes, however it came, while clients sign.

The supervisor holds nothing of it. Zygote and workers hold OpenSSL's numbers, which are little-endian limbs,
and no other form: no DER, no line of PEM, no passphrase. A key that was removed is gone from all of them.
`needles` knows the private keys; a scan counts where what must be there was found and nearly all was read.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)

from kit.agent.client import AgentClient
from kit.agent.forms import key_id
from kit.agent.launch import Options, Running, start_agent
from kit.tls.memscan import ENOUGH, Snapshot, judge, snapshot
from kit.tls.traces import sought
from tests.agent.samples import pss_block
from tests.peers import needs
from tests.system.agents import KIT, Agent
from tests.system.family import family, whole
from tests.system.needles import PrivateKey, traces_of_each
from tests.system.signers import Signers

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read the agent's memory")
PASSPHRASE = b"a passphrase that stands nowhere else: Oehx7ahQu4"
WORKERS = 2
_PKCS8, _PKCS1, _SSH = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH
# By the name of the key: what kind it is, in which format its file is, whether that is encrypted.
_FILES: dict[str, tuple[str, Encoding, PrivateFormat, bool]] = {
    "configured-pkcs8-rsa": ("rsa", Encoding.PEM, _PKCS8, False),
    "configured-pkcs8-ec": ("ec", Encoding.PEM, _PKCS8, False),
    "configured-pkcs1": ("rsa", Encoding.PEM, _PKCS1, False),
    "configured-sec1": ("ec", Encoding.PEM, _PKCS1, False),
    "configured-der": ("rsa", Encoding.DER, _PKCS8, False),
    "configured-blocks-pkcs8": ("rsa", Encoding.PEM, _PKCS8, False),
    "configured-blocks-pkcs1": ("rsa", Encoding.PEM, _PKCS1, False),
    "configured-openssh": ("rsa", Encoding.PEM, _SSH, False),
    "added": ("rsa", Encoding.PEM, _PKCS8, False),
    "added-encrypted": ("rsa", Encoding.PEM, _PKCS8, True),
    "added-openssh": ("ec", Encoding.PEM, _SSH, True),
    "ssh-add-rsa": ("rsa", Encoding.PEM, _SSH, False),
    "ssh-add-ec": ("ec", Encoding.PEM, _SSH, False),
}


def _new(kind: str) -> PrivateKey:
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


def _write(path: Path, key: PrivateKey, encoding: Encoding, form: PrivateFormat, sealed: bool) -> None:
    seal: KeySerializationEncryption = BestAvailableEncryption(PASSPHRASE) if sealed else NoEncryption()
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(encoding, form, seal))


@dataclass
class Scene:
    """An agent, the keys that it was given, and where their files are."""

    directory: Path
    running: Running
    keys: dict[str, PrivateKey] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return self.running.socket_path

    def file(self, name: str) -> Path:
        return self.directory / f"{name}.key"

    def remove(self, name: str) -> None:
        with AgentClient(self.path) as client:
            client.remove(key_id(client.find(name).spki))


def _purposes(name: str) -> list[str]:
    """A key that signs blocks is in libcrypto's memory, too."""
    return ["tls-server", "tls-digest"] if "blocks" in name else ["tls-server"]


def _configure(directory: Path, names: list[str]) -> Path:
    config = directory / "agent.toml"
    rules = [
        f'[keys.{name}]\nfile = "{directory}/{name}.key"\npeers = ["uid:0"]\npurposes = {_purposes(name)}\n'
        for name in names
    ]
    config.write_text("\n".join(rules))
    return config


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    needs("ssh-add")
    with tempfile.TemporaryDirectory(prefix="kit-", dir="/tmp") as place:
        directory = Path(place)
        keys = {name: _new(kind) for name, (kind, *_) in _FILES.items()}
        for name, (_, *how) in _FILES.items():
            _write(directory / f"{name}.key", keys[name], *how)
        config = _configure(directory, [name for name in _FILES if name.startswith("configured")])
        options = Options(config=str(config), user="nobody", workers=WORKERS)
        with start_agent(f"{directory}/agent.sock", log_path=os.devnull, options=options) as running:
            found = Scene(directory, running, keys)
            _add(found)
            _sign_blocks(found)
            yield found


def _add(scene: Scene) -> None:
    agent = Agent(scene.path, scene.running.pid, scene.directory)
    for name in ("added", "added-encrypted", "added-openssh"):
        reading, writing = os.pipe()
        os.write(writing, PASSPHRASE + b"\n")
        os.close(writing)
        subprocess.run(
            [KIT, "agent", "add", f"{name}={scene.file(name)}", "--passphrase-fd", str(reading)],
            env=agent.environment,
            pass_fds=[reading],
            check=True,
        )
        os.close(reading)
    for name in ("ssh-add-rsa", "ssh-add-ec"):
        done = agent.run("ssh-add", scene.file(name))
        assert done.returncode == 0, done.stderr


def _sign_blocks(scene: Scene) -> None:
    """With every key that may, in every worker, whichever it is that takes a connection."""
    for name, key in scene.keys.items():
        for _ in range(4 * WORKERS if "blocks" in name else 0):
            assert isinstance(key, rsa.RSAPrivateKey)
            with AgentClient(scene.path) as client:
                block = pss_block(key, b"content", hashes.SHA256())
                client.sign_block(key_id(client.find(name).spki), block)


def _scan(pid: int) -> Snapshot:
    copy = snapshot(pid)
    assert copy.read >= ENOUGH * copy.wanted
    return copy


def _holds(copy: Snapshot, text: bytes) -> bool:
    return any(text in region.memory for region in copy.regions)


def _other_forms(traces: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in traces.items() if not name.endswith("little-endian")}


def _under_load(scene: Scene, look: Callable[[], None]) -> None:
    with Signers(scene.path, ["configured-pkcs8-rsa", "configured-pkcs8-ec", "added"]) as clients:
        clients.rate(0.2)
        before = clients.count
        look()
        assert clients.count > before
    assert clients.errors == []


def test_the_supervisor_holds_nothing_of_any_key(scene: Scene) -> None:
    def look() -> None:
        copy = _scan(family(scene.path).supervisor)
        assert _holds(copy, str(scene.file("configured-pkcs1")).encode()), "this proves nothing"
        assert not _holds(copy, PASSPHRASE)
        traces = traces_of_each(scene.keys, copy)
        assert {name: dict(found) for name, found in traces.items()} == {name: {} for name in scene.keys}

    _under_load(scene, look)


def _check_holder(scene: Scene, pid: int) -> None:
    copy = _scan(pid)
    traces = traces_of_each(scene.keys, copy)
    assert [name for name, found in traces.items() if not found] == [], "a key is not there"
    assert {name: _other_forms(found) for name, found in traces.items()} == {name: {} for name in scene.keys}
    assert not _holds(copy, PASSPHRASE)


@pytest.mark.parametrize("role", ["zygote", "worker 0", "worker 1"])
def test_a_process_with_keys_holds_the_numbers_that_openssl_works_with_alone(scene: Scene, role: str) -> None:
    _under_load(scene, lambda: _check_holder(scene, family(scene.path).named[role]))


def test_a_worker_that_replaces_another_holds_no_more(scene: Scene) -> None:
    victim = family(scene.path).workers[0]
    os.kill(victim, signal.SIGKILL)
    processes = whole(scene.path, WORKERS, without=victim)
    _check_holder(scene, processes.workers[0])


def test_a_generated_key_is_in_no_other_form_either(scene: Scene) -> None:
    wanted = []
    with AgentClient(scene.path) as client:
        for kind in ("rsa-2048", "p-256"):
            found = sought(kind, load_der_public_key(client.generate(f"generated-{kind}", kind).spki))
            assert found
            wanted.append(found)
    processes = family(scene.path)
    for verdict in judge(_scan(processes.supervisor), wanted):
        assert verdict.outcome != "found"
    for pid in (processes.zygote, processes.workers[0]):
        for verdict in judge(_scan(pid), wanted):
            assert verdict.outcome == "found"
            assert set(verdict.forms) == {"little-endian limbs"}


def _left(scene: Scene, keys: dict[str, PrivateKey]) -> dict[str, dict[str, int]]:
    """What of these keys stands in any process."""
    found = {}
    for role, pid in family(scene.path).named.items():
        for name, traces in traces_of_each(keys, _scan(pid)).items():
            if traces:
                found[f"{name} in {role}"] = dict(traces)
    return found


@pytest.mark.parametrize("name", ["added", "added-openssh", "ssh-add-rsa"])
def test_a_removed_key_is_gone_from_every_process(scene: Scene, name: str) -> None:
    named = {name: scene.keys[name]}
    with Signers(scene.path, ["configured-pkcs1", "configured-sec1"]):
        assert len(_left(scene, named)) == 1 + WORKERS
        with AgentClient(scene.path) as client:
            record = next(r for r in client.list_keys() if r.key_name in (name, str(scene.file(name))))
            client.remove(key_id(record.spki))
        del scene.keys[name]
        assert _left(scene, named) == {}


@pytest.mark.parametrize("name", ["configured-pkcs8-rsa", "configured-sec1", "configured-blocks-pkcs8"])
def test_a_reload_with_a_new_file_leaves_nothing_of_the_old_key(scene: Scene, name: str) -> None:
    old, new = scene.keys[name], _new(_FILES[name][0])
    _write(scene.file(name), new, *_FILES[name][1:])
    with AgentClient(scene.path) as client:
        assert {row.key_name: row.result for row in client.reload()}[name] == "loaded"
    scene.keys[name] = new
    assert _left(scene, {name: old}) == {}
    for pid in family(scene.path).holders:
        _check_holder(scene, pid)
