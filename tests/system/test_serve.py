"""`kit tls serve` with an agent's keys, seen by other people's clients."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from kit.agent.launch import start_agent
from kit.tls.certificates import throw_away
from tests.peers import find
from tests.system.family import await_that, family, left
from tests.system.serving import DEADLINE_S, Keys, Serving, agent_keys, serving


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    directory = Path(tempfile.mkdtemp(prefix="kit-", dir="/tmp"))
    try:
        with agent_keys(directory) as made:
            yield made
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def echo(keys: Keys, kit_program: str) -> Iterator[Serving]:
    with serving(kit_program, *keys.arguments()) as server:
        yield server


def run(*command: str, say: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=say, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def client(keys: Keys, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=keys.authorities)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def echoed(context: ssl.SSLContext, port: int, name: str = "localhost") -> str | None:
    """Have a word with the server; the version."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as bare:
        with context.wrap_socket(bare, server_hostname=name) as tls:
            tls.sendall(b"word")
            assert tls.recv(100) == b"word"
            return tls.version()


def s_client(keys: Keys, port: int, *more: str, say: str = "") -> subprocess.CompletedProcess[str]:
    words = ["-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-CAfile", keys.authorities]
    return run(find("openssl"), "s_client", *words, "-verify_return_error", *more, say=say)


@pytest.mark.parametrize(
    ("protocol", "algorithms", "scheme"),
    [
        ("-tls1_2", "RSA-PSS+SHA256", "rsa_pss_rsae_sha256"),
        ("-tls1_2", "RSA-PSS+SHA512", "rsa_pss_rsae_sha512"),
        ("-tls1_2", "RSA+SHA256", "rsa_pkcs1_sha256"),
        ("-tls1_2", "RSA+SHA384", "rsa_pkcs1_sha384"),
        ("-tls1_2", "ECDSA+SHA256", "ecdsa_secp256r1_sha256"),
        ("-tls1_2", "ECDSA+SHA384", "ecdsa_secp384r1_sha384"),
        ("-tls1_3", "RSA-PSS+SHA256", "rsa_pss_rsae_sha256"),
        ("-tls1_3", "RSA-PSS+SHA384", "rsa_pss_rsae_sha384"),
        ("-tls1_3", "RSA-PSS+SHA512", "rsa_pss_rsae_sha512"),
        ("-tls1_3", "ECDSA+SHA256", "ecdsa_secp256r1_sha256"),
    ],
)
def test_openssl_verifies_each_scheme_of_both_keys(
    keys: Keys, echo: Serving, protocol: str, algorithms: str, scheme: str
) -> None:
    done = s_client(keys, echo.port, protocol, "-sigalgs", algorithms)
    assert done.returncode == 0, done.stderr
    assert "Verification: OK" in done.stdout
    logged = echo.next()
    assert logged["scheme"] == scheme
    assert logged["version"] == protocol.replace("-tls1_", "TLSv1.")
    assert logged["agent_key"] == ("rsa" if scheme.startswith("rsa") else "ecdsa")
    assert 0 < logged["agent_ms"] < logged["handshake_ms"]
    assert logged["sni"] == "localhost"


@pytest.mark.parametrize("priority", ["NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"])
@pytest.mark.parametrize(
    ("signature", "kind"), [("RSA-PSS-RSAE-SHA256", "rsa"), ("ECDSA-SECP256R1-SHA256", "p-")]
)
def test_gnutls_verifies_both_versions_and_keys(
    keys: Keys, echo: Serving, priority: str, signature: str, kind: str
) -> None:
    algorithms = f"{priority}:-SIGN-ALL:+SIGN-{signature}:+SIGN-RSA-SHA256:+SIGN-ECDSA-SHA256"
    done = run(
        find("gnutls-cli"),
        f"--x509cafile={keys.authorities}",
        f"--priority={algorithms.replace('+SIGN-RSA-SHA256:', '') if kind == 'p-' else algorithms}",
        "--sni-hostname=localhost",
        "--verify-hostname=localhost",
        f"--port={echo.port}",
        "127.0.0.1",
    )
    logged = echo.next()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The certificate is trusted" in done.stdout
    assert logged["ok"]
    assert logged["version"] == "TLSv" + priority[-3:]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_pythons_ssl_verifies_and_hears_its_echo(keys: Keys, echo: Serving, version: ssl.TLSVersion) -> None:
    assert echoed(client(keys, version), echo.port) == echo.next()["version"]


def test_twenty_clients_at_once_are_all_served(keys: Keys, echo: Serving) -> None:
    errors: list[Exception] = []

    def connect() -> None:
        try:
            echoed(client(keys), echo.port)
        except Exception as error:  # noqa: BLE001 - told below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=connect) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert all(echo.next()["ok"] for _ in range(20))


def test_curl_gets_a_page_about_its_handshake(keys: Keys, kit_program: str) -> None:
    curl = [find("curl"), "--silent", "--show-error", "--cacert", keys.authorities]
    with serving(kit_program, *keys.arguments(), "--mode", "https") as server:
        url = f"https://localhost:{server.port}/"
        plain = run(*curl, "--ipv4", url)
        facts = json.loads(
            run(*curl, "--ipv4", "--tls-max", "1.2", "-H", "Accept: application/json", url).stdout
        )
        page = run(*curl, "--ipv4", "-i", "-H", "Accept: text/html", "--data", "a=b", url).stdout
        logged = [server.next() for _ in range(3)]
    assert plain.returncode == 0, plain.stderr
    assert f"cipher: {logged[0]['cipher']}\n" in plain.stdout
    assert facts["version"] == "TLSv1.2"
    assert facts["scheme"] == logged[1]["scheme"]
    assert page.startswith("HTTP/1.1 200 OK\n") or page.startswith("HTTP/1.1 200 OK\r\n")
    assert "<td>localhost</td>" in page


@pytest.mark.parametrize("protocol", ["-tls1_2", "-tls1_3"])
def test_openssl_says_starttls_to_the_smtp_server(keys: Keys, kit_program: str, protocol: str) -> None:
    with serving(kit_program, *keys.arguments(), "--mode", "smtp") as server:
        done = s_client(
            keys, server.port, "-starttls", "smtp", "-crlf", protocol, "-ign_eof", say="EHLO me\nQUIT\n"
        )
        assert done.returncode == 0, done.stderr
        assert "Verification: OK" in done.stdout
        assert "221 2.0.0" in done.stdout
        assert server.next()["ok"]


def test_a_command_smuggled_in_behind_starttls_is_not_answered_inside_tls(
    keys: Keys, kit_program: str
) -> None:
    with serving(kit_program, *keys.arguments(), "--mode", "smtp") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S) as bare:
            assert bare.recv(1000).startswith(b"220 ")
            bare.sendall(b"EHLO me\r\n")
            assert b"STARTTLS" in bare.recv(1000)
            bare.sendall(b"STARTTLS\r\nRSET\r\n")
            assert bare.recv(1000) == b"220 2.0.0 Ready to start TLS\r\n"
            with client(keys).wrap_socket(bare, server_hostname="localhost") as tls:
                tls.sendall(b"QUIT\r\n")
                assert tls.recv(1000).startswith(b"221 ")


def test_sni_chooses_the_certificate_and_the_log_names_both(kit_program: str, short_tmp: Path) -> None:
    words = []
    for names in (["a.example"], ["*.b.example"]):
        directory = short_tmp / names[0].strip("*.")
        directory.mkdir()
        for pair in throw_away(directory, names)[:2]:  # what every OpenSSL serves
            words += ["--cert", str(pair.certificate), "--key", str(pair.key)]
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with serving(kit_program, *words) as server:
        for name in ("a.example", "x.b.example", "else.example"):
            echoed(anyone, server.port, name)
        logged = [(record["sni"], record["certificate"]) for record in (server.next() for _ in range(3))]
    assert logged == [
        ("a.example", "a.example/p-256"),
        ("x.b.example", "*.b.example/p-256"),
        ("else.example", "a.example/p-256"),
    ]


def test_a_key_can_be_named_as_the_agent_knows_it(keys: Keys, kit_program: str) -> None:
    words: list[str] = []
    for name, key in (("rsa", "agent:rsa"), ("ecdsa", "ecdsa")):
        words += ["--cert", keys.pairs[name][0], "--key", key]
    with serving(kit_program, *words, "-s", keys.running.socket_path) as server:
        assert echoed(client(keys), server.port)
        assert server.next()["agent_key"] == "ecdsa"


def test_failed_handshakes_are_logged_with_their_reason_and_end_nothing(keys: Keys, echo: Serving) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        echoed(ssl.create_default_context(), echo.port)
    assert echo.next()["error"] == "tlsv1 alert unknown ca"
    with socket.create_connection(("127.0.0.1", echo.port), timeout=DEADLINE_S) as bare:
        bare.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert "http request" in echo.next()["error"]
    socket.create_connection(("127.0.0.1", echo.port), timeout=DEADLINE_S).close()
    assert echo.next()["error"] == "the client closed the connection"
    assert echoed(client(keys), echo.port)
    assert echo.next()["ok"]


@pytest.mark.parametrize("mode", ["echo", "https", "smtp"])
def test_noise_before_and_inside_tls_ends_connections_and_nothing_else(
    keys: Keys, kit_program: str, mode: str, capfd: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(mode)
    with serving(kit_program, *keys.arguments("ecdsa"), "--mode", mode, "--timeout", "1") as server:
        for _ in range(60):
            with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S) as bare:
                head = chance.choice([b"", b"STARTTLS\r\n", b"\x16\x03\x01\x00\x20\x01", b"EHLO "])
                bare.sendall(head + chance.randbytes(chance.randrange(400)))
        for _ in range(30):
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S) as bare:
                    if mode == "smtp":
                        bare.recv(100)
                        bare.sendall(b"STARTTLS\r\n")
                        bare.recv(100)
                    with client(keys).wrap_socket(bare, server_hostname="localhost") as tls:
                        tls.sendall(chance.randbytes(chance.randrange(1, 3000)) + b"\r\n\r\n")
                        tls.recv(100)
        assert server.process.poll() is None
    assert "Traceback" not in capfd.readouterr().err


def test_a_silent_client_is_given_up_and_costs_the_others_nothing(keys: Keys, kit_program: str) -> None:
    with serving(kit_program, *keys.arguments(), "--timeout", "2") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S) as silent:
            assert echoed(client(keys), server.port)
            told = [server.next() for _ in range(2)]
            assert sorted(one["ok"] for one in told) == [False, True]
            assert [one["error"] for one in told if not one["ok"]] == ["no handshake within 2 s"]
            assert silent.recv(1) == b""


def test_a_killed_agent_fails_handshakes_by_name_and_one_that_is_back_serves_again(
    kit_program: str, short_tmp: Path
) -> None:
    with agent_keys(short_tmp) as keys, serving(kit_program, *keys.arguments()) as server:
        echoed(client(keys), server.port)
        assert server.next()["ok"]
        everybody = family(keys.running.socket_path).everybody
        os.kill(keys.running.pid, signal.SIGKILL)
        keys.running.wait()
        await_that(lambda: not left(everybody), "the end of who may still sign")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            echoed(client(keys), server.port)
        failed = server.next()
        assert f"no agent answers on '{keys.running.socket_path}'" in failed["error"]
        assert failed["agent_key"] == "ecdsa"
        with start_agent(keys.running.socket_path, log_path=os.devnull):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                echoed(client(keys), server.port)  # it is there, and does not have the key
            assert not server.next()["ok"]
        assert server.process.poll() is None


def test_an_agent_that_hangs_costs_its_handshakes_the_time_limit(kit_program: str, short_tmp: Path) -> None:
    with agent_keys(short_tmp) as keys, serving(kit_program, *keys.arguments(), "--timeout", "2") as server:
        os.kill(keys.running.pid, signal.SIGSTOP)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            echoed(client(keys), server.port)
        failed = server.next()
        os.kill(keys.running.pid, signal.SIGCONT)
        assert "did not answer in time" in failed["error"]
        assert echoed(client(keys), server.port)
        assert server.next()["ok"]


def test_the_next_handshake_works_once_the_agent_does(kit_program: str, short_tmp: Path) -> None:
    pair, *_ = throw_away(short_tmp)
    socket_path = str(short_tmp / "agent.sock")

    def start() -> Any:
        return start_agent(socket_path, log_path=os.devnull, prepare=_add(pair.key, "rsa"))

    anyone = ssl.create_default_context(cafile=str(pair.certificate))
    with start() as running:
        words = ["--cert", str(pair.certificate), "--key", "agent:rsa", "--socket", socket_path]
        with serving(kit_program, *words) as server:
            assert echoed(anyone, server.port)
            running.stop()
            with pytest.raises((ssl.SSLError, ConnectionError)):
                echoed(anyone, server.port)
            with start():
                assert echoed(anyone, server.port)
            assert [server.next()["ok"] for _ in range(3)] == [True, False, True]


def _add(pem: Path, name: str) -> Callable[[Any], None]:
    key = load_pem_private_key(pem.read_bytes(), None)
    der = bytearray(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    return lambda client: client.add(name, der, ("tls-server",))


def test_the_plain_line_is_in_the_spirit_of_smtpds(keys: Keys, kit_program: str) -> None:
    command = [kit_program, "tls", "serve", "--count", "1", "--port", "0", *keys.arguments("rsa")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        assert server.stdout
        port = int(server.stderr.readline().split()[5])
        context = client(keys, ssl.TLSVersion.TLSv1_2)
        context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
        echoed(context, port)
        line = server.stdout.read()
        assert server.wait(DEADLINE_S) == 0
    assert " tls ciphers=TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256 group=" in line
    assert " scheme=rsa_pss_rsae_sha256 " in line
    assert " key=rsa agent_ms=" in line


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_server_whatever_its_clients_do(
    keys: Keys, kit_program: str, number: int, status: int
) -> None:
    with serving(kit_program, *keys.arguments()) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S) as bare:
            with client(keys).wrap_socket(bare, server_hostname="localhost"):
                server.next()
                server.process.send_signal(number)
                assert server.process.wait(DEADLINE_S) == status


def test_the_handle_that_serve_makes_for_itself_is_private_and_gone(
    keys: Keys, kit_program: str, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(short_tmp))
    words = ["--cert", keys.pairs["rsa"][0], "--key", "agent:rsa", "-s", keys.running.socket_path]
    with serving(kit_program, *words):
        assert list(short_tmp.iterdir()) == []
    assert stat.S_IMODE(short_tmp.stat().st_mode) == 0o700


Kit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "0 --cert and 0 --key"),
        (("--cert", "a"), 2, "1 --cert and 0 --key"),
        (("--self-signed", "--cert", "a", "--key", "b"), 2, "goes with neither"),
        (("--cert", "/nowhere.pem", "--key", "agent:x", "-s", "/nowhere.sock"), 69, "/nowhere.sock"),
        (("--cert", "/nowhere.pem", "--key", "/nowhere.key"), 69, "no key file '/nowhere.key'"),
        (("--self-signed", "--host", "192.0.2.1"), 69, "cannot listen on 192.0.2.1"),
    ],
)
def test_what_cannot_be_served_is_said(kit: Kit, words: tuple[str, ...], status: int, said: str) -> None:
    done = kit("tls", "serve", "--port", "0", *words)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("kit: error: ")


def test_a_key_that_is_not_the_certificates_is_refused(keys: Keys, kit: Kit) -> None:
    done = kit("tls", "serve", "--cert", keys.pairs["rsa"][0], "--key", keys.pairs["ecdsa"][1])
    assert done.returncode == 2, done.stderr
    assert "cannot be served" in done.stderr


def test_an_encrypted_key_is_not_asked_for_where_there_is_no_terminal(
    keys: Keys, kit_program: str, short_tmp: Path
) -> None:
    encrypted = short_tmp / "key.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    encrypted.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    done = subprocess.run(
        [kit_program, "tls", "serve", "--cert", keys.pairs["ecdsa"][0], "--key", str(encrypted)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"'{encrypted}' is encrypted, and there is no terminal" in done.stderr


def test_a_taken_port_is_said(kit: Kit, echo: Serving) -> None:
    done = kit("tls", "serve", "--self-signed", "--port", str(echo.port))
    assert done.returncode == 69
    assert f"cannot listen on 127.0.0.1 port {echo.port}" in done.stderr
