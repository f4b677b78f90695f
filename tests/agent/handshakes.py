"""Transcripts of real TLS 1.2 handshakes with a client certificate: stdlib ssl over memory BIOs."""

from __future__ import annotations

import re
import ssl
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.agent.samples import LEAF, certificate, private_key

_HANDSHAKE, _CERTIFICATE_VERIFY, _HELLO_REQUEST = 22, 15, 0


class Recorder:
    """Collects one side's handshake messages; hand `note` to a context's _msg_callback."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def note(self, _tls: Any, _way: str, _version: Any, kind: int, _message: Any, data: bytes) -> None:
        if kind == _HANDSHAKE and data[0] != _HELLO_REQUEST:
            self.messages.append(data)

    def split(self) -> tuple[bytes, bytes]:
        """What the CertificateVerify signs, and that message's body."""
        at = next(i for i, message in enumerate(self.messages) if message[0] == _CERTIFICATE_VERIFY)
        return b"".join(self.messages[:at]), self.messages[at][4:]


@cache
def credentials(kind: str) -> x509.Certificate:
    return certificate(kind, LEAF)


def write_pem(folder: Path, kind: str) -> str:
    """The path of a file with the kind's certificate and key."""
    path = folder / f"{kind}.pem"
    key = private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(credentials(kind).public_bytes(Encoding.PEM) + key)
    return str(path)


def context(side: ssl._SSLMethod, folder: Path, kind: str, trusted: str, ciphers: str) -> ssl.SSLContext:
    """TLS 1.2 only, with a certificate of its own and one that it trusts."""
    made = ssl.SSLContext(side)
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(write_pem(folder, kind))
    made.load_verify_locations(cadata=credentials(trusted).public_bytes(Encoding.PEM).decode())
    made.set_ciphers(ciphers)
    return made


def _step(tls: ssl.SSLObject) -> bool:
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def converse(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """One whole handshake."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    pair = (
        client.wrap_bio(down, up, server_hostname="mail.example"),
        server.wrap_bio(up, down, server_side=True),
    )
    for _ in range(10):
        done = [_step(side) for side in pair]
        if all(done):
            return
    raise AssertionError("the handshake does not end")


@cache
def handshake(client: str, server: str = "p-256", ciphers: str = "ECDHE", tickets: bool = True) -> Recorder:
    """The messages of a handshake, as the client saw them."""
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as folder:
        ours = context(ssl.PROTOCOL_TLS_CLIENT, Path(folder), client, server, ciphers)
        theirs = context(ssl.PROTOCOL_TLS_SERVER, Path(folder), server, client, ciphers)
    for side in () if tickets else (ours, theirs):
        side.options |= ssl.OP_NO_TICKET
    ours._msg_callback = recorder.note  # type: ignore[attr-defined]
    converse(ours, theirs)
    return recorder


def transcript(client: str) -> bytes:
    """What this key signs as a TLS 1.2 client."""
    return handshake(client).split()[0]


_PRINTED = re.compile(r"^(?:<<<|>>>) .*, Handshake \[.*\n((?:    (?:[0-9a-f]{2} ?)+\n)+)", re.MULTILINE)


def openssl_says(output: str) -> Recorder:
    """The messages that `openssl s_server -msg` or `s_client -msg` printed."""
    recorder = Recorder()
    for dump in _PRINTED.findall(output):
        recorder.note(None, "", None, _HANDSHAKE, None, bytes.fromhex(dump))
    return recorder


def run(*command: str, stdin: str = "", timeout_s: float = 20) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
    )
