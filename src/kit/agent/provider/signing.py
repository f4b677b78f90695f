"""A signature's walk: to the agent, back, and past a check. What does not verify never leaves.

The check costs one public operation, and with it nothing has to be believed: an agent that is broken, or
another program behind its socket, can make a handshake fail but not make this process send a wrong
signature, which for RSA could give the key away (Weimer, "Factoring RSA Keys With TLS Perfect Forward
Secrecy").
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.agent.client import AgentClient
from kit.agent.schemes import Scheme
from kit.core.errors import KitError, ProtocolError
from kit.core.frozen import frozen

if TYPE_CHECKING:  # importing it means reaching libcrypto, which is for install() to do
    from kit.agent.provider.key import Key


@frozen
class SignatureMade:
    """An operation that the agent was asked for; `error` says why there is no signature."""

    key_name: str
    scheme_name: str
    seconds: float
    error: str | None


Observer = Callable[[SignatureMade], None]


@dataclass
class _Settings:
    timeout_s: float = 5.0
    observer: Observer | None = None


settings = _Settings()
# Each is safe for threads and after fork by itself.
_clients: dict[tuple[str, float], AgentClient] = {}


def sign(key: Key, scheme: Scheme, content: bytes) -> bytes:
    """The agent's signature, verified; raises KitError."""
    begun = time.monotonic()
    try:
        client = _client(key.handle.socket_path)
        signature = client.sign(key.key_id, scheme.code, content)
        if not key.verifies(scheme, signature, content):
            client.close()
            raise ProtocolError("the agent's answer is not a signature of this key")
    except KitError as error:
        _tell(key, scheme, begun, str(error))
        raise
    _tell(key, scheme, begun, None)
    return signature


def _client(socket_path: str) -> AgentClient:
    path = socket_path or os.environ.get("KIT_AGENT_SOCK", "")
    place = (path, settings.timeout_s)
    return _clients.get(place) or _clients.setdefault(
        place, AgentClient(path or None, timeout_s=settings.timeout_s)
    )


def _tell(key: Key, scheme: Scheme, begun: float, error: str | None) -> None:
    if settings.observer is not None:
        seconds = time.monotonic() - begun
        settings.observer(SignatureMade(key.handle.key_name, scheme.name, seconds, error))
