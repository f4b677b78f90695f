"""A TCP port as a device's port: one client after another hears what is sent meanwhile."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable

from kit.core.errors import NotPermitted, Unavailable, UsageError
from kit.core.waiting import AWAKE_MS
from kit.eeg.sending.outputs import await_writable

LOOPBACK = "127.0.0.1"
_HEARD = 65536


class Server:
    """Says its URL once it listens. The first client switches the device on; later it waits for nobody."""

    def __init__(self, address: str, patient: bool, announce: Callable[[str, int], None]) -> None:
        self._host, self._port = read_address(address)
        self._patient = patient
        self._announce = announce
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None
        self._switched_on = False

    def plug(self) -> None:
        """Raises Unavailable or NotPermitted where it cannot listen."""
        self._listener = _listen(self._host, self._port)
        self._port = self._listener.getsockname()[1]
        if not self._switched_on:
            self._announce(self._host, self._port)
            self._await_client()
            self._switched_on = True

    def unplug(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None
        self._let_go()

    def wait(self) -> None:
        if self._patient:
            self._await_client()
            if self._client:
                await_writable(self._client.fileno())

    def write(self, data: bytes) -> int:
        self._accept()
        if not self._client:
            return 0
        try:
            with contextlib.suppress(BlockingIOError):
                self._client.recv(_HEARD)  # no OpenEEG board listens; unread, it would spoil the end
            return self._client.send(data) if data else 0
        except BlockingIOError:
            return 0
        except OSError:
            self._let_go()
            return 0

    def drain(self) -> None:
        """What was sent arrives also after the close, provided that nothing is unread on this side."""
        self.write(b"")

    def _await_client(self) -> None:
        poll = select.poll()
        if self._listener and not self._client:
            poll.register(self._listener, select.POLLIN)
        while self._listener and not self._client:
            poll.poll(AWAKE_MS)
            self._accept()

    def _accept(self) -> None:
        if self._client or not self._listener:
            return
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # nobody yet, or gone again
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client

    def _let_go(self) -> None:
        if self._client:
            self._client.close()
            self._client = None


def read_address(text: str) -> tuple[str, int]:
    """`PORT`, `HOST:PORT` or `[HOST]:PORT`; raises UsageError."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"{text!r} is not a port, nor HOST:PORT")
    return host.removeprefix("[").removesuffix("]") or LOOPBACK, int(port)


def url(host: str, port: int) -> str:
    """What `kit eeg read` takes."""
    return f"socket://[{host}]:{port}" if ":" in host else f"socket://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Unavailable(f"no address {host!r}: {(error.strerror or 'failed').lower()}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1)
    except OSError as error:
        listener.close()
        kind_of = NotPermitted if isinstance(error, PermissionError) else Unavailable
        why = (error.strerror or "failed").lower()
        raise kind_of(f"cannot listen on {host!r} port {port}: {why}") from None
    listener.setblocking(False)
    return listener
