"""An agent that answers wrongly, on a real socket: what stands behind a path need not be kit's agent."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.agent import extension, wire
from kit.agent.encoding import Reader, string
from kit.agent.extension import Sign, Signature, Status
from kit.agent.schemes import SCHEMES, Scheme
from kit.core.framing import FrameReader, frame
from tests.system.provider_scene import generate

if TYPE_CHECKING:
    from tests.system.provider_scene import PrivateKey

_HASHES = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "": hashes.SHA256(),
}


def sign(key: PrivateKey, scheme: Scheme, content: bytes, pss: bool | None = None) -> bytes:
    """What an honest agent does; `pss` overrules the scheme."""
    digest = _HASHES[scheme.hash_name]
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key.sign(content)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(content, ec.ECDSA(digest))
    if scheme.pss if pss is None else pss:
        return key.sign(content, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    return key.sign(content, padding.PKCS1v15(), digest)


class Rogue:
    """What the wrong answers are made of: the question, the key, and chance."""

    def __init__(self, key: PrivateKey, request: Sign, chance: random.Random) -> None:
        self.key, self.request, self.chance = key, request, chance
        self.scheme = SCHEMES[request.scheme]

    def right(self) -> bytes:
        return sign(self.key, self.scheme, self.request.content)

    def of_other_content(self) -> bytes:
        *content, last = self.request.content
        return sign(self.key, self.scheme, bytes([*content, last ^ 1]))

    def of_other_key(self) -> bytes:
        kind = {
            rsa.RSAPrivateKey: "rsa-2048",
            ec.EllipticCurvePrivateKey: "p-256",
            Ed25519PrivateKey: "ed25519",
        }
        other = next((name for base, name in kind.items() if isinstance(self.key, base)), "ml-dsa-65")
        return sign(generate(other), self.scheme, self.request.content)

    def with_other_padding(self) -> bytes:
        if not isinstance(self.key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            return self.key.sign(bytes(64) + self.request.content)
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(self.request.content, ec.ECDSA(hashes.SHA224()))
        return sign(self.key, self.scheme, self.request.content, pss=not self.scheme.pss)

    def flipped(self) -> bytes:
        signature = bytearray(self.right())
        signature[self.chance.randrange(len(signature))] ^= 1 << self.chance.randrange(8)
        return bytes(signature)


def _signature(signature: bytes) -> bytes:
    return _answer(extension.encode_answer(Signature(signature)))


def _answer(parts: list[bytes | bytearray | memoryview], name: str = Sign.name) -> bytes:
    return bytes(frame(wire.extension_response(name, b"".join(parts))))


def _failure(status: int) -> bytes:
    return _answer([bytes([status]), string("no"), string("tls-server")])


Behaviour = Callable[[Rogue], bytes]
HONEST: Behaviour = lambda r: _signature(r.right())  # noqa: E731
# Each gives all bytes of the answer, after which the rogue hangs up.
WRONG_SIGNATURES: dict[str, Behaviour] = {
    "a flipped bit": lambda r: _signature(r.flipped()),
    "of other content": lambda r: _signature(r.of_other_content()),
    "of another key": lambda r: _signature(r.of_other_key()),
    "in another way": lambda r: _signature(r.with_other_padding()),
    "empty": lambda r: _signature(b""),
    "one byte": lambda r: _signature(b"\0"),
    "zeros": lambda r: _signature(bytes(len(r.right()))),
    "shortened": lambda r: _signature(r.right()[:-1]),
    "lengthened": lambda r: _signature(r.right() + b"\0"),
    "DER of zeros": lambda r: _signature(bytes.fromhex("3006020100020100")),
    "a hundred kilobytes": lambda r: _signature(r.chance.randbytes(100_000)),
}
WRONG_MESSAGES: dict[str, Behaviour] = {
    **{f"status {status.name}": lambda r, s=status: _failure(s) for status in Status if status},
    "status 99": lambda r: _failure(99),
    "a failure that is not UTF-8": lambda r: _answer([b"\1", string(b"\xff\xfe"), string(b"")]),
    "a failure that ends early": lambda r: _answer([b"\1\0\0"]),
    "plain failure": lambda r: bytes(frame(wire.failure())),
    "extension failure": lambda r: bytes(frame(wire.extension_failure())),
    "plain success": lambda r: bytes(frame(wire.success())),
    "an unknown type": lambda r: bytes(frame(b"\xc8" + r.right())),
    "another extension": lambda r: _answer(extension.encode_answer(Signature(r.right())), "stop@kit"),
    "bytes after the end": lambda r: _answer([*extension.encode_answer(Signature(r.right())), b"\0"]),
    "nothing in the frame": lambda r: bytes(4),
    "a frame without end": lambda r: b"\xff\xff\xff\xff" + bytes(4096),
    "too long a frame": lambda r: (wire.MESSAGE_LIMIT + 1).to_bytes(4, "big") + bytes(4096),
    "not a byte": lambda r: b"",
    "one byte": lambda r: b"\0",
    "half an answer": lambda r: HONEST(r)[:-20],
    "all but one byte": lambda r: HONEST(r)[:-1],
    "noise": lambda r: r.chance.randbytes(r.chance.randrange(1, 400)),
    "noise in a frame": lambda r: bytes(frame(r.chance.randbytes(r.chance.randrange(1, 400)))),
    "noise in an answer": lambda r: _answer([r.chance.randbytes(r.chance.randrange(1, 400))]),
}


class RogueAgent:
    """Answers every sign request with `behaviour`; to be used as a context manager."""

    def __init__(self, socket_path: str, key: PrivateKey, seed: int = 0) -> None:
        self.behaviour: Behaviour = HONEST
        self.hangs_up = False
        self.silent = False
        self.repeats = self.repeats_late = self.is_behind = False
        self._key, self._chance = key, random.Random(seed)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(socket_path)
        self._listener.listen(16)
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> RogueAgent:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._converse, args=(client,), daemon=True).start()

    def _converse(self, client: socket.socket) -> None:
        before = b""
        with suppress(OSError), client:
            for request in _requests(client):
                if self.silent:
                    continue
                answer = self.behaviour(Rogue(self._key, request, self._chance))
                client.sendall(before if self.is_behind and before else answer)
                before = answer
                if self.repeats:
                    time.sleep(0.01 if self.repeats_late else 0)
                    client.sendall(answer)
                if self.hangs_up:
                    return


def _requests(client: socket.socket) -> Iterator[Sign]:
    reader = FrameReader(wire.MESSAGE_LIMIT)
    while data := client.recv(65536):
        for message in reader.feed(data):
            body = Reader(message)
            assert body.byte() == wire.EXTENSION
            request = extension.parse_request(body.text(), body)
            assert isinstance(request, Sign)
            yield request
