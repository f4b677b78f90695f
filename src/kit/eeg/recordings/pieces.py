"""What an encoder gives: the begin of a file, and pieces that each leave it whole. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from kit.eeg.batch import Mark
from kit.eeg.records import Item
from kit.eeg.signals import Signal

# What of a piece may stay that the disk took only in part: nothing, its whole lines, or all of it.
Unit = Literal["piece", "line", "byte"]


@dataclass(frozen=True, slots=True)
class Begin:
    """A file begins with `head`: the first one, or the next part."""

    head: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """More of the file: `data` at its end, then `patch` at its place. So many `packets` are in it."""

    data: bytes
    patch: tuple[int, bytes] | None = None
    packets: int = 0


Output = Begin | Piece


class Encoder(Protocol):
    """Items and the signals in them in; files out, piece by piece."""

    unit: Unit
    dropped: int

    def take(self, items: Sequence[Item], signals: Sequence[Signal], marks: Sequence[Mark]) -> list[Output]:
        """What these complete."""

    def finish(self) -> list[Output]:
        """The capture ended: what is held."""
