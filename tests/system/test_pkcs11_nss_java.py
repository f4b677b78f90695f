"""NSS, the library of browsers, and Java's SunPKCS11, with keys in the token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers import needs, only_on_debian
from tests.system.pkcs11_scene import (
    STRICT,
    TRUSTED,
    VERSIONS,
    Rule,
    Token,
    handshake,
    module,
    serving_token,
    talk,
    trusting,
)
from tests.system.pkcs11_servers import server
from tests.system.probe_servers import free_port

pytestmark = only_on_debian(12, "what is large is installed on one of the two alone")


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    with serving_token() as token:
        yield token


@pytest.fixture(scope="module")
def database(token: Token) -> str:
    """NSS's, which knows the module and trusts the tests' authority."""
    needs("certutil", "modutil", "selfserv", "tstclnt")
    (token.directory / "nss").mkdir()
    database = "sql:nss"
    token.run("certutil", "-N", "-d", database, "--empty-password")
    token.run("modutil", "-dbdir", database, "-add", "kit", "-libfile", module(), "-force", stdin="\n")
    for number, pem in enumerate(
        (token.directory / TRUSTED).read_text().split("-----END CERTIFICATE-----\n")
    ):
        if pem:
            (token.directory / "one.pem").write_text(pem + "-----END CERTIFICATE-----\n")
            token.run("certutil", "-A", "-d", database, "-n", f"ca{number}", "-t", "CT,C,C", "-i", "one.pem")
    return database


@pytest.mark.parametrize("name", ["rsa", "p256"])
def test_selfserv_signs_with_a_key_of_the_token(token: Token, database: str, name: str) -> None:
    port, before = free_port(), token.counted(name)
    command = ["selfserv", "-d", database, "-n", f"kit agent:{name}", "-p", str(port), "-V", "tls1.2:tls1.3"]
    with server(token, command, [port]):
        for version in VERSIONS:
            assert "HTTP/1.0 200 OK" in handshake(port, token.authority, version)
    assert token.counted(name) >= before + len(VERSIONS)


@pytest.mark.parametrize("name", ["rsa", "p256"])
def test_tstclnt_shows_a_client_certificate_of_the_token(token: Token, database: str, name: str) -> None:
    port, leaf, before = free_port(), token.leaves["p384"], token.counted(name)
    asking = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(leaf.chain)]
    asking += ["-key", str(leaf.key), "-cert_chain", str(leaf.chain), "-CAfile", TRUSTED]
    # It ends with the handshake, which in TLS 1.2 is when the server has checked everything.
    words = ("tstclnt", "-4", "-Q", "-d", database, "-h", "localhost", "-p", str(port))
    with server(token, [*asking, "-Verify", "2", "-verify_return_error", "-www"], [port]):
        token.run(*words, "-V", "tls1.2:tls1.2", "-n", f"kit agent:{name}")
    assert token.counted(name) == before + 1


_JAVA = """
import java.io.*;
import java.net.*;
import java.security.*;
import javax.net.ssl.*;

public class Server {
  public static void main(String[] words) throws Exception {
    Provider provider = Security.getProvider("SunPKCS11").configure(words[0]);
    Security.addProvider(provider);
    KeyStore store = KeyStore.getInstance("PKCS11", provider);
    store.load(null, null);
    KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
    factory.init(store, null);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(factory.getKeyManagers(), null, null);
    ServerSocket listener = context.getServerSocketFactory()
        .createServerSocket(Integer.parseInt(words[1]), 5, InetAddress.getLoopbackAddress());
    while (true) {
      try (Socket client = listener.accept()) {
        new BufferedReader(new InputStreamReader(client.getInputStream())).readLine();
        client.getOutputStream().write("served by java".getBytes());
      } catch (IOException error) {
        System.err.println(error);
      }
    }
  }
}
"""


def test_java_signs_with_a_key_for_tls_servers_where_it_is_rsa() -> None:
    """It hashes for ECDSA, and not for RSA; it does no PSS by PKCS#11, so that TLS 1.3 has ECDSA alone."""
    needs("java")
    with serving_token([Rule("web-rsa", "rsa", STRICT), Rule("web-ec", "p256")]) as token:
        here, port = token.directory, free_port()
        (here / "Server.java").write_text(_JAVA)
        (here / "java.cfg").write_text(f"name = kit\nlibrary = {module()}\nslotListIndex = 0\n")
        with server(token, ["java", "-Xshare:auto", "Server.java", "java.cfg", str(port)], [port]):
            for suite, name in (
                ("ECDHE-RSA-AES128-GCM-SHA256", "web-rsa"),
                ("ECDHE-ECDSA-AES128-GCM-SHA256", "web-ec"),
            ):
                context = trusting(here / TRUSTED, VERSIONS[0])
                context.set_ciphers(suite)
                assert talk(port, context) == "served by java"
                assert token.counted(name) == 1
            assert talk(port, trusting(here / TRUSTED, VERSIONS[1])) == "served by java"
            assert token.counted("web-ec") == 2
