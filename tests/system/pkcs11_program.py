"""A program that uses the token by p11-kit's protocol, with one connection to a real bridge."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from itertools import count
from types import TracebackType

from tests.agent.pkcs11.client import Client, mechanism

CLASS, SIGN, PRIVATE_KEY = 0x0, 0x108, 3
LABEL = 0x3
ECDSA_SHA256 = 0x1044
DEVICE_ERROR, HANDLE_INVALID = 0x30, 0x60
VERSION = 2


class Program(Client):
    """Initialised, with a session."""

    def __init__(self, path: str, timeout_s: float = 20.0, version: int = VERSION) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)
        self.socket.connect(path)
        self.codes = count(0x10)
        self.socket.sendall(bytes([version]))
        self.version = self._receive(1)[0]
        self.initialize()
        self.session = self.open()

    def exchange(self, sent: Sequence[bytes]) -> bytes:
        for piece in sent:
            self.socket.sendall(piece)
        head = self._receive(12)
        return head + self._receive(sum(int.from_bytes(head[at : at + 4], "big") for at in (4, 8)))

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def key(self, name: str) -> int:
        """The handle of the private key of this name."""
        (found,) = self.find(self.session, {CLASS: PRIVATE_KEY, LABEL: name.encode()})
        return found

    def keys(self) -> list[str]:
        """What the private keys are called."""
        handles = self.find(self.session, {CLASS: PRIVATE_KEY}, 64)
        labels = [self.value(self.session, handle, LABEL) for handle in handles]
        return sorted(label.decode() for label in labels if isinstance(label, bytes))

    def signature(self, handle: int, content: bytes) -> bytes:
        """With ECDSA and SHA-256, of the whole content."""
        self.sign_init(self.session, mechanism(ECDSA_SHA256), handle)
        made = self.sign(self.session, content)
        assert isinstance(made, bytes)
        return made

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
