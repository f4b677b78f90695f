"""OpenSSL before it had providers: libp11's engine in openssl, curl and nginx.

The engine hashes by itself, so that its keys have the purpose `tls-digest`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.peers import find, forbidden, missing, needs, only_on_debian
from tests.system.agents import await_end
from tests.system.family import await_that, children, family
from tests.system.pkcs11_scene import KINDS, TRUSTED, VERSIONS, Rule, Token, handshake, serving_token
from tests.system.pkcs11_servers import Nginx, server
from tests.system.probe_servers import free_port

pytestmark = only_on_debian(12, "its OpenSSL 3.0 and libp11 are made for engines")
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has servers of several users")
WORKERS_USER = "www-data"


@pytest.fixture(scope="module", autouse=True)
def _engine() -> None:
    needs("openssl")
    if not any(Path("/usr/lib").glob("*/engines-3/pkcs11.so")):
        missing("not installed: libp11's engine (.ci/setup installs what the tests need)")


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    with serving_token() as token:
        yield token


@pytest.mark.parametrize("name", KINDS)
def test_openssl_s_server_signs_with_a_key_of_the_token(token: Token, name: str) -> None:
    port, before = free_port(), token.counted(name)
    command = [
        "openssl",
        "s_server",
        "-accept",
        f"127.0.0.1:{port}",
        "-engine",
        "pkcs11",
        "-keyform",
        "engine",
    ]
    command += ["-key", token.uri(name), "-cert", str(token.leaves[name].chain), "-www"]
    command += ["-cert_chain", str(token.leaves[name].chain)]
    with server(token, command, [port]):
        for version in VERSIONS:
            assert "HTTP/1.0 200 ok" in handshake(port, token.authority, version)
    assert token.counted(name) == before + len(VERSIONS)


def test_openssl_dgst_signs_with_a_key_of_any_digest(token: Token) -> None:
    (token.directory / "content").write_bytes(b"content")
    command = ("openssl", "dgst", "-engine", "pkcs11", "-keyform", "engine", "-sha256", "-out", "made")
    token.run(*command, "-sign", token.uri("login-rsa"), "content")
    public = token.leaves["login-rsa"].private.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    made = (token.directory / "made").read_bytes()
    public.verify(made, b"content", padding.PKCS1v15(), hashes.SHA256())


def test_openssl_req_makes_a_request_with_a_key_of_any_digest(token: Token) -> None:
    command = ("openssl", "req", "-new", "-engine", "pkcs11", "-keyform", "engine", "-subj", "/CN=x")
    token.run(*command, "-key", token.uri("login-p256"), "-out", "request.pem")
    request = x509.load_pem_x509_csr((token.directory / "request.pem").read_bytes())
    assert request.is_signature_valid
    assert request.public_key() == token.leaves["login-p256"].private.public_key()


def test_openssl_dgst_is_refused_by_a_key_of_the_default_purposes(token: Token) -> None:
    (token.directory / "content").write_bytes(b"content")
    before = token.counted("strict-rsa", "refused")
    command = ("openssl", "dgst", "-engine", "pkcs11", "-keyform", "engine", "-sha256", "-out", "made")
    token.run(*command, "-sign", token.uri("strict-rsa"), "content", status=1)
    assert token.counted("strict-rsa", "refused") == before + 1


@contextlib.contextmanager
def asking_server(token: Token) -> Iterator[int]:
    """A server with a key file of its own, that lets in who has a certificate."""
    port, leaf = free_port(), token.leaves["p256"]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(leaf.chain)]
    command += ["-key", str(leaf.key), "-cert_chain", str(leaf.chain), "-CAfile", TRUSTED]
    with server(token, [*command, "-Verify", "2", "-verify_return_error", "-www"], [port]):
        yield port


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", KINDS)
def test_curl_shows_a_client_certificate_whose_key_is_in_the_token(
    token: Token, name: str, version: str
) -> None:
    before = token.counted(name)
    words = ["curl", "-sS", "--engine", "pkcs11", "--key-type", "ENG", "--key", token.uri(name)]
    words += ["--cert", str(token.leaves[name].chain), "--cacert", TRUSTED]
    words += [f"--tlsv{version}", "--tls-max", version]
    with asking_server(token) as port:
        assert "<HTML>" in token.run(*words, f"https://localhost:{port}/")
    assert token.counted(name) == before + 1


def test_curl_takes_a_bare_uri_for_key_and_certificate(token: Token) -> None:
    before = token.counted("rsa")
    words = [
        "curl",
        "-sS",
        "--key",
        token.uri("rsa"),
        "--cert",
        token.uri("rsa", "cert"),
        "--cacert",
        TRUSTED,
    ]
    with asking_server(token) as port:
        assert "<HTML>" in token.run(*words, f"https://localhost:{port}/")
    assert token.counted("rsa") == before + 1


# nginx

_BY_VARIABLES = "env P11_KIT_SERVER_ADDRESS; env PKCS11_MODULE_PATH; ssl_engine pkcs11;"


def user_line() -> str:
    return "user root;" if os.geteuid() == 0 else ""


def engine_keys(token: Token) -> dict[str, str]:
    return {name: f"engine:pkcs11:{token.uri(name)}" for name in token.leaves if name in KINDS}


def fetch(nginx: Nginx, name: str, version: ssl.TLSVersion = VERSIONS[1]) -> str:
    return handshake(nginx.ports[name], nginx.token.authority, version)


def failed(nginx: Nginx, name: str) -> bool:
    try:
        fetch(nginx, name)
    except (ssl.SSLError, ConnectionError):
        return True
    return False


@contextlib.contextmanager
def running(nginx: Nginx, environment: Mapping[str, str] | None = None, *before: str) -> Iterator[int]:
    """The pid of its master."""
    command = [*before, *nginx.command]
    with server(nginx.token, command, list(nginx.ports.values()), environment) as process:
        yield process.pid


def reloaded(nginx: Nginx, master: int) -> None:
    """Other workers serve."""
    old = set(children(master))
    os.kill(master, signal.SIGHUP)
    await_that(lambda: len(set(children(master)) - old) == 2, "new workers")
    await_that(lambda: not old & set(children(master)), "the end of the old workers")


@pytest.fixture
def nginx(token: Token) -> Nginx:
    return Nginx(token, engine_keys(token), user_line() + _BY_VARIABLES)


def test_nginx_signs_with_keys_of_the_token(nginx: Nginx) -> None:
    before = {name: nginx.token.counted(name) for name in nginx.ports}
    with running(nginx):
        for name in nginx.ports:
            for version in VERSIONS:
                assert f"served by {name}" in fetch(nginx, name, version)
    assert {name: nginx.token.counted(name) - n for name, n in before.items()} == dict.fromkeys(before, 2)


def test_nginx_signs_after_a_reload(nginx: Nginx) -> None:
    with running(nginx) as master:
        fetch(nginx, "p256")
        reloaded(nginx, master)
        for name in nginx.ports:
            assert f"served by {name}" in fetch(nginx, name)


def test_nginx_serves_on_while_the_agent_is_killed_and_started_again() -> None:
    """It is not restarted and not reloaded; a PKCS#11 client never connects again."""
    with serving_token() as token:
        nginx = Nginx(token, engine_keys(token), user_line() + _BY_VARIABLES)
        with running(nginx) as master:
            workers = children(master)
            for name in nginx.ports:
                assert "served by" in fetch(nginx, name)
            before = family(token.agent.socket)
            os.kill(token.agent.pid, signal.SIGKILL)
            for pid in (token.agent.pid, *before.holders):  # a worker may outlive it, and sign
                await_end(pid)
            for name in nginx.ports:
                assert failed(nginx, name)
            again = token.start()
            assert family(again.agent.socket).bridge == before.bridge
            for name in nginx.ports:
                for version in VERSIONS:
                    assert f"served by {name}" in fetch(nginx, name, version)
            reloaded(nginx, master)
            assert "served by" in fetch(nginx, "rsa")
            assert not set(workers) & set(children(master))


def test_nginx_loses_no_handshake_while_the_agent_s_workers_are_killed(nginx: Nginx) -> None:
    token, done = nginx.token, threading.Event()
    errors: list[Exception] = []

    def load() -> None:
        while not done.is_set():
            try:
                fetch(nginx, "p256")
            except OSError as error:
                errors.append(error)

    with running(nginx):
        thread = threading.Thread(target=load)
        thread.start()
        try:
            for _ in range(3):
                victim = family(token.agent.socket).workers[0]
                os.kill(victim, signal.SIGKILL)
                before = token.counted("p256")
                await_that(lambda: victim not in family(token.agent.socket).workers, "another worker")  # noqa: B023
                await_that(lambda: token.counted("p256") > before, "signatures go on")  # noqa: B023
        finally:
            done.set()
            thread.join(20)
    assert errors == []


@pytest.fixture
def shared() -> Iterator[Token]:
    """For a master of root and workers of another user."""
    rules = [Rule(kind, kind, peers=("uid:0", f"user:{WORKERS_USER}")) for kind in ("rsa", "p256")]
    with serving_token(rules, mode="0660", group=WORKERS_USER) as token:
        yield token


@only_root
def test_nginx_s_workers_are_another_user(shared: Token) -> None:
    nginx = Nginx(shared, engine_keys(shared), f"user {WORKERS_USER};" + _BY_VARIABLES)
    with running(nginx) as master:
        for name in nginx.ports:
            for version in VERSIONS:
                assert f"served by {name}" in fetch(nginx, name, version)
        reloaded(nginx, master)
        assert "served by rsa" in fetch(nginx, "rsa")
    uids = {line["uid"] for line in shared.audit()}
    assert uids == {int(subprocess.check_output([find("id"), "-u", WORKERS_USER]))}


# A private /etc, in which a module file lies; nothing is left of it.
_WITH_MODULE = """
set -e
kept=$(mktemp -d)
mount -t tmpfs none "$kept"
cp -a /etc "$kept"
mkdir -p "$kept/etc/pkcs11/modules"
cp "$1" "$kept/etc/pkcs11/modules/kit.module"
mount --bind "$kept/etc" /etc
umount -l "$kept"
rmdir "$kept"
shift
exec "$@"
"""


@only_root
def test_nginx_finds_the_token_by_a_module_file_and_no_variable(shared: Token) -> None:
    module = shared.directory / "kit.module"
    module.write_text(f"remote: unix:path={shared.socket}\nenable-in: nginx\n")
    private = ("unshare", "--mount", "sh", "-c", _WITH_MODULE, "sh", str(module))
    if subprocess.run([*private, "true"], capture_output=True, check=False).returncode:
        forbidden("a private /etc")
    nginx = Nginx(shared, engine_keys(shared), f"user {WORKERS_USER}; ssl_engine pkcs11;")
    with running(nginx, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, *private):
        for name in nginx.ports:
            for version in VERSIONS:
                assert f"served by {name}" in fetch(nginx, name, version)
