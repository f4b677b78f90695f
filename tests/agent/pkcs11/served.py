"""Conversations on a socket, a thread each, for real clients of the codec alone; no agent is needed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from kit.agent.pkcs11.conversation import Ask, Conversation
from kit.core.errors import ProtocolError
from tests.agent.pkcs11.client import Agent


def _serve(peer: socket.socket, agent: Agent) -> None:
    conversation = Conversation()
    with peer, contextlib.suppress(OSError, ProtocolError):
        while data := peer.recv(min(65536, conversation.room)):
            conversation.feed(data)
            while (outcome := conversation.next()) is not None:
                while isinstance(outcome, Ask):
                    outcome = outcome.finish(agent(outcome.request))
                peer.sendall(outcome)


def _accept(listener: socket.socket, agent: Agent) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(peer, agent), daemon=True).start()


@contextlib.contextmanager
def served(path: Path, agent: Agent) -> Iterator[dict[str, str]]:
    """The environment by which programs find it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(16)
        accepting = threading.Thread(target=_accept, args=(listener, agent), daemon=True)
        accepting.start()
        try:
            yield {"P11_KIT_SERVER_ADDRESS": f"unix:path={path}"}
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
