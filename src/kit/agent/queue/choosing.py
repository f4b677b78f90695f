"""Which keys a user means to seal and open queue files with. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kit.agent.errors import UnknownKey
from kit.agent.queue.format import QUEUE
from kit.agent.records import KeyRecord
from kit.agent.selection import select
from kit.core.errors import UsageError


def to_seal(records: Sequence[KeyRecord], name: str | None, who: Collection[str]) -> KeyRecord:
    """The key of this name, or the only one; `who` is the user as `KeyRecord.peers` names him."""
    if name is not None:
        return select(records, name)
    usable = _usable(records, who)
    if len(usable) > 1:
        names = ", ".join(repr(record.key_name) for record in usable[:8])
        raise UsageError(f"{len(usable)} keys could seal it", hint=f"say by --key which of {names}")
    return usable[0]


def to_open(records: Sequence[KeyRecord], names: Sequence[str], who: Collection[str]) -> list[KeyRecord]:
    """The keys of these names, or all that the user may use."""
    return [select(records, name) for name in names] or _usable(records, who)


def _usable(records: Sequence[KeyRecord], who: Collection[str]) -> list[KeyRecord]:
    usable = [r for r in records if QUEUE in r.purposes and not set(r.peers).isdisjoint(who)]
    if not usable:
        raise UnknownKey(
            "the agent holds no key for queue files that you may use",
            hint="'kit agent add NAME=FILE --allow queue' adds one",
        )
    return usable
