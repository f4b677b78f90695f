"""The book of the keys that the agent holds, without their secrets: names, purposes, lifetimes, counters.

Times are given, in seconds of one clock; an entry whose time has come is not found any more, whether or not
it was swept out already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.agent.extension import KEYS_LIMIT
from kit.agent.peers import Allowed, spelled
from kit.agent.public import PublicKey
from kit.core.errors import KitError, UsageError

# The list of all keys is one message: with 256 of them, each may take a kibibyte of its 256. An entry has 85
# bytes of counters, lengths and a purpose's name; an RSA key of 8192 bits stands in it twice (1,062, 1,043),
# an ML-DSA key once (1,334, 1,974 or 2,614 bytes): of ML-DSA-87 keys some 90 have room.
LIST_LIMIT = 250 * 1024
_ROW_OVERHEAD = 85
NAME_LIMIT = 255


class StoreFull(KitError):
    """One more key would exceed what the agent holds or can list."""


class NameTaken(UsageError):
    """Another key has the name already; names tell keys apart for people."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A key's public side, and who may use it for what."""

    name: str
    public: PublicKey
    purposes: tuple[str, ...]
    peers: Allowed
    added_s: float
    expires_s: float = 0  # 0 is never
    slot: int = 0  # where its counters are
    limited: bool = False  # by a rate
    confirm: bool = False  # somebody is asked before each use
    certificate: bytes = b""  # its own, DER, where the configuration names one

    def alive(self, now_s: float) -> bool:
        return not self.expires_s or now_s < self.expires_s

    @property
    def listed_bytes(self) -> int:
        """What the entry takes in the list of all keys."""
        texts = (self.name, self.public.kind, ",".join(self.purposes), ",".join(spelled(self.peers)))
        return (
            _ROW_OVERHEAD
            + sum(len(t.encode()) for t in texts)
            + len(self.public.spki)
            + len(self.public.ssh_blob)
        )


class KeyStore:
    """Entries in the order of their arrival, found by key_id, SSH blob (where there is one) or name."""

    def __init__(self, keys_limit: int = KEYS_LIMIT) -> None:
        self._limit = keys_limit
        self._entries: dict[bytes, Entry] = {}
        self._ids: dict[bytes, bytes] = {}
        self.next_expiry_s: float = 0  # 0 is never

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    def put(self, entry: Entry) -> None:
        """Take the entry; the same key's older one is replaced, its counters live on."""
        key_id = entry.public.key_id
        old = self._entries.get(key_id)
        others = [e for e in self._entries.values() if e is not old]
        self._check_room(entry, others)
        self._entries[key_id] = entry
        if entry.public.ssh_blob:
            self._ids[entry.public.ssh_blob] = key_id
        self._find_next_expiry()

    def free_slot(self, key_id: bytes) -> int:
        """The slot of this key if it is here, else the first that no other key has."""
        if key_id in self._entries:
            return self._entries[key_id].slot
        taken = {entry.slot for entry in self._entries.values()}
        return next(slot for slot in range(len(taken) + 1) if slot not in taken)

    def check_room(self, entry: Entry) -> None:
        """Raise where the entry is one too many, or the list of all would not fit in a message."""
        self._check_room(entry, [e for e in self._entries.values() if e.public.key_id != entry.public.key_id])

    def check_name(self, name: str, key_id: bytes, now_s: float) -> None:
        """Raise where another key has this name."""
        for other in self._entries.values():
            if other.name == name and other.public.key_id != key_id and other.alive(now_s):
                raise NameTaken(f"another key is named {name!r}")

    def by_id(self, key_id: bytes, now_s: float) -> Entry | None:
        entry = self._entries.get(key_id)
        return entry if entry and entry.alive(now_s) else None

    def by_blob(self, ssh_blob: bytes, now_s: float) -> Entry | None:
        return self.by_id(self._ids.get(ssh_blob, b""), now_s)

    def by_name(self, name: str, now_s: float) -> Entry | None:
        return next((e for e in self._entries.values() if e.name == name and e.alive(now_s)), None)

    def drop(self, key_id: bytes) -> None:
        """Forget the entry, if it is there."""
        entry = self._entries.pop(key_id, None)
        if entry:
            self._ids.pop(entry.public.ssh_blob, None)
            self._find_next_expiry()

    def expired(self, now_s: float) -> list[Entry]:
        """Whose time has come."""
        return [entry for entry in self._entries.values() if not entry.alive(now_s)]

    def _find_next_expiry(self) -> None:
        self.next_expiry_s = min((e.expires_s for e in self._entries.values() if e.expires_s), default=0)

    def _check_room(self, entry: Entry, others: list[Entry]) -> None:
        if len(others) >= self._limit:
            raise StoreFull(f"the agent holds {len(others)} keys, and no more than {self._limit}")
        if sum(e.listed_bytes for e in others) + entry.listed_bytes > LIST_LIMIT:
            raise StoreFull("the agent's list of keys would not fit in one message any more")
