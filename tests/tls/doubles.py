"""Servers on loopback that do one thing wrong, or right: stdlib `ssl`, and TLS 1.2 and 1.3 by hand."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding

from tests.tls.authority import Leaf

Handler = Callable[[socket.socket], None]
HANDSHAKE_FAILURE, INTERNAL_ERROR = 40, 80
HANDSHAKE_RECORD, ALERT_RECORD, DATA_RECORD = 22, 21, 23


@contextmanager
def serving(handler: Handler, host: str = "127.0.0.1") -> Iterator[int]:
    """A port of this machine where each connection gets the handler in a thread of its own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family, backlog=64)
    stopped = threading.Event()

    def run(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, IndexError):
            connection.settimeout(20)
            handler(connection)

    def accept() -> None:
        while not stopped.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=run, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        stopped.set()
        # close() alone does not wake the accept()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def tls(
    *leaves: Leaf, change: Callable[[ssl.SSLContext], None] | None = None, greeting: bytes = b""
) -> Handler:
    """A stdlib server with these certificates; `greeting` stands for a dialogue before TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if change:
        change(context)
    for leaf in leaves:
        context.load_cert_chain(leaf.chain, leaf.key)

    def handle(connection: socket.socket) -> None:
        if greeting:
            connection.sendall(greeting)
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)

    return handle


def smtp(then: Handler, *, greeting: bytes = b"220 test ESMTP\r\n", answer: bytes = b"220 go\r\n") -> Handler:
    """An SMTP server that answers STARTTLS with `answer` and then does what `then` does."""

    def handle(connection: socket.socket) -> None:
        connection.sendall(greeting)
        lines = connection.makefile("rb", buffering=0)
        for line in lines:
            if line.upper().startswith(b"EHLO"):
                connection.sendall(b"250-test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n")
            elif line.upper().startswith(b"STARTTLS"):
                connection.sendall(answer)
                break
        then(connection)

    return handle


def reset(connection: socket.socket) -> None:
    """Answer with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def after_hello(then: Handler) -> Handler:
    """Read the ClientHello, then do what `then` does."""

    def handle(connection: socket.socket) -> None:
        read_hello(connection)
        then(connection)

    return handle


def alert(code: int) -> Handler:
    return lambda connection: connection.sendall(record(ALERT_RECORD, bytes((2, code))))


# ---- TLS by hand


def vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def record(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + b"\x03\x03" + vector(2, content)


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(3, body)


def read_hello(connection: socket.socket) -> bytes:
    """The ClientHello message, header included."""
    head = _exactly(connection, 5)
    return _exactly(connection, int.from_bytes(head[3:5], "big"))


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise OSError("the client has closed")
        data += more
    return data


def chain_of(leaf: Leaf) -> list[bytes]:
    return [leaf.certificate.public_bytes(Encoding.DER)]


def tls_1_2(leaf: Leaf, suite: int, then: Handler, *, key_exchange: bytes = b"") -> Handler:
    """Shows the certificate over TLS 1.2 to a client that offers the suite, and goes on with `then`."""

    def handle(connection: socket.socket) -> None:
        hello = read_hello(connection)
        if suite not in _suites(hello):
            alert(HANDSHAKE_FAILURE)(connection)
            return
        choice = b"\x03\x03" + os.urandom(32) + b"\x00" + suite.to_bytes(2, "big") + b"\x00"
        certificates = vector(3, b"".join(vector(3, der) for der in chain_of(leaf)))
        flight = message(2, choice + vector(2, b"\xff\x01\x00\x01\x00")) + message(11, certificates)
        if key_exchange:
            flight += message(12, key_exchange) + message(14, b"")
        connection.sendall(record(HANDSHAKE_RECORD, flight))
        then(connection)

    return handle


def tls_1_3(leaf: Leaf, then: Callable[[Sealed], None]) -> Handler:
    """Shows the certificate over TLS 1.3 (x25519, AES-128-GCM) and goes on with `then` under its keys."""

    def handle(connection: socket.socket) -> None:
        hello = read_hello(connection)
        share = hello.find(b"\x00\x1d\x00\x20")  # x25519, 32 bytes
        if share < 0 or 0x1301 not in _suites(hello):
            alert(HANDSHAKE_FAILURE)(connection)
            return
        private = X25519PrivateKey.generate()
        secret = private.exchange(X25519PublicKey.from_public_bytes(hello[share + 4 : share + 36]))
        session = hello[39 : 39 + hello[38]]
        extensions = (
            b"\x00\x2b\x00\x02\x03\x04"
            + b"\x00\x33"
            + vector(2, b"\x00\x1d" + vector(2, private.public_key().public_bytes_raw()))
        )
        choice = b"\x03\x03" + os.urandom(32) + vector(1, session) + b"\x13\x01\x00" + vector(2, extensions)
        answer = message(2, choice)
        connection.sendall(record(HANDSHAKE_RECORD, answer))
        sealed = Sealed(connection, secret, hello + answer)
        entries = b"".join(vector(3, der) + b"\x00\x00" for der in chain_of(leaf))
        sealed.send(HANDSHAKE_RECORD, message(8, b"\x00\x00") + message(11, b"\x00" + vector(3, entries)))
        then(sealed)

    return handle


class Sealed:
    """The server's side of TLS 1.3's handshake encryption (RFC 8446, sections 5.2 and 7.1)."""

    def __init__(self, connection: socket.socket, secret: bytes, transcript: bytes) -> None:
        self.connection = connection
        empty = _sha256(b"")
        derived = _expand(_extract(bytes(32), bytes(32)), b"derived", empty, 32)
        traffic = _expand(_extract(derived, secret), b"s hs traffic", _sha256(transcript), 32)
        self._aead = AESGCM(_expand(traffic, b"key", b"", 16))
        self._iv = int.from_bytes(_expand(traffic, b"iv", b"", 12), "big")
        self._sent = 0

    def send(self, kind: int, content: bytes) -> None:
        inner = content + bytes([kind])
        head = bytes([DATA_RECORD]) + b"\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        nonce = (self._iv ^ self._sent).to_bytes(12, "big")
        self._sent += 1
        self.connection.sendall(head + self._aead.encrypt(nonce, inner, head))

    def alert(self, code: int) -> None:
        self.send(ALERT_RECORD, bytes((2, code)))


def _suites(hello: bytes) -> set[int]:
    suites = hello[39 + hello[38] :]
    count = int.from_bytes(suites[:2], "big")
    return {int.from_bytes(suites[at : at + 2], "big") for at in range(2, 2 + count, 2)}


def _sha256(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


def _extract(salt: bytes, secret: bytes) -> bytes:
    extractor = hmac.HMAC(salt, hashes.SHA256())
    extractor.update(secret)
    return extractor.finalize()


def _expand(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    info = length.to_bytes(2, "big") + vector(1, b"tls13 " + label) + vector(1, context)
    return HKDFExpand(hashes.SHA256(), length, info).derive(secret)
