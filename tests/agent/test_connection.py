"""What a connection leaves behind of what came over it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kit.agent.connection import Connection
from kit.agent.peers import Peer
from kit.agent.uses import Client
from kit.core.errors import ProtocolError
from kit.core.framing import frame

SECRET = b"a private key"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Connection]]:
    peer, ours = socket.socketpair()
    ours.setblocking(False)
    connection = Connection(ours, 1, 4096, Client(Peer(0, 0), 0, admin=True))
    yield peer, connection
    connection.close()
    peer.close()


def test_a_message_leaves_nothing_in_the_buffer(pair: tuple[socket.socket, Connection]) -> None:
    (peer, connection), buffer = pair, bytearray(65536)
    peer.sendall(frame(SECRET) + frame(SECRET, SECRET))
    assert connection.receive(memoryview(buffer)) == SECRET
    assert connection.receive(memoryview(buffer)) == SECRET * 2
    assert not any(buffer)


def test_what_breaks_the_protocol_leaves_nothing_either(pair: tuple[socket.socket, Connection]) -> None:
    (peer, connection), buffer = pair, bytearray(65536)
    peer.sendall(b"\xff" * 4 + SECRET)
    with pytest.raises(ProtocolError):
        connection.receive(memoryview(buffer))
    assert not any(buffer)
