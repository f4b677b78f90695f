"""Real clients against a Python server whose keys are handles: each scheme forced, both protocols."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers import find
from tests.system.provider_fixtures import scene  # noqa: F401 -- a fixture
from tests.system.provider_process import Talk
from tests.system.provider_scene import HAS_ML_DSA, ML_DSA, Identity

PROTOCOLS = {"TLSv1.2": "tls1_2", "TLSv1.3": "tls1_3"}
_PSS = ("rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512")
_ECDSA = ("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512")
# TLS 1.2 binds an ECDSA scheme to its hash only, TLS 1.3 to its curve as well.
SCHEMES = {
    ("rsa-2048", "TLSv1.2"): (*_PSS, "rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512"),
    ("rsa-2048", "TLSv1.3"): _PSS,
    ("p-256", "TLSv1.2"): _ECDSA,
    ("p-256", "TLSv1.3"): _ECDSA[:1],
    ("p-384", "TLSv1.3"): _ECDSA[1:2],
    ("p-521", "TLSv1.3"): _ECDSA[2:],
    ("ed25519", "TLSv1.2"): ("ed25519",),
    ("ed25519", "TLSv1.3"): ("ed25519",),
    **({(kind, "TLSv1.3"): (kind.replace("-", ""),) for kind in ML_DSA} if HAS_ML_DSA else {}),
}
CASES = [(key, protocol, scheme) for (key, protocol), schemes in SCHEMES.items() for scheme in schemes]


@contextmanager
def serving(directory: Path, *keys: str) -> Iterator[tuple[Talk, int]]:
    """A server with these keys, ended by Ctrl-C."""
    with Talk("serve", directory, *keys) as talk:
        yield talk, talk.first["port"]
        talk.process.send_signal(signal.SIGINT)


def told_by(*command: str | Path | int) -> str:
    """What the client prints when it has sent a request; it must end well."""
    done = subprocess.run(
        [str(word) for word in command],
        input="GET / HTTP/1.0\r\n\r\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def s_client(port: int, identity: Identity, *options: str) -> str:
    trust = ("-CAfile", identity.certificate, "-verify_return_error", "-verify_hostname", "localhost")
    place = ("-connect", f"127.0.0.1:{port}", "-servername", "localhost")
    return told_by(find("openssl"), "s_client", *place, *trust, "-ign_eof", "-quiet", *options)


@pytest.mark.parametrize(("key", "protocol", "scheme"), CASES)
def test_openssl_gets_the_scheme_that_it_asks_for(
    scene: Path,  # noqa: F811
    key: str,
    protocol: str,
    scheme: str,
) -> None:
    with serving(scene, key) as (talk, port):
        told = s_client(port, Identity(scene, key), f"-{PROTOCOLS[protocol]}", "-sigalgs", scheme)
        assert "signed" in told
        assert talk.told() == {"scheme": scheme}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("key", ["rsa-2048", "p-256", "p-384", "p-521", "ed25519"])
def test_curl_gets_its_page(scene: Path, key: str, protocol: str) -> None:  # noqa: F811
    with serving(scene, key) as (_, port):
        url = f"https://localhost:{port}/"
        version = protocol.removeprefix("TLSv")
        options = ("--silent", "--show-error", f"--tlsv{version}", "--tls-max", version)
        trust = ("--cacert", Identity(scene, key).certificate, "--resolve", f"localhost:{port}:127.0.0.1")
        assert told_by(find("curl"), *options, *trust, url) == "signed"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("key", ["rsa-2048", "p-256", "p-384", "ed25519"])
def test_gnutls_gets_its_page(scene: Path, key: str, protocol: str) -> None:  # noqa: F811
    with serving(scene, key) as (_, port):
        names = ("--sni-hostname=localhost", "--verify-hostname=localhost")
        trust = f"--x509cafile={Identity(scene, key).certificate}"
        version = f"--priority=NORMAL:-VERS-ALL:+VERS-TLS{protocol.removeprefix('TLSv')}"
        told = told_by(find("gnutls-cli"), *names, trust, version, "--port", port, "127.0.0.1")
        assert "signed" in told
