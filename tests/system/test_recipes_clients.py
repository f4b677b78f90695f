"""What `kit agent recipe` prints for programs that one runs by hand, run as it is printed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.peers import find, needs, only_on_debian
from tests.system import probe_servers
from tests.system.kitchen import Kit, Kitchen, cells
from tests.tls.authority import Leaf

KINDS = pytest.mark.parametrize("kind", ["RSA", "ECDSA"])
PROVIDER, ENGINE = "OpenSSL's pkcs11-provider", "the PKCS#11 engine of OpenSSL"
HANDSHAKES = ("1.2", "1.3")


def _leaf(room: Kitchen, kind: str) -> Leaf:
    leaf: Leaf = getattr(room.authority, kind.lower())
    return leaf


def _line(room: Kitchen, recipe: Mapping[str, Any]) -> str:
    """The command at the end of the recipe, once everything before it is done."""
    room.follow(recipe)
    assert recipe["steps"][-1]["what"] == "Run it."
    return str(recipe["steps"][-1]["text"].strip())


@contextmanager
def _served(room: Kitchen, line: str, port: int, wait_until: probe_servers.Wait) -> Iterator[None]:
    here = room.here / "server"
    here.mkdir()
    command = [*room.enter, "sh", "-c", f"exec env {line}"]
    with probe_servers.running(command, here, [port], wait_until, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}):
        yield


def _openssl(room: Kitchen, kind: str, kit: Kit, wait_until: probe_servers.Wait) -> None:
    port = probe_servers.free_port()
    line = _line(room, room.recipe("openssl", _leaf(room, kind)))
    with _served(room, f"{line} -accept 127.0.0.1:{port}", port, wait_until):
        found = cells(kit, room, "--want", kind.lower(), f"localhost:{port}")
    assert found == [(version, kind, "ok") for version in HANDSHAKES]


@KINDS
@only_on_debian(13, "OpenSSL with pkcs11-provider")
@pytest.mark.recipe("openssl", PROVIDER)
def test_openssl_of_debian_13_serves_by_the_provider(
    kind: str, room: Kitchen, kit: Kit, wait_until: probe_servers.Wait
) -> None:
    _openssl(room, kind, kit, wait_until)


@KINDS
@only_on_debian(12, "OpenSSL with the engine of libp11")
@pytest.mark.recipe("openssl", ENGINE)
def test_openssl_of_debian_12_serves_by_the_engine(
    kind: str, lenient: Kitchen, kit: Kit, wait_until: probe_servers.Wait
) -> None:
    _openssl(lenient, kind, kit, wait_until)


@KINDS
@pytest.mark.recipe("gnutls", "GnuTLS's own PKCS#11")
def test_gnutls_serves(kind: str, lenient: Kitchen, kit: Kit, wait_until: probe_servers.Wait) -> None:
    port = probe_servers.free_port()
    line = _line(lenient, lenient.recipe("gnutls", _leaf(lenient, kind)))
    with _served(lenient, f"{line} --port {port} --http", port, wait_until):
        found = cells(kit, lenient, "--want", kind.lower(), f"localhost:{port}")
    assert found == [(version, kind, "ok") for version in HANDSHAKES]


@contextmanager
def _asking_for_certificates(room: Kitchen, wait_until: probe_servers.Wait) -> Iterator[int]:
    """`openssl s_server` with a key of its own, which takes nobody without a certificate of the authority."""
    here, port = room.here / "asking", probe_servers.free_port()
    here.mkdir()
    own = room.authority.leaf("own", room.authority.ecdsa.private)
    trust = [
        "-CAfile",
        str(room.authority.ca_file),
        "-Verify",
        "3",
        "-verify_return_error",
        "-purpose",
        "any",
    ]
    command = [find("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-www", *trust]
    command += ["-cert", str(own.chain), "-cert_chain", str(own.chain), "-key", str(own.key)]
    with probe_servers.running(command, here, [port], wait_until):
        yield port


def _curl(room: Kitchen, kind: str, wait_until: probe_servers.Wait) -> None:
    line = _line(room, room.recipe("curl", _leaf(room, kind)))
    with _asking_for_certificates(room, wait_until) as port:
        for version in HANDSHAKES:
            options = f"-sS --cacert {room.authority.ca_file} --tlsv{version} --tls-max {version}"
            done = room.run("sh", "-c", f"env {line.replace('localhost', f'localhost:{port}')} {options}")
            assert "s_server" in done.stdout, done.stderr
            assert "Client certificate" in done.stdout


@KINDS
@only_on_debian(13, "OpenSSL with pkcs11-provider")
@pytest.mark.recipe("curl", PROVIDER)
def test_curl_of_debian_13_logs_in_by_the_provider(
    kind: str, room: Kitchen, wait_until: probe_servers.Wait
) -> None:
    _curl(room, kind, wait_until)


@KINDS
@only_on_debian(12, "OpenSSL with the engine of libp11")
@pytest.mark.recipe("curl", ENGINE)
def test_curl_of_debian_12_logs_in_by_the_engine(
    kind: str, lenient: Kitchen, wait_until: probe_servers.Wait
) -> None:
    _curl(lenient, kind, wait_until)


@only_on_debian(12, "Java is installed there alone, for its size")
@pytest.mark.recipe("java", "the provider SunPKCS11")
def test_java_finds_both_keys(lenient: Kitchen) -> None:
    needs("java", "keytool")
    line = _line(lenient, lenient.recipe("java", lenient.authority.ecdsa))
    listed = lenient.ok("sh", "-c", f"env {line}")
    assert [name for name in ("rsa", "ecdsa") if f"{name}, PrivateKeyEntry" in listed] == ["rsa", "ecdsa"]


@only_on_debian(12, "NSS's programs are installed there alone")
@pytest.mark.recipe("nss", "a module in NSS's database")
def test_nss_finds_the_token(lenient: Kitchen) -> None:
    recipe = lenient.recipe("nss", lenient.authority.rsa)
    home = lenient.here / "home"
    home.mkdir()
    [step] = recipe["steps"]
    done = subprocess.run(
        [*lenient.enter, "sh", "-ec", step["text"]],
        capture_output=True,
        text=True,
        timeout=60,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert "Token Name: kit agent" in done.stdout, done.stderr
    assert shutil.which("certutil")
    address = shlex.quote(f"unix:path={lenient.agent.socket.replace('agent.sock', 'pkcs11.sock')}")
    listed = lenient.ok(
        "sh", "-c", f"P11_KIT_SERVER_ADDRESS={address} certutil -K -d sql:{home}/.pki/nssdb -h 'kit agent'"
    )
    assert {"rsa", "ecdsa"} <= set(listed.split())
