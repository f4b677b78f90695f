"""OpenSSL's providers: pkcs11-provider in openssl and nginx, whose key file is a PEM with a PKCS#11 URI.

It hands over the whole content, so that a key's purposes hold as they do for any other client of the agent.
"""

from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from tests.peers import missing, only_on_debian
from tests.system.agents import await_end
from tests.system.family import await_that, children, family
from tests.system.pkcs11_scene import VERSIONS, Rule, Token, handshake, module, serving_token
from tests.system.pkcs11_servers import Nginx, server
from tests.system.probe_servers import free_port

pytestmark = only_on_debian(13, "its pkcs11-provider and p11-kit carry whole contents")
STRICT = ("strict-rsa", "strict-p256", "strict-p384")
WORKERS_USER = "www-data"
_OPENSSL_CONF = """
openssl_conf = openssl_init
[openssl_init]
providers = provider_sect
[provider_sect]
default = default_sect
pkcs11 = pkcs11_sect
[default_sect]
activate = 1
[pkcs11_sect]
module = {provider}
pkcs11-module-path = {module}
activate = 1
"""


def provider() -> str:
    found = sorted(Path("/usr/lib").glob("*/ossl-modules/pkcs11.so"))
    if not found:
        missing("not installed: pkcs11-provider (.ci/setup installs what the tests need)")
    return str(found[0])


@dataclass(frozen=True)
class Provided:
    """A token, and what has OpenSSL load the provider."""

    token: Token

    @property
    def environment(self) -> dict[str, str]:
        configuration = self.token.directory / "openssl.cnf"
        configuration.write_text(_OPENSSL_CONF.format(provider=provider(), module=module()))
        configuration.chmod(0o644)
        return {**self.token.environment, "OPENSSL_CONF": str(configuration)}

    def run(self, *words: str, status: int = 0) -> str:
        configured = [f"{name}={value}" for name, value in self.environment.items() if name == "OPENSSL_CONF"]
        return self.token.run("env", *configured, *words, status=status)

    def nginx(self, main: str = "user root;") -> Nginx:
        """With the files that the agent's command writes in the place of key files."""
        files = {name: self.token.directory / f"{name}.uri.pem" for name in self.token.leaves}
        for name, path in files.items():
            path.unlink(missing_ok=True)
            self.token.agent.ok("handle", name, "--format", "pkcs11-uri", "-o", str(path))
        user = main if os.geteuid() == 0 else ""
        variables = "env P11_KIT_SERVER_ADDRESS; env OPENSSL_CONF;"
        return Nginx(self.token, {name: str(path) for name, path in files.items()}, user + variables)


@pytest.fixture(scope="module")
def provided() -> Iterator[Provided]:
    rules = [Rule(name, name.removeprefix("strict-"), ("tls-server", "csr")) for name in STRICT]
    with serving_token(rules) as token:
        yield Provided(token)


@pytest.mark.parametrize("name", STRICT)
def test_openssl_s_server_signs_with_a_key_for_tls_servers_alone(provided: Provided, name: str) -> None:
    token, port = provided.token, free_port()
    before = token.counted(name)
    chain = str(token.leaves[name].chain)
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", token.uri(name), "-www"]
    with server(token, [*command, "-cert", chain, "-cert_chain", chain], [port], provided.environment):
        for version in VERSIONS:
            assert "HTTP/1.0 200 ok" in handshake(port, token.authority, version)
    assert token.counted(name) == before + len(VERSIONS)


@pytest.mark.parametrize("name", STRICT)
def test_a_key_for_tls_servers_signs_no_document(provided: Provided, name: str) -> None:
    token = provided.token
    (token.directory / "content").write_bytes(b"a document")
    before = token.counted(name, "refused"), token.counted(name)
    provided.run("openssl", "dgst", "-sha256", "-sign", token.uri(name), "-out", "made", "content", status=1)
    assert (token.counted(name, "refused"), token.counted(name)) == (before[0] + 1, before[1])
    await_that(lambda: f"refuse key='{name}'" in token.log(), "the reason")


@pytest.mark.parametrize("name", ["strict-rsa", "strict-p256"])
def test_a_key_signs_the_request_for_its_certificate(provided: Provided, name: str) -> None:
    token = provided.token
    provided.run("openssl", "req", "-new", "-key", token.uri(name), "-subj", "/CN=x", "-out", "request.pem")
    request = x509.load_pem_x509_csr((token.directory / "request.pem").read_bytes())
    assert request.is_signature_valid
    assert request.public_key() == token.leaves[name].private.public_key()


def fetch(nginx: Nginx, name: str, version: ssl.TLSVersion = VERSIONS[1]) -> str:
    return handshake(nginx.ports[name], nginx.token.authority, version)


@contextmanager
def running(provided: Provided, nginx: Nginx) -> Iterator[int]:
    with server(nginx.token, nginx.command, list(nginx.ports.values()), provided.environment) as process:
        yield process.pid


def test_nginx_signs_with_a_key_file_that_is_a_uri(provided: Provided) -> None:
    nginx = provided.nginx()
    with running(provided, nginx) as master:
        for name in nginx.ports:
            for version in VERSIONS:
                assert f"served by {name}" in fetch(nginx, name, version)
        old = set(children(master))
        os.kill(master, signal.SIGHUP)
        await_that(lambda: children(master) and not old & set(children(master)), "new workers alone")
        for name in nginx.ports:
            assert f"served by {name}" in fetch(nginx, name)


def test_nginx_serves_on_while_the_agent_is_killed_and_started_again() -> None:
    """It is not restarted and not reloaded; a PKCS#11 client never connects again."""
    rules = [Rule(name, name.removeprefix("strict-"), ("tls-server",)) for name in STRICT[:2]]
    with serving_token(rules) as token:
        provided = Provided(token)
        nginx = provided.nginx()
        with running(provided, nginx):
            for name in nginx.ports:
                assert "served by" in fetch(nginx, name)
            before = family(token.agent.socket)
            os.kill(token.agent.pid, signal.SIGKILL)
            for pid in (token.agent.pid, *before.holders):  # a worker may outlive it, and sign
                await_end(pid)
            for name in nginx.ports:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    fetch(nginx, name)
            assert family(token.start().agent.socket).bridge == before.bridge
            for name in nginx.ports:
                for version in VERSIONS:
                    assert f"served by {name}" in fetch(nginx, name, version)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has servers of several users")
def test_nginx_s_workers_are_another_user() -> None:
    peers = ("uid:0", f"user:{WORKERS_USER}")
    with serving_token([Rule("web", "p256", ("tls-server",), peers)], "0660", WORKERS_USER) as token:
        provided = Provided(token)
        nginx = provided.nginx(f"user {WORKERS_USER};")
        with running(provided, nginx):
            for version in VERSIONS:
                assert "served by web" in fetch(nginx, "web", version)
        assert 0 not in {line["uid"] for line in token.audit()}
