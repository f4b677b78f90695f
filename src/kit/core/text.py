"""Text that came from a peer, made fit to be shown."""

from __future__ import annotations


def printable(text: str, limit: int = 200) -> str:
    """A peer's text, safe for a terminal: control and direction characters as escapes, length bounded."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
