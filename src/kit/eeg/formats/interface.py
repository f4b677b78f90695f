"""What a format is: items in and bytes out, or bytes in and what a capture takes out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kit.eeg.records import Gone, Item, Skipped, Stretch, Times


@dataclass(frozen=True, slots=True)
class Missed:
    """So many packets are missing here, as the format says itself, or the device began anew here."""

    count: int
    restarted: bool = False


# A stretch with its packets' times, or None where the format has none; or what stood between packets.
Reading = tuple[Stretch | Skipped | Gone | Missed, Times | None]


class Writer(Protocol):
    """Renders a capture, piece by piece; the pieces in a row are the file."""

    def head(self) -> bytes:
        """What stands before the first item."""

    def render(self, items: Iterable[Item]) -> bytes:
        """The items' lines, complete ones only."""

    def tail(self) -> bytes:
        """What stands behind the last item."""


class Reader(Protocol):
    """Takes a file at any chunking; ProtocolError names the line that is no part of the format.

    What stands before a broken line is handed out first: the error comes at the next call. A last line that
    is cut is skipped: nobody knows what its last number was.
    """

    def feed(self, data: bytes) -> Sequence[Reading]:
        """What `data` completes."""

    def finish(self) -> Sequence[Reading]:
        """The file ended: what is still held."""
