"""The zygote's configured keys: loaded from the files that the supervisor opened, and loaded again.

A key whose file is broken stays as it was, with its old rules, and the report says why: a mistake in a file
must not take a key from a running server.
"""

from __future__ import annotations

import hashlib

from kit.agent import keeper as keepers
from kit.agent.channels.messages import Kept, Load
from kit.agent.extension import Reloaded
from kit.agent.keystore import Entry
from kit.agent.loader import key_from
from kit.agent.peers import Allowed
from kit.agent.processes.authority import Authority, Wish
from kit.agent.rate import Bucket
from kit.core.errors import KitError, UsageError


class Configured:
    """Which keys come from the configuration, and how often each may sign."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._itself = authority.itself
        self._keys: dict[str, tuple[bytes, Load]] = {}  # by name: key_id, and the rules that it came with
        self._named: list[Reloaded] = []
        self._buckets: dict[bytes, Bucket] = {}

    def take(self, key_id: bytes, now_s: float) -> bool:
        """May the key sign once more?"""
        bucket = self._buckets.get(key_id)
        return bucket is None or bucket.take(now_s)

    def load(self, rule: Load, descriptor: int | None, now_s: float) -> None:
        """Hold the key as the rule says; what became of it is told by `keep`."""
        try:
            if descriptor is None:
                raise UsageError(rule.error)
            with key_from(descriptor, rule.key_name, rule.purposes) as der:
                result = self._take_in(rule, der, now_s)
            self._named.append(Reloaded(rule.key_name, result, ""))
        except KitError as error:
            old = ", and the key stays as it was" if rule.key_name in self._keys else ""
            self._named.append(Reloaded(rule.key_name, "failed", f"{error}{old}"))

    def keep(self) -> Kept:
        """Forget what the configuration does not name any more; what became of each key."""
        named = {row.key_name for row in self._named}
        removed = [name for name in self._keys if name not in named]
        for name in removed:
            self._forget(name)
        rows, self._named = self._named, []
        return Kept((*rows, *(Reloaded(name, "removed", "") for name in removed)))

    def _take_in(self, rule: Load, der: memoryview, now_s: float) -> str:
        candidate = keepers.candidate(rule.purposes, rule.key_name, der)
        key_id = candidate.public.key_id
        if rule.spki and key_id != hashlib.sha256(rule.spki).digest():
            raise UsageError("its certificate is another key's")
        twin = self._named_already(key_id)
        if twin:
            raise UsageError(f"it is the key of {twin!r}, too")
        entry = self._entry(rule.key_name)
        same = self._authority.holding.keeper.holds(candidate)
        if entry and entry.public.key_id == key_id and same and self._keys[rule.key_name][1] == rule:
            return "kept"
        wish = Wish(
            rule.key_name,
            rule.purposes,
            Allowed(rule.uids, rule.gids),
            rule.lifetime_s,
            name_is_unique=entry is None,
            limited=bool(rule.rate_mhz),
            confirm=rule.confirm,
            certificate=rule.certificate,
        )
        self._authority.hold(wish, der, self._itself, "add")
        if entry and entry.public.key_id != key_id:
            self._forget(rule.key_name)
        self._keys[rule.key_name] = (key_id, rule)
        self._limit(key_id, rule, now_s)
        return "loaded"

    def _limit(self, key_id: bytes, rule: Load, now_s: float) -> None:
        self._buckets.pop(key_id, None)
        if rule.rate_mhz:
            self._buckets[key_id] = Bucket(rule.rate_mhz / 1000, rule.burst, now_s)

    def _forget(self, name: str) -> None:
        entry = self._entry(name)
        key_id, _ = self._keys.pop(name)
        if entry:
            self._buckets.pop(key_id, None)
            self._authority.drop(entry, self._itself)

    def _named_already(self, key_id: bytes) -> str | None:
        """What else the configuration calls this key."""
        loaded = (row.key_name for row in self._named if row.result != "failed")
        return next((name for name in loaded if self._keys[name][0] == key_id), None)

    def _entry(self, name: str) -> Entry | None:
        """The configured key of this name, if it is still held, by that name: it may have been removed, or
        expired, or the configuration may call it otherwise by now.
        """
        holding = self._authority.holding
        if name not in self._keys:
            return None
        entry = holding.store.by_id(self._keys[name][0], holding.clock())
        return entry if entry and entry.name == name else None
