"""What an agent's processes do all day, for the tests that see whether confined ones still can."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import mmap
import os
import selectors
import signal
import socket
import sys
import time
import traceback

# Loaded with the first signature otherwise, when no file can be read any more.
from cryptography.hazmat.backends.openssl import backend  # noqa: F401
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from kit.core.process import die_with_parent

ROUNDS = 100
_DIGEST = hashes.SHA256()
_CHANNEL = (socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Keys:
    """One of each kind."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.ed = ed25519.Ed25519PrivateKey.generate()

    def use(self, data: bytes) -> bytes:
        """Sign with each, and see that each signature is good; decrypt, too."""
        pss = padding.PSS(padding.MGF1(_DIGEST), 32)
        self.rsa.public_key().verify(self.rsa.sign(data, pss, _DIGEST), data, pss, _DIGEST)
        self.ec.public_key().verify(self.ec.sign(data, ec.ECDSA(_DIGEST)), data, ec.ECDSA(_DIGEST))
        self.ed.public_key().verify(self.ed.sign(data), data)
        oaep = padding.OAEP(padding.MGF1(_DIGEST), _DIGEST, None)
        return self.rsa.decrypt(self.rsa.public_key().encrypt(data[:32], oaep), oaep)


class Worker:
    """An event loop that is handed connections over a channel and serves them until SIGTERM."""

    def __init__(self, keys: Keys, channel: socket.socket) -> None:
        self._keys, self._channel = keys, channel
        self._selector = selectors.DefaultSelector()
        self._wake, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waking)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        channel.setblocking(False)
        self._selector.register(channel, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self.served = 0

    def run(self) -> str:
        """Serve; how many answers were given."""
        _grow()
        self._channel.send(str(os.getpid()).encode())
        while True:
            for key, _ in self._selector.select(30):
                if key.fileobj is self._channel:
                    self._accept()
                elif key.fileobj != self._wake:
                    self._answer(key.fileobj)
                elif signal.SIGTERM in os.read(self._wake, 64):
                    return str(self.served)

    def _accept(self) -> None:
        _, descriptors, _, _ = socket.recv_fds(self._channel, 64, 4)
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ)

    def _answer(self, connection: object) -> None:
        assert isinstance(connection, socket.socket)
        buffer = bytearray(64)
        if not (size := connection.recv_into(buffer)):
            self._selector.unregister(connection)
            connection.close()
            return
        assert self._keys.use(bytes(buffer)) == buffer[:32]
        _what_python_does()
        signal.raise_signal(signal.SIGUSR1)
        connection.sendall(buffer[:size])
        self.served += 1


def _grow() -> None:
    """Take more heap, mappings and stack than were there when memory was locked."""
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    sys.setrecursionlimit(20_000)
    with contextlib.suppress(RecursionError):
        repr(nested)
    assert len(bytearray(1 << 26)) == 1 << 26
    assert len([bytes(1000) for _ in range(10_000)]) == 10_000


def _what_python_does() -> None:
    """The things that reach for the system where one does not expect it."""
    assert len(os.urandom(32)) == 32
    assert time.strftime("%Y %Z") and time.localtime().tm_year > 2000
    assert len(hashlib.scrypt(b"x", salt=b"y", n=2**10, r=8, p=1)) == 64
    ring: list[object] = [bytearray(1 << 16) for _ in range(16)]
    ring.append(ring)
    del ring
    gc.collect()
    memory = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_DONTDUMP)
    memory.close()
    duplicate = os.dup(2)
    assert os.get_inheritable(duplicate) is False
    os.close(duplicate)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        assert "boom" in traceback.format_exc()


def feed(channel: socket.socket) -> None:
    """The supervisor's part: connections for the worker, questions on them, and SIGTERM at the end."""
    worker = int(channel.recv(64))
    clients = []
    for _ in range(4):
        ours, theirs = socket.socketpair()
        socket.send_fds(channel, [b"connection"], [theirs.fileno()])
        theirs.close()
        clients.append(ours)
    for number in range(ROUNDS):
        client = clients[number % len(clients)]
        question = os.urandom(64)
        client.sendall(question)
        assert client.recv(64, socket.MSG_WAITALL) == question
    os.kill(worker, signal.SIGTERM)


def channel() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(*_CHANNEL)


def keep_keys(inbox: socket.socket) -> str:
    """The zygote's day: a key from a passed descriptor, one from a child, workers that come and go."""
    _, (file,), _, _ = socket.recv_fds(inbox, 64, 4)
    memory = mmap.mmap(-1, os.fstat(file).st_size + 1)
    size = os.readv(file, [memory])
    assert os.preadv(file, [bytearray(16)], 0) == 16
    key = serialization.load_der_private_key(memory[:size], None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    key.sign(b"x", ec.ECDSA(_DIGEST))
    generated = serialization.load_der_private_key(_from_child(), None)
    assert isinstance(generated, rsa.RSAPrivateKey)
    for _ in range(10):
        _worker_that_is_killed()
    _grow()
    _what_python_does()
    return "all done"


def _from_child() -> bytes:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if not child:
        try:
            os.write(writing, der(rsa.generate_private_key(65537, 2048)))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    assert os.waitpid(child, 0) == (child, 0)
    return answer


def _worker_that_is_killed() -> None:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    zygote, child = os.getpid(), os.fork()
    if not child:
        try:
            die_with_parent(zygote)
            selectors.DefaultSelector().register(reading, selectors.EVENT_READ)
            os.write(writing, b".")
            signal.sigwait([signal.SIGUSR2])
        finally:
            os._exit(1)
    assert os.read(reading, 1) == b"."
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0) == (child, signal.SIGKILL)
    os.close(reading)
    os.close(writing)


def der(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
