"""The key agent: private keys in a process of their own, and what other processes need to use them.

As a library: `AgentClient` talks to an agent, `private_key` makes a key in it an object of `cryptography`,
`install` lets `ssl.SSLContext.load_cert_chain` take a `Handle` file, `start_agent` starts an agent.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit.agent.client import AgentClient as AgentClient
    from kit.agent.handle import Handle as Handle
    from kit.agent.keys import private_key as private_key
    from kit.agent.launch import start_agent as start_agent
    from kit.agent.provider import install as install

# Imported when they are asked for: the agent's own process must not load what only its clients need.
_WHERE = {
    "AgentClient": "kit.agent.client",
    "Handle": "kit.agent.handle",
    "install": "kit.agent.provider",
    "private_key": "kit.agent.keys",
    "start_agent": "kit.agent.launch",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
