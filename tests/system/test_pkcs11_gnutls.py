"""GnuTLS's server and client with keys in the token, which they find by a URI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.pkcs11_scene import KINDS, TRUSTED, VERSIONS, Token, handshake, module, serving_token
from tests.system.pkcs11_servers import server
from tests.system.probe_servers import free_port


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    with serving_token() as token:
        yield token


def gnutls_serv(token: Token, port: int, certificate: str, key: str, *more: str) -> list[str]:
    pair = ["--x509certfile", certificate, "--x509keyfile", key]
    return ["gnutls-serv", "--provider", module(), "--port", str(port), "--http", *pair, *more]


@pytest.mark.parametrize("name", KINDS)
def test_gnutls_serv_signs_with_a_key_of_the_token(token: Token, name: str) -> None:
    port, before = free_port(), token.counted(name)
    command = gnutls_serv(token, port, str(token.leaves[name].chain), token.uri(name))
    with server(token, command, [port]):
        for version in VERSIONS:
            assert "HTTP/1.0 200 OK" in handshake(port, token.authority, version)
    assert token.counted(name) >= before + len(VERSIONS)


def gnutls_cli(token: Token, port: int, name: str, version: str) -> str:
    """What it says; a client certificate and its key are in the token."""
    command = ["gnutls-cli", "--provider", module(), "--port", str(port), "--x509cafile", TRUSTED]
    command += ["--x509certfile", token.uri(name, "cert"), "--x509keyfile", token.uri(name)]
    return token.run(*command, "--priority", f"NORMAL:-VERS-ALL:+VERS-{version}", "localhost")


@pytest.mark.parametrize("version", ["TLS1.2", "TLS1.3"])
@pytest.mark.parametrize("name", ["rsa", "p256"])
def test_gnutls_cli_shows_a_client_certificate_of_the_token(token: Token, name: str, version: str) -> None:
    """And the server has both its certificate and its key there."""
    port = free_port()
    trusts = ("--x509cafile", TRUSTED, "--require-client-cert", "--verify-client-cert")
    command = gnutls_serv(token, port, token.uri("p384", "cert"), token.uri("p384"), *trusts)
    before = token.counted(name)
    with server(token, command, [port]):
        said = gnutls_cli(token, port, name, version)
    assert "Handshake was completed" in said
    assert f"({version}-" in said
    assert token.counted(name) == before + 1
