"""Who uses a key, for what, and what he is likely to ask again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kit.agent.audit.act import Act
from kit.agent.keystore import Entry
from kit.agent.peers import Peer

if TYPE_CHECKING:
    from kit.agent.queue.cipher import UnderWay


@dataclass(eq=False, slots=True)
class Client:
    """Whom an operation is for; `slot` is where the supervisor keeps account of the connection."""

    peer: Peer
    slot: int
    admin: bool
    repeats: list[Repeat] = field(default_factory=list)  # what it asked of late
    under_way: UnderWay | None = None  # the queue file that it is sending


class Use(NamedTuple):
    """A use of a key that its purposes permit; `run` is given the content."""

    client: Client
    entry: Entry
    event: str
    purpose: str
    scheme: str
    quick: bool
    run: Callable[[bytes], Any]
    generation: int

    def act(self, result: str, begun_ns: int) -> Act:
        """Its line in the audit log, if it ends now."""
        peer, entry, us = self.client.peer, self.entry, (time.perf_counter_ns() - begun_ns) // 1000
        now_ns, event, purpose = time.time_ns(), self.event, self.purpose
        return Act(now_ns, event, entry.name, purpose, self.scheme, peer.uid, peer.pid, peer.name, result, us)


class Repeat(NamedTuple):
    """A request that was permitted: what has to stand where, and how it is answered."""

    size: int
    start: bytes
    end: bytes
    content_at: int
    use: Use
    answer: Callable[[bytes], bytearray]

    def fits(self, message: bytearray) -> bool:
        return len(message) == self.size and message.startswith(self.start) and message.endswith(self.end)

    def content(self, message: bytearray) -> bytes:
        return bytes(message[self.content_at : self.size - len(self.end)])
