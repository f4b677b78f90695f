"""What a recipe says: what to do, what is missing for it, and how far it has been tried."""

from __future__ import annotations

from kit.core.frozen import frozen


@frozen
class Step:
    """One thing to do: `text` is what the file at `path` holds, or else commands for root's shell."""

    what: str
    text: str
    path: str = ""


@frozen
class Missing:
    """Something that is not there, and what brings it."""

    what: str
    cure: str


@frozen
class Recipe:
    """`tested` names the programs and systems that it was tried with; if none, only documentation says so."""

    name: str
    way: str
    tested: str
    missing: tuple[Missing, ...]
    steps: tuple[Step, ...]
    remarks: tuple[str, ...] = ()
