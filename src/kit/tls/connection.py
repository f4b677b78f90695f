"""A TCP connection whose every step shares one deadline, and the resolver that keeps to it."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time

from kit.tls.target import Target

Address = tuple[int, str, int, int]  # family, address, port, IPv6 scope
_CHUNK = 65536


class Deadline:
    """The moment when a cell is given up."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._end_s = time.monotonic() + limit_s

    def left_s(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self._end_s - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Connection:
    """A connected socket; use as a context manager."""

    def __init__(self, sock: socket.socket, peer_address: str, deadline: Deadline) -> None:
        self._socket, self._deadline = sock, deadline
        self.peer_address = peer_address
        with contextlib.suppress(OSError):  # a peer may have reset the connection by now
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def own_address(self) -> str:
        return str(self._socket.getsockname()[0])

    def send(self, data: bytes) -> None:
        """Send all; a peer that has closed may have said why, so that error waits for `receive`."""
        self._socket.settimeout(self._deadline.left_s())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def receive(self) -> bytes:
        """What the peer sent, b"" when it closed; raises TimeoutError at the deadline."""
        self._socket.settimeout(self._deadline.left_s())
        return self._socket.recv(_CHUNK)


def connect(addresses: list[Address], deadline: Deadline) -> Connection:
    """Connect to the first address that answers; the time is shared so that one dead address costs a part."""
    error: OSError = OSError("no address")
    for position, (family, host, port, scope) in enumerate(addresses):
        try:
            limit_s = deadline.left_s() / (len(addresses) - position)
            return Connection(_connected(family, (host, port, 0, scope), limit_s), host, deadline)
        except OSError as failure:
            error = failure
    raise error


def _connected(family: int, address: tuple[str, int, int, int], limit_s: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(limit_s)
        sock.connect(address if family == socket.AF_INET6 else address[:2])
    except OSError:
        sock.close()
        raise
    return sock


def resolve(target: Target, deadline: Deadline) -> list[Address]:
    """The addresses of the target; getaddrinfo knows no deadline, so a thread waits for it."""
    answers: queue.SimpleQueue[list[Address] | OSError] = queue.SimpleQueue()
    threading.Thread(target=_resolve, args=(target, answers), daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left_s())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _resolve(target: Target, answers: queue.SimpleQueue[list[Address] | OSError]) -> None:
    # RFC 6761, section 6.3: no name server is asked for it; a minimal system has no /etc/hosts that knows it.
    asked = None if target.host.rstrip(".").lower() == "localhost" else target.host
    try:
        found = socket.getaddrinfo(asked, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        answers.put(error)
        return
    addresses: list[Address] = []
    for family, _, _, _, (host, port, *more) in found:
        addresses.append((family, str(host), int(port), int(more[1]) if more else 0))
    answers.put(addresses)
