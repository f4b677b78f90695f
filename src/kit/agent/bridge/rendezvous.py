"""Where a bridge is met: by programs at a path, and beside it by the next agent, which takes it over.

The bridge has both sockets and their locks for as long as it lives, and so has every agent that has it: what
is locked is not dead. What a bridge and an agent that takes it over say first is a text that every version
knows, since they need not be of the same one.
"""

from __future__ import annotations

import array
import contextlib
import select
import socket
from dataclasses import dataclass

from kit import __version__
from kit.agent.channels.channel import Channel
from kit.agent.config.values import FOR_AGENTS
from kit.agent.listener import Listener, Place
from kit.core.errors import NotPermitted, Unavailable

_GREETING = f"kit bridge {__version__}".encode()
SERVE, RETIRE = b"serve", b"retire"
_GREETING_LIMIT, _ANSWER_S = 256, 3.0


@dataclass(frozen=True)
class Rendezvous:
    """Both places; `close` removes them."""

    programs: Listener
    agents: Listener

    @property
    def path(self) -> str:
        return self.programs.path

    @property
    def descriptors(self) -> tuple[int, int, int, int]:
        """The programs' socket and its lock, the agents' socket and its lock."""
        return (*self.programs.descriptors, *self.agents.descriptors)

    def close(self) -> None:
        self.programs.close()
        self.agents.close()

    def leave(self) -> None:
        """Let go of them, which stay the bridge's."""
        self.programs.leave()
        self.agents.leave()


def make(place: Place) -> Rendezvous:
    """Raises what `Listener` raises."""
    programs = Listener(place.path, place.mode, place.group)
    try:
        shared = place.mode & 0o077 != 0
        agents = Listener(place.path + FOR_AGENTS, shared=shared, kind=socket.SOCK_SEQPACKET)
    except BaseException:
        programs.close()
        raise
    return Rendezvous(programs, agents)


def greet(agent: socket.socket, descriptors: tuple[int, ...]) -> None:
    """A bridge's first words to an agent, with what it listens on."""
    rights = array.array("i", descriptors)
    agent.sendmsg([_GREETING], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def take_over(place: Place) -> tuple[Rendezvous, Channel] | None:
    """The bridge that an agent before this one left at that place; None where there is none of this version.

    Raises Unavailable where it is another agent's that runs.
    """
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connected.connect(place.path + FOR_AGENTS)
    except (FileNotFoundError, ConnectionRefusedError):
        connected.close()
        return None
    except OSError as error:
        connected.close()
        raise NotPermitted(
            f"cannot take over the bridge at {place.path!r}: {(error.strerror or 'failed').lower()}"
        ) from None
    greeting, descriptors = _greeting(connected, place.path)
    if greeting == _GREETING and len(descriptors) == 4:
        connected.send(SERVE)
        programs = Listener.taken(place.path, descriptors[:2])
        programs.open_to(place.mode, place.group)
        agents = Listener.taken(place.path + FOR_AGENTS, descriptors[2:])
        return Rendezvous(programs, agents), Channel(connected)
    for descriptor in descriptors:
        socket.close(descriptor)
    _retire(connected)
    return None


def _greeting(connected: socket.socket, path: str) -> tuple[bytes, list[int]]:
    connected.settimeout(_ANSWER_S)
    try:
        greeting, descriptors, _, _ = socket.recv_fds(connected, _GREETING_LIMIT, 8)
    except OSError:
        greeting, descriptors = b"", []
    if not greeting:
        connected.close()
        raise Unavailable(
            f"the bridge at {path!r} belongs to another agent",
            hint="stop that one, or choose another --pkcs11",
        )
    return greeting, list(descriptors)


def _retire(connected: socket.socket) -> None:
    """One of another version: it keeps its clients, and gives up its place, which its end of this tells."""
    with connected, contextlib.suppress(OSError):
        connected.send(RETIRE)
        select.select([connected], [], [], _ANSWER_S)
