"""Agents asked over bare sockets: frames made beforehand, so that the client costs next to nothing."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable

from kit.agent import extension, wire
from kit.agent.encoding import string, uint32
from kit.core.framing import frame

VERIFY_CONTENT = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(range(48))
SSH_CONTENT = b"SSHSIG" + b"".join(map(string, ("file", "", "sha512", os.urandom(64))))


def tls_request(key_id: bytes, scheme: int) -> bytes:
    """sign@kit for a TLS 1.3 server."""
    request = extension.Sign(key_id, scheme, "tls-server", VERIFY_CONTENT)
    return bytes(frame(wire.extension_request(request.name), *extension.encode(request)))


def ssh_request(key_blob: bytes) -> bytes:
    """SSH_AGENTC_SIGN_REQUEST, which every agent knows."""
    return bytes(frame(bytes([wire.SIGN_REQUEST]), string(key_blob), string(SSH_CONTENT), uint32(0)))


class Connections:
    """Some connections to one agent, each with one question open."""

    def __init__(self, path: str, request: bytes, count: int) -> None:
        self._request = request
        self._selector = selectors.DefaultSelector()
        for _ in range(count):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(path)
            self._selector.register(connection, selectors.EVENT_READ)

    def per_second(self, seconds: float) -> float:
        """Signatures a second, for so long."""
        begin = time.perf_counter()
        end = begin + seconds
        done = self._ask_while(lambda _: time.perf_counter() < end)
        return done / (time.perf_counter() - begin)

    def count(self, wanted: int) -> None:
        """So many signatures."""
        self._ask_while(lambda asked: asked < wanted)

    def _ask_while(self, more: Callable[[int], bool]) -> int:
        asked = done = 0
        for key in list(self._selector.get_map().values()):
            self._send(key)
            asked += 1
        while done < asked:
            for key, _ in self._selector.select():
                assert isinstance(key.fileobj, socket.socket)
                _check(key.fileobj.recv(65536))
                done += 1
                if more(asked):
                    self._send(key)
                    asked += 1
        return done

    def _send(self, key: selectors.SelectorKey) -> None:
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.sendall(self._request)

    def one_by_one(self, seconds: float) -> float:
        """The same on one connection, without a selector in the way."""
        (key,) = self._selector.get_map().values()
        connection = key.fileobj
        assert isinstance(connection, socket.socket)
        begin, done = time.perf_counter(), 0
        end = begin + seconds
        while time.perf_counter() < end:
            connection.sendall(self._request)
            _check(connection.recv(65536))
            done += 1
        return done / (time.perf_counter() - begin)

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()


def _check(answer: bytes) -> None:
    """A whole frame with a signature in it; a refusal is quick and would be a good figure."""
    if len(answer) < 70 or len(answer) != 4 + int.from_bytes(answer[:4], "big"):
        raise SystemExit(f"no signature: {answer[:80]!r}")
