"""Clients that make full handshakes, one after the other, as a load for a server and as a measure of it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from itertools import cycle

from kit.core.frozen import frozen
from kit.core.text import printable

_TIMEOUT_S = 10


@frozen
class Client:
    """How one kind of client connects; a context never resumes a session by itself."""

    host: str
    port: int
    context: ssl.SSLContext
    server_name: str = "localhost"

    def handshake(self) -> float:
        """Connect, shake hands, part politely; the seconds until the handshake was done."""
        begin = time.perf_counter()
        with (
            socket.create_connection((self.host, self.port), timeout=_TIMEOUT_S) as bare,
            self.context.wrap_socket(bare, server_hostname=self.server_name) as tls,
        ):
            seconds = time.perf_counter() - begin
            # Closing with unread session tickets would reset the connection under the server's feet.
            tls.unwrap()
        return seconds

    def certificate(self) -> bytes:
        """The certificate that the server shows this client, in DER."""
        with (
            socket.create_connection((self.host, self.port), timeout=_TIMEOUT_S) as bare,
            self.context.wrap_socket(bare, server_hostname=self.server_name) as tls,
        ):
            return tls.getpeercert(binary_form=True) or b""


class Load:
    """Handshakes on `connections` threads from entering the `with` to leaving it, each client in turn."""

    def __init__(self, clients: Sequence[Client], connections: int = 1) -> None:
        self._clients = clients
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(at,), daemon=True) for at in range(connections)
        ]
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self.elapsed_s = 0.0

    def __enter__(self) -> Load:
        self.elapsed_s = -time.perf_counter()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(_TIMEOUT_S)
        self.elapsed_s += time.perf_counter()

    def wait(self, count: int, limit_s: float) -> None:
        """Until so many more handshakes are done, well or not, or the time is over."""
        end, wanted = time.monotonic() + limit_s, self._done() + count
        while self._done() < wanted and time.monotonic() < end:
            time.sleep(0.005)

    def _done(self) -> int:
        return len(self.seconds) + len(self.errors)

    def _run(self, first: int) -> None:
        clients = cycle(
            [*self._clients[first % len(self._clients) :], *self._clients[: first % len(self._clients)]]
        )
        while not self._ended.is_set():
            try:
                self.seconds.append(next(clients).handshake())
            except OSError as error:
                self.errors.append(printable(error.strerror or str(error)))
                self._ended.wait(0.01)  # a server that is gone is not asked ten thousand times
