"""Real clients: p11-kit's own module, in pkcs11-tool, p11tool and ssh-keygen."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from kit.agent import extension
from kit.agent.extension import Failure, Sign, SignDigest, Status
from tests import peers
from tests.agent.pkcs11.holder import Holder
from tests.agent.pkcs11.served import served
from tests.agent.samples import private_key, public_key

KINDS = ("rsa-2048", "p-256", "p-384", "p-521")
kinds = pytest.mark.parametrize("kind", KINDS)


class Switched:
    """An agent that can be put away, or made to refuse."""

    def __init__(self) -> None:
        self.holder = Holder(*KINDS, "ed25519", certified=("rsa-2048", "p-256"))
        self.failure: Failure | None = None
        self.away = False

    def answer(self, request: extension.Request) -> extension.Answer | Failure | None:
        if self.away:
            return None
        if self.failure and isinstance(request, Sign | SignDigest):
            return self.failure
        return self.holder.answer(request)


class Program:
    """Runs programs that use the module."""

    def __init__(self, environment: dict[str, str], agent: Switched) -> None:
        self.environment = {**os.environ, **environment}
        self.agent = agent
        modules = sorted(Path("/usr/lib").glob("*/pkcs11/p11-kit-client.so"))
        if not modules:
            peers.missing("not installed: p11-kit-client.so (.ci/setup installs what the tests need)")
        self.module = str(modules[0])

    def run(self, *words: str, status: int = 0) -> str:
        command = [peers.find(words[0]), *words[1:]]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=self.environment, check=False
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    agent = Switched()
    with served(tmp_path / "p11", agent.answer) as environment:
        yield Program(environment, agent)


def token_id(kind: str) -> str:
    return hashlib.sha1(public_key(kind).spki, usedforsecurity=False).hexdigest()


def test_pkcs11_tool_lists_every_object(program: Program) -> None:
    listed = program.run("pkcs11-tool", "--module", program.module, "--list-objects")
    found = re.findall(r"^(\w+) (?:Key )?Object.*\n  label: +(\S+)\n", listed, re.MULTILINE)
    assert [name for kind, name in found if kind == "Private"] == [*KINDS]
    assert [name for kind, name in found if kind == "Certificate"] == ["rsa-2048", "p-256"]
    ids = re.findall(r"^  ID: +(\w+)$", listed, re.MULTILINE)
    assert [ids.count(token_id(kind)) for kind in KINDS] == [3, 3, 2, 2]


def test_pkcs11_tool_lists_slot_and_mechanisms(program: Program) -> None:
    slots = program.run("pkcs11-tool", "--module", program.module, "--list-slots")
    assert "token label        : kit agent" in slots
    assert "login required" not in slots
    mechanisms = program.run("pkcs11-tool", "--module", program.module, "--list-mechanisms")
    assert {"RSA-PKCS", "RSA-PKCS-PSS", "SHA256-RSA-PKCS", "ECDSA"} <= set(
        re.findall(r"^  ([\w-]+), ", mechanisms, re.MULTILINE)
    )


@pytest.mark.parametrize(
    ("kind", "mechanism"),
    [
        ("rsa-2048", "SHA256-RSA-PKCS"),
        ("rsa-2048", "SHA512-RSA-PKCS"),
        ("rsa-2048", "RSA-PKCS-PSS"),
        ("p-256", "ECDSA"),
        ("p-384", "ECDSA"),
        ("p-521", "ECDSA"),
    ],
)
def test_pkcs11_tool_signs(program: Program, tmp_path: Path, kind: str, mechanism: str) -> None:
    content, given, out = b"content", tmp_path / "in", tmp_path / "out"
    whole = mechanism.startswith("SHA")
    given.write_bytes(content if whole else hashlib.sha256(content).digest())
    options = ["--hash-algorithm", "SHA256", "--salt-len", "32"] if mechanism.endswith("PSS") else []
    options += ["--signature-format", "openssl"] if kind.startswith("p-") else []
    program.run(
        *("pkcs11-tool", "--module", program.module, "--sign", "--id", token_id(kind)),
        *("-m", mechanism, "-i", str(given), "-o", str(out), *options),
    )
    public = private_key(kind).public_key()
    if isinstance(public, rsa.RSAPublicKey):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        hash_ = hashes.SHA512() if "512" in mechanism else hashes.SHA256()
        scheme = pss if mechanism.endswith("PSS") else padding.PKCS1v15()
        public.verify(out.read_bytes(), content, scheme, hash_)
    else:
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(out.read_bytes(), content, ec.ECDSA(hashes.SHA256()))


def test_pkcs11_tool_logs_in_with_any_pin(program: Program) -> None:
    command = ("pkcs11-tool", "--module", program.module, "--login", "--pin", "0000", "--list-objects")
    assert "rsa-2048" in program.run(*command)


@kinds
def test_p11tool_signs_by_the_uri_of_the_key(program: Program, kind: str) -> None:
    uri = f"pkcs11:token=kit%20agent;object={kind};type=private"
    said = program.run("p11tool", "--provider", program.module, "--test-sign", uri)
    assert said.count("... ok") == 3


def test_p11tool_signs_by_pss(program: Program) -> None:
    uri = "pkcs11:token=kit%20agent;object=rsa-2048;type=private"
    command = ("p11tool", "--provider", program.module, "--test-sign", "--sign-params=rsa-pss", uri)
    assert program.run(*command).count("... ok") == 3


def test_ssh_keygen_lists_every_key(program: Program) -> None:
    listed = program.run("ssh-keygen", "-D", program.module)
    keys = {" ".join(line.split()[:2]) for line in listed.splitlines() if " AAAA" in line}
    assert len(keys) == len(KINDS)


def test_a_refusal_is_shown_as_one(program: Program, tmp_path: Path) -> None:
    program.agent.failure = Failure(Status.REFUSED, "content is a digest (digest)", "digest")
    given = tmp_path / "in"
    given.write_bytes(bytes(32))
    said = program.run(
        *("pkcs11-tool", "--module", program.module, "--sign", "--id", token_id("p-256")),
        *("-m", "ECDSA", "-i", str(given), "-o", str(tmp_path / "out")),
        status=1,
    )
    assert "CKR_KEY_FUNCTION_NOT_PERMITTED" in said


def test_without_an_agent_the_token_is_there_and_a_search_fails(program: Program) -> None:
    program.agent.away = True
    assert "kit agent" in program.run("pkcs11-tool", "--module", program.module, "--list-slots")
    said = program.run("pkcs11-tool", "--module", program.module, "--list-objects", status=1)
    assert "CKR_DEVICE_ERROR" in said
