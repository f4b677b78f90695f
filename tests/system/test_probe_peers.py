"""The probe against real servers: nginx and Postfix with two certificates, and OpenSMTPD, broken and not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers import only_on_debian
from tests.system import probe_servers
from tests.tls.authority import Authority

Kit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory below /tmp that the servers' own users can reach."""
    import shutil
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="kit-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def authority(place: Path) -> Authority:
    directory = place / "pki"
    directory.mkdir()
    return Authority(directory)


def _here(place: Path, name: str) -> Path:
    here = place / name
    here.mkdir()
    return here


@pytest.fixture(scope="module")
def nginx(place: Path, authority: Authority, wait_until: probe_servers.Wait) -> Iterator[int]:
    leaves = [authority.rsa, authority.ecdsa]
    with probe_servers.nginx(_here(place, "nginx"), leaves, wait_until) as port:
        yield port


@pytest.fixture(scope="module")
def postfix(place: Path, authority: Authority, wait_until: probe_servers.Wait) -> Iterator[int]:
    leaves = [authority.rsa, authority.ecdsa]
    with probe_servers.postfix(_here(place, "postfix"), leaves, wait_until) as port:
        yield port


@pytest.fixture(scope="module")
def opensmtpd(place: Path, authority: Authority, wait_until: probe_servers.Wait) -> Iterator[dict[str, int]]:
    with probe_servers.opensmtpd(_here(place, "opensmtpd"), authority, wait_until) as ports:
        yield ports


def _cells(kit: Kit, authority: Authority, *arguments: str) -> tuple[list[dict[str, object]], list[str], int]:
    done = kit("tls", "probe", "--json", "--ca", str(authority.ca_file), *arguments)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    cells = [line for line in lines if line["kind"] == "cell"]
    return cells, [line["text"] for line in lines if line["kind"] == "finding"], done.returncode


def _facts(cells: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """Where both sides have a newer OpenSSL, the group is the hybrid one."""
    groups = {"X25519MLKEM768": "x25519"}
    return [
        (
            c["version"],
            c["authentication"],
            c["outcome"],
            c["scheme"],
            groups.get(str(c["group"]), c["group"]),
        )
        for c in cells
    ]


_FOUR_OF_FIVE = [
    ("1.2", "RSA", "ok", "rsa_pss_rsae_sha256", "x25519"),
    ("1.2", "ECDSA", "ok", "ecdsa_secp256r1_sha256", "x25519"),
    ("1.3", "RSA", "ok", "rsa_pss_rsae_sha256", "x25519"),
    ("1.3", "ECDSA", "ok", "ecdsa_secp256r1_sha256", "x25519"),
    ("1.3", "ML-DSA", "not served", "", ""),
]


def test_nginx_with_two_certificates_serves_their_four_cells(
    kit: Kit, nginx: int, authority: Authority
) -> None:
    cells, findings, status = _cells(kit, authority, "--want", "rsa,ecdsa", f"localhost:{nginx}")
    assert (_facts(cells), findings, status) == (_FOUR_OF_FIVE, [], 0)
    assert {len(c["chain"]) for c in cells[:4]} == {2}  # type: ignore[arg-type]


def test_postfix_with_two_certificates_serves_their_four_cells(
    kit: Kit, postfix: int, authority: Authority
) -> None:
    cells, findings, status = _cells(kit, authority, "--starttls", "smtp", f"localhost:{postfix}")
    assert (_facts(cells), findings, status) == (_FOUR_OF_FIVE, [], 0)


def test_postfix_asked_for_tls_at_once_speaks_another_protocol(kit: Kit, postfix: int) -> None:
    done = kit("tls", "probe", f"127.0.0.1:{postfix}")
    assert done.returncode == 76
    # Since 3.9 it also complains, if it sees the handshake before it has greeted.
    assert "220 localhost ESMTP Postfix" in done.stderr or "554 5.5.0 Error" in done.stderr
    assert "--starttls smtp" in done.stderr


@only_on_debian(12, "its OpenSMTPD 6.8 cannot sign under OpenSSL 3")
@pytest.mark.parametrize("kind", ["RSA", "ECDSA"])
def test_opensmtpd_of_debian_12_shows_certificates_whose_keys_do_not_sign(
    kind: str, kit: Kit, opensmtpd: dict[str, int], authority: Authority
) -> None:
    """Its key process loses the key under OpenSSL 3, over every version, for both kinds of key."""
    target = f"localhost:{opensmtpd[kind]}"
    cells, findings, status = _cells(kit, authority, "--starttls", "smtp", target)
    own = [cell for cell in cells if cell["authentication"] == kind]
    assert [(c["version"], c["outcome"], c["alert"], c["verified"]) for c in own] == [
        ("1.2", "broken", 80, True),
        ("1.3", "broken", 80, True),
    ]
    assert all(cell["chain"] for cell in own)
    assert findings == [
        f"{kind}: a certificate is shown, but no handshake completes: "
        "its key does not sign (alert internal error)"
    ]
    assert status == 1


@only_on_debian(13, "its OpenSMTPD 7.6 can sign under OpenSSL 3")
@pytest.mark.parametrize("kind", ["RSA", "ECDSA"])
def test_opensmtpd_of_debian_13_serves_the_cells_of_its_certificate(
    kind: str, kit: Kit, opensmtpd: dict[str, int], authority: Authority
) -> None:
    target = f"localhost:{opensmtpd[kind]}"
    cells, findings, status = _cells(kit, authority, "--starttls", "smtp", "--want", kind.lower(), target)
    good = [facts for facts in _FOUR_OF_FIVE if facts[1] == kind]
    own = [cell for cell in cells if cell["authentication"] == kind]
    assert (_facts(own), findings, status) == (good, [], 0)
