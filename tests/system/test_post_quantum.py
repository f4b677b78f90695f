"""ML-DSA keys of an agent, served by `kit tls serve` and by plain Python, seen by `openssl s_client`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.agent.client import AgentClient
from kit.agent.launch import start_agent
from kit.cli.tls.demonstration import HOST, KINDS, NAME, make_keys, serve_arguments
from tests.peers import find
from tests.post_quantum import needs_ml_dsa_in_openssl, needs_ml_dsa_in_ssl
from tests.system.serving import Serving, serving

pytestmark = [needs_ml_dsa_in_ssl, needs_ml_dsa_in_openssl]

TYPES = {"44": "ml-dsa-44", "65": "ml-dsa-65", "87": "ml-dsa-87", **KINDS}
SCHEMES = {
    "44": "mldsa44",
    "65": "mldsa65",
    "87": "mldsa87",
    "rsa": "rsa_pss_rsae_sha256",
    "ecdsa": "ecdsa_secp256r1_sha256",
}
HYBRID = "X25519MLKEM768"


class Keys:
    """(certificate, handle) by name, and how often the agent signed."""

    def __init__(self, client: AgentClient, socket_path: str, directory: Path) -> None:
        self.client = client
        self.pairs = dict(zip(TYPES, make_keys(client, socket_path, directory, TYPES), strict=True))
        self.authorities = directory / "authorities.pem"
        self.authorities.write_text("".join(Path(pair[0]).read_text() for pair in self.pairs.values()))

    def signed(self) -> dict[str, int]:
        return {record.key_name: record.signed for record in self.client.list_keys()}


@pytest.fixture
def keys(short_tmp: Path) -> Iterator[Keys]:
    socket_path = str(short_tmp / "agent.sock")
    with start_agent(socket_path, log_path=str(short_tmp / "log")), AgentClient(socket_path) as client:
        yield Keys(client, socket_path, short_tmp)


def s_client(server: Serving, keys: Keys, *options: str) -> subprocess.CompletedProcess[str]:
    trust = ("-CAfile", str(keys.authorities), "-verify_return_error", "-verify_hostname", NAME)
    place = ("-connect", f"{HOST}:{server.port}", "-servername", NAME)
    return subprocess.run(
        [find("openssl"), "s_client", *place, *trust, *options],
        input="Q\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("name", ["44", "65", "87"])
def test_openssl_verifies_an_ml_dsa_handshake_over_a_hybrid_group(
    keys: Keys, kit_program: str, name: str
) -> None:
    before = keys.signed()
    with serving(kit_program, *serve_arguments([keys.pairs[name]])) as server:
        seen = s_client(server, keys, "-groups", HYBRID)
        assert seen.returncode == 0, seen.stderr
        assert f"Peer signature type: {SCHEMES[name]}" in seen.stdout
        assert f"Negotiated TLS1.3 group: {HYBRID}" in seen.stdout
        assert "Verify return code: 0 (ok)" in seen.stdout
        logged = server.next()
    assert (logged["scheme"], logged["group"]) == (SCHEMES[name], HYBRID)
    assert logged["agent_key"] == name
    assert {key for key, signed in keys.signed().items() if signed > before[key]} == {name}


def test_three_certificates_share_a_port_and_each_client_gets_its_own(keys: Keys, kit_program: str) -> None:
    names = ("rsa", "65", "ecdsa")
    with serving(kit_program, *serve_arguments([keys.pairs[name] for name in names])) as server:
        for name in names:
            seen = s_client(server, keys, "-sigalgs", SCHEMES[name])
            assert seen.returncode == 0, seen.stderr
            assert server.next()["scheme"] == SCHEMES[name]
        # Whoever knows all of them gets ML-DSA, whoever speaks TLS 1.2 one of the others.
        assert s_client(server, keys).returncode == 0
        assert server.next()["scheme"] == "mldsa65"
        assert s_client(server, keys, "-tls1_2").returncode == 0
        assert server.next()["scheme"] in (SCHEMES["rsa"], SCHEMES["ecdsa"])


def test_tls_1_2_with_an_ml_dsa_key_alone_is_refused_without_a_signature(
    keys: Keys, kit_program: str
) -> None:
    before = keys.signed()
    with serving(kit_program, *serve_arguments([keys.pairs["65"]])) as server:
        assert s_client(server, keys, "-tls1_2").returncode != 0
        assert server.next()["ok"] is False
    assert keys.signed()["65"] == before["65"]


def test_a_probe_of_three_certificates_shows_five_good_cells(keys: Keys, kit_program: str) -> None:
    with serving(
        kit_program, *serve_arguments([keys.pairs[name] for name in ("rsa", "ecdsa", "65")])
    ) as server:
        wanted = ("--ca", str(keys.authorities), "--servername", NAME, "--want", "rsa,ecdsa,ml-dsa")
        done = subprocess.run(
            [kit_program, "tls", "probe", *wanted, server.address],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    row = next(line.split() for line in done.stdout.splitlines() if "ML-DSA  " in line)
    assert row[:7] == ["1.3", "ML-DSA", "ok", "TLS_AES_256_GCM_SHA384", HYBRID, "mldsa65", "ML-DSA-65"]
    assert f"hybrid groups: {HYBRID}" in done.stdout
    assert done.stdout.splitlines()[-1] == "5 of 5 cells ok"
