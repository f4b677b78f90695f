"""Which of the agent's keys a user means: by its name, its fingerprint, or the beginning of its key id."""

from __future__ import annotations

from collections.abc import Sequence

from kit.agent.errors import UnknownKey
from kit.agent.extension import KeyRecord
from kit.core.errors import UsageError
from kit.core.text import printable

# Shorter ones are more likely a mistyped name than a key id.
_PREFIX_MIN = 4
_NAMES_SHOWN = 8


def select(records: Sequence[KeyRecord], wanted: str) -> KeyRecord:
    """The one key that is meant; a whole name goes before the beginning of a key id."""
    found = [r for r in records if wanted and wanted in (r.key_name, r.fingerprint)]
    if not found and len(wanted) >= _PREFIX_MIN:
        found = [r for r in records if r.key_id.hex().startswith(wanted.lower())]
    if not found:
        raise UnknownKey(f"the agent holds no key {wanted!r}", hint=_held(records))
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} keys are meant by {wanted!r}",
            hint="give the fingerprint that 'kit agent list' shows",
        )
    return found[0]


def with_public_half(record: KeyRecord) -> KeyRecord:
    """The record, if the key has one; else UsageError."""
    if not record.spki:
        raise UsageError(
            f"the key {record.key_name!r} has no public half: it is for queue files",
            hint="see 'kit agent seal' and 'kit agent open'",
        )
    return record


def _held(records: Sequence[KeyRecord]) -> str:
    names = [printable(record.key_name, limit=40) for record in records]
    if not names:
        return "it holds none; see 'kit agent add' and 'kit agent generate'"
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"it holds {', '.join(names[:_NAMES_SHOWN])}{more}"
