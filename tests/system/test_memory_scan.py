"""The Heartbleed test: a server with an agent's keys does not hold them, one with its own does.

Two scanners look: kit's, which has only the public keys, and `needles`, which knows the private ones. Both
must find the keys of the control, or that they find nothing in the server would prove nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from kit.agent.client import AgentClient
from kit.agent.handle import Handle, encode
from kit.agent.launch import Running, start_agent
from kit.core.errors import NotPermitted, Unavailable
from kit.tls.cells import Authentication, Version
from kit.tls.certificates import Pair, throw_away
from kit.tls.load import Client, Load
from kit.tls.memscan import Snapshot, Verdict, judge, snapshot
from kit.tls.offer import Question, client_context
from kit.tls.traces import Sought, sought, sought_in_certificates
from tests.system.family import family
from tests.system.needles import PrivateKey, traces_of
from tests.system.serving import serving


@dataclass(frozen=True)
class Scene:
    """Certificates whose keys the tests know, the same keys in an agent, and handles for them."""

    running: Running
    own: list[Pair]
    handles: list[Pair]
    keys: dict[str, PrivateKey]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    directory = Path(tempfile.mkdtemp(prefix="kit-", dir="/tmp"))
    try:
        with start_agent(str(directory / "agent.sock"), log_path=os.devnull) as running:
            # Of ML-DSA, the demonstration's test scans both servers.
            own = [pair for pair in throw_away(directory) if pair.key.stem in ("rsa", "ecdsa")]
            keys: dict[str, PrivateKey] = {}
            handles = []
            with AgentClient(running.socket_path) as client:
                for pair in own:
                    key = load_pem_private_key(pair.key.read_bytes(), None)
                    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
                    keys["RSA" if isinstance(key, rsa.RSAPrivateKey) else "ECDSA"] = key
                    handles.append(_to_agent(client, running.socket_path, pair, key))
            yield Scene(running, own, handles, keys)
    finally:
        shutil.rmtree(directory)


def _to_agent(client: AgentClient, socket_path: str, pair: Pair, key: PrivateKey) -> Pair:
    der = bytearray(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    record = client.add(pair.key.stem, der, ("tls-server",))
    handle = pair.key.with_suffix(".handle")
    handle.write_text(encode(Handle(record.spki, record.key_name, socket_path)))
    return Pair(pair.certificate, handle)


def _arguments(pairs: list[Pair]) -> list[str]:
    return [word for pair in pairs for word in ("--cert", str(pair.certificate), "--key", str(pair.key))]


def _clients(port: int) -> list[Client]:
    questions = [
        Question(version, authentication, "localhost", verify=False)
        for version in Version
        for authentication in (Authentication.RSA, Authentication.ECDSA)
    ]
    return [Client("127.0.0.1", port, client_context(question)[0]) for question in questions]


def _public(scene: Scene) -> list[Sought]:
    ders = [
        x509.load_pem_x509_certificate(pair.certificate.read_bytes()).public_bytes(Encoding.DER)
        for pair in scene.own
    ]
    return sought_in_certificates(ders)


def _under_load(pid: int, port: int, rounds: int = 3) -> list[Snapshot]:
    """Copies of the memory while handshakes run, which go on well after each."""
    copies = []
    with Load(_clients(port), 3) as load:
        for _ in range(rounds):
            load.wait(20, 20)
            copies.append(snapshot(pid))
        load.wait(8, 20)
    assert load.errors == []
    assert len(load.seconds) >= 20 * rounds + 8
    return copies


def _outcomes(verdicts: list[Verdict]) -> dict[str, str]:
    return {verdict.key: verdict.outcome for verdict in verdicts}


def test_a_server_with_the_agents_keys_does_not_hold_them(scene: Scene, kit_program: str) -> None:
    with serving(kit_program, *_arguments(scene.handles)) as server:
        copies = _under_load(server.pid, server.port)
    for copy in copies:
        assert copy.read >= 0.95 * copy.wanted
        assert {name: dict(traces_of(key, copy)) for name, key in scene.keys.items()} == {
            "RSA": {},
            "ECDSA": {},
        }
    verdicts = judge(copies[-1], _public(scene))
    assert _outcomes(verdicts) == {"RSA": "clean", "ECDSA": "clean"}, verdicts


def test_a_server_with_its_own_keys_is_found_out_by_both_scanners(scene: Scene, kit_program: str) -> None:
    with serving(kit_program, *_arguments(scene.own)) as server:
        (copy,) = _under_load(server.pid, server.port, rounds=1)
    for key in scene.keys.values():
        assert traces_of(key, copy)
    verdicts = judge(copy, _public(scene))
    assert _outcomes(verdicts) == {"RSA": "found", "ECDSA": "found"}
    assert all("little-endian limbs" in verdict.forms for verdict in verdicts)


def test_root_alone_sees_that_the_agent_holds_them_and_its_supervisor_does_not(scene: Scene) -> None:
    found = family(scene.running.socket_path)
    if os.geteuid() != 0:
        for pid in found.everybody:
            with pytest.raises(NotPermitted, match="cannot be read"):
                snapshot(pid)
        return
    for holder in found.holders:
        copy = snapshot(holder)
        for key in scene.keys.values():
            assert traces_of(key, copy)
    copy = snapshot(found.supervisor)
    assert {name: dict(traces_of(key, copy)) for name, key in scene.keys.items()} == {"RSA": {}, "ECDSA": {}}


_HOLDER = """
import sys
exec(sys.stdin.readline())
print("ready", flush=True)
sys.stdin.readline()
"""


def _holding(program: str) -> list[Snapshot]:
    """The memory of a Python process that has run this line."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(program + "\n")
        child.stdin.flush()
        assert child.stdout.readline() == "ready\n"
        copy = snapshot(child.pid)
        child.stdin.close()
    return [copy]


_FORMS = {
    # What the line itself says must not be what is found: each makes its form from another one.
    "little-endian": "held = bytes(b ^ 90 for b in bytes.fromhex('{masked}'))[::-1]",
    "big-endian": "held = bytes(b ^ 90 for b in bytes.fromhex('{masked}'))",
    "hex": "held = bytes(b ^ 90 for b in bytes.fromhex('{masked}')).hex()",
    "base64": "import base64; held = base64.b64encode(bytes(b ^ 90 for b in bytes.fromhex('{masked}')))",
}


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("name", ["RSA", "ECDSA"])
def test_a_key_in_each_form_is_found_in_a_living_process(scene: Scene, name: str, form: str) -> None:
    key = scene.keys[name]
    numbers = key.private_numbers()
    if isinstance(numbers, rsa.RSAPrivateNumbers):
        secret = numbers.q.to_bytes(128, "big")
    else:
        secret = numbers.private_value.to_bytes(32, "big")
    wanted = sought(name, key.public_key())
    assert wanted
    (copy,) = _holding(_FORMS[form].format(masked=bytes(b ^ 90 for b in secret).hex()))
    (verdict,) = judge(copy, [wanted])
    assert verdict.outcome == "found", verdict


def test_a_memory_without_even_the_public_key_proves_nothing(scene: Scene) -> None:
    (copy,) = _holding("held = 0")
    verdicts = judge(copy, _public(scene))
    assert _outcomes(verdicts) == {"RSA": "inconclusive", "ECDSA": "inconclusive"}
    assert all("not even the public key" in verdict.why for verdict in verdicts)


def test_a_memory_with_the_public_key_only_is_clean(scene: Scene) -> None:
    ders = [
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()
        for key in scene.keys.values()
    ]
    (copy,) = _holding(f"held = [bytes.fromhex(der) for der in {ders}]")
    assert _outcomes(judge(copy, _public(scene))) == {"RSA": "clean", "ECDSA": "clean"}


def test_a_memory_that_could_not_be_read_proves_nothing(scene: Scene) -> None:
    (copy,) = _holding(f"held = {[key.public_forms[0] for key in _public(scene)]}")
    partly = Snapshot(copy.pid, copy.regions, copy.wanted * 2)
    assert {verdict.outcome for verdict in judge(partly, _public(scene))} == {"inconclusive"}


def test_no_process_is_a_clear_error() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(Unavailable, match=f"no process {child.pid}"):
        snapshot(child.pid)
