"""kit.agent as a library, with a real agent behind it: other people's code signs with its keys."""

from __future__ import annotations

import datetime
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.x509.oid import NameOID

from kit.agent import AgentClient, private_key
from kit.agent.errors import AgentUnavailable, KeyRefused, UnknownKey
from tests.system.agents import Agent, await_end, running_agent
from tests.system.family import family

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kit test")])
NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


@pytest.fixture
def agent(lent: Agent) -> Agent:
    return lent


@pytest.fixture
def client(agent: Agent) -> Iterator[AgentClient]:
    with AgentClient(agent.socket) as client:
        yield client


def leaf(subject_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(subject_key)
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=1))
    )


@pytest.mark.parametrize("kind", ["rsa-2048", "p-256", "p-521", "ed25519", "ml-dsa-65"])
def test_an_authority_in_the_agent_signs_certificates(client: AgentClient, kind: str) -> None:
    key = private_key(client, client.generate("ca", kind, ("ca",)))
    algorithm = None if kind in ("ed25519", "ml-dsa-65") else hashes.SHA256()
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    certificate = leaf(other).sign(key, algorithm)
    own = leaf(key.public_key()).sign(key, algorithm)
    certificate.verify_directly_issued_by(own)
    assert client.find("ca").signed == 2


def test_pss_signs_certificates_too(client: AgentClient) -> None:
    key = private_key(client, client.generate("ca", "rsa-2048", ("ca",)))
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    certificate = leaf(key.public_key()).sign(key, hashes.SHA256(), rsa_padding=pss)
    certificate.verify_directly_issued_by(certificate)


def test_a_server_s_key_signs_neither_certificates_nor_tokens(client: AgentClient) -> None:
    key = private_key(client, client.generate("web", "p-256", ("tls-server",)))
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(KeyRefused) as caught:
        leaf(other).sign(key, hashes.SHA256())
    assert caught.value.purpose == "ca"
    with pytest.raises(KeyRefused):
        x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(key, hashes.SHA256())
    with pytest.raises(KeyRefused):
        jwt.encode({"who": "kit"}, key, algorithm="ES256")
    assert client.find("web").refused == 3


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("rsa-2048", "RS256"), ("p-256", "ES256"), ("ed25519", "EdDSA")]
)
def test_a_key_for_anything_signs_tokens(client: AgentClient, kind: str, algorithm: str) -> None:
    key = private_key(client, client.generate("token", kind, ("any",)))
    token = jwt.encode({"who": "kit"}, key, algorithm=algorithm)
    assert jwt.decode(token, key.public_key(), algorithms=[algorithm]) == {"who": "kit"}


def test_decryption_needs_its_own_purpose(client: AgentClient) -> None:
    key = private_key(client, client.generate("mail", "rsa-2048", ("decrypt",)))
    ciphertext = key.public_key().encrypt(b"premaster", padding.PKCS1v15())
    assert key.decrypt(ciphertext, padding.PKCS1v15()) == b"premaster"
    assert client.find("mail").decrypted == 1
    other = private_key(client, client.generate("any", "rsa-2048", ("any",)))
    with pytest.raises(KeyRefused) as caught:
        other.decrypt(other.public_key().encrypt(b"x", padding.PKCS1v15()), padding.PKCS1v15())
    assert caught.value.purpose == "decrypt"


def test_a_removed_key_and_a_dead_agent_are_told_apart(agent: Agent, client: AgentClient) -> None:
    record = client.generate("gone", "ed25519", ("any",))
    key = private_key(client, record)
    key.sign(b"while it is there")
    agent.ok("remove", "gone")
    with pytest.raises(UnknownKey):
        key.sign(b"afterwards")
    holders = family(agent.socket).holders
    os.kill(agent.pid, signal.SIGKILL)
    for pid in (agent.pid, *holders):  # a worker serves on until it knows
        await_end(pid)
    with pytest.raises(AgentUnavailable):
        key.sign(b"and now")


def test_it_signs_again_when_the_agent_is_back(home: Path) -> None:
    with running_agent(home) as first, AgentClient(first.socket) as client:
        first.ok("generate", "k", "--type", "ed25519", "--allow", "any")
        key = private_key(client, client.find("k"))
        key.sign(b"before")
        first.ok("stop")
        with running_agent(home) as second:
            with pytest.raises(UnknownKey):
                key.sign(b"another agent, without the key")
            second.ok("generate", "k", "--type", "ed25519", "--allow", "any")
            private_key(client, client.find("k")).sign(b"after")
