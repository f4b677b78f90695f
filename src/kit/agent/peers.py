"""Who asks: a client's identity as the kernel gives it, and who may ask. Pure.

What the kernel says is frozen when the client connects: the ids of the process that connected, whoever holds
the descriptor now. A program's path is not among it, since any program of the same user can look like it.
"""

from __future__ import annotations

from kit.core.frozen import frozen


@frozen
class Peer:
    """A connected client; `name` is what the process calls itself (15 bytes that prove nothing)."""

    uid: int
    gid: int
    groups: frozenset[int] = frozenset()
    pid: int = 0
    name: str = ""


@frozen
class Allowed:
    """Users and groups, by their numbers."""

    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()

    def admits(self, peer: Peer) -> bool:
        return (
            peer.uid in self.uids
            or peer.gid in self.gids
            or (bool(peer.groups) and not self.gids.isdisjoint(peer.groups))
        )

    def __or__(self, other: Allowed) -> Allowed:
        return Allowed(self.uids | other.uids, self.gids | other.gids)


NOBODY = Allowed()


def spelled(allowed: Allowed) -> tuple[str, ...]:
    """As a configuration names them: "uid:0", "gid:8"."""
    uids, gids = sorted(allowed.uids), sorted(allowed.gids)
    return (*(f"uid:{uid}" for uid in uids), *(f"gid:{gid}" for gid in gids))
