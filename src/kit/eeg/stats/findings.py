"""A thing that a report shows, and what was counted to say so. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`kind` is for programs, `text` says what it points to, `evidence` what was counted."""

    kind: str
    text: str
    evidence: str


def number(count: int, what: str) -> str:
    """Some of a thing, in English."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def ordinal(value: int) -> str:
    """A place in a row, in English."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{value}{'th' if value % 100 in (11, 12, 13) else endings.get(value % 10, 'th')}"
