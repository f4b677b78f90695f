"""What an agent's process holds: the keys and the book of them, whether it is locked, and what time it is.

The zygote and every worker have one, and the same changes are made to each (`channels.messages`), so that
all of them hold the same keys.
"""

from __future__ import annotations

from collections.abc import Callable

from kit.agent import keeper as keepers
from kit.agent.channels.messages import Change, Drop, Hold, Shut
from kit.agent.keeper import Candidate, Keeper, NoSuchKey
from kit.agent.keystore import Entry, KeyStore
from kit.agent.peers import Allowed, Peer

_MICRO = 1_000_000
_UNKNOWN = "the agent does not hold this key"


class NotNamed(NoSuchKey):
    """The key is here, and does not name this peer, who must not learn that it is; the log may."""

    def __init__(self, key: str) -> None:
        super().__init__(_UNKNOWN)
        self.key = key


class Holding:
    """Keys by their id, with what is known of them."""

    def __init__(self, store: KeyStore, keeper: Keeper, clock: Callable[[], float]) -> None:
        self.store, self.keeper, self.clock = store, keeper, clock
        self.locked = False
        self.generation = 0  # another one after each change

    def apply(self, change: Change) -> None:
        """Make a change that the zygote decided."""
        if isinstance(change, Hold):
            self.hold(change, keepers.candidate(change.purposes, change.key_name, change.der))
        elif isinstance(change, Drop):
            self.drop(change.key_id)
        elif isinstance(change, Shut):
            self.locked = change.closed
            self.generation += 1
            if self.locked:
                self.keeper.interrupt()

    def hold(self, change: Hold, candidate: Candidate) -> Entry:
        entry = entry_of(change, candidate)
        self.store.put(entry)
        self.keeper.hold(candidate)
        self.generation += 1
        return entry

    def drop(self, key_id: bytes) -> None:
        self.keeper.forget(key_id)
        self.store.drop(key_id)
        self.generation += 1

    def by_id(self, key_id: bytes, peer: Peer) -> Entry:
        """The key, if it names this peer."""
        return _named(self.store.by_id(key_id, self.clock()), peer)

    def by_blob(self, ssh_blob: bytes, peer: Peer) -> Entry:
        return _named(self.store.by_blob(ssh_blob, self.clock()), peer)

    def known(self, key_id: bytes) -> Entry:
        """The key, whomever it names."""
        return _known(self.store.by_id(key_id, self.clock()))

    def known_blob(self, ssh_blob: bytes) -> Entry:
        return _known(self.store.by_blob(ssh_blob, self.clock()))

    def alive(self) -> list[Entry]:
        now_s = self.clock()
        return [entry for entry in self.store if entry.alive(now_s)]

    def expire(self) -> list[Entry]:
        """Forget the keys whose time has come; those."""
        if not self.store.next_expiry_s:
            return []
        expired = self.store.expired(self.clock())
        for entry in expired:
            self.drop(entry.public.key_id)
        return expired

    def until_expiry_s(self) -> float | None:
        """How long until `expire` has something to do; None for never."""
        next_s = self.store.next_expiry_s
        return max(0.0, next_s - self.clock()) if next_s else None


def entry_of(change: Hold, candidate: Candidate) -> Entry:
    """What the change says of the key."""
    return Entry(
        change.key_name,
        candidate.public,
        change.purposes,
        Allowed(change.uids, change.gids),
        change.added_us / _MICRO,
        change.expires_us / _MICRO,
        change.slot,
        change.limited,
        change.confirm,
        change.certificate,
    )


def microseconds(seconds: float) -> int:
    """A time as `Hold` carries it."""
    return int(seconds * _MICRO)


def _known(entry: Entry | None) -> Entry:
    if entry is None:
        raise NoSuchKey(_UNKNOWN)
    return entry


def _named(entry: Entry | None, peer: Peer) -> Entry:
    if entry is None:
        raise NoSuchKey(_UNKNOWN)
    if not entry.peers.admits(peer):
        raise NotNamed(entry.name)
    return entry
