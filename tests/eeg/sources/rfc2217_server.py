"""A server that hands a serial port out by RFC 2217, made of pyserial's own server side."""

from __future__ import annotations

import select
import socket
import threading
from typing import Any

import serial
import serial.rfc2217


class _WithoutModem(serial.Serial):  # type: ignore[misc]
    """A pty has no modem lines, which the server side reports."""

    cts = dsr = ri = cd = dtr = rts = False


class Server:
    """Serves one client after the other until it is closed; `hang_up` ends the one that is there."""

    def __init__(self, path: str) -> None:
        self._serial = _WithoutModem(path, 9600, timeout=0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._hang_up = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def baud(self) -> int:
        """The speed that the client has asked for."""
        return int(self._serial.baudrate)

    def hang_up(self) -> None:
        """Pass on what is there, then close the connection."""
        self._hang_up.set()
        self._thread.join()

    def close(self) -> None:
        self.hang_up()
        self._listener.close()
        self._serial.close()

    def _serve(self) -> None:
        self._listener.settimeout(20)
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            sender = _Sender(connection)
            manager = serial.rfc2217.PortManager(self._serial, sender)
            while not self._hang_up.is_set():
                ready, _, _ = select.select([connection, self._serial], [], [], 0.02)
                self._pass_on(connection, sender, manager, ready)
            self._pass_on(connection, sender, manager, [self._serial])

    def _pass_on(self, connection: socket.socket, sender: _Sender, manager: Any, ready: list[Any]) -> None:
        if connection in ready:
            said = connection.recv(1024)
            if not said:
                self._hang_up.set()
            self._serial.write(b"".join(manager.filter(said)))
        if self._serial in ready:
            sender.write(b"".join(manager.escape(self._serial.read(self._serial.in_waiting or 1))))


class _Sender:
    """What pyserial's server side wants of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)
