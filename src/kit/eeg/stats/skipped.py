"""The bytes that belong to no packet: how many, in how many runs, and what they look like. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kit.eeg.records import Skipped

_SAMPLE = 24


@dataclass(frozen=True, slots=True)
class Look:
    """Runs of skipped bytes of one kind; `sample` is the begin of the first, at byte `offset`."""

    why: str
    runs: int
    count: int
    offset: int
    sample: bytes


class SkippedBytes:
    """Collects skipped bytes; a long run comes in pieces and is judged by its first."""

    def __init__(self, why: Callable[[bytes], str]) -> None:
        self._why = why
        self._looks: dict[str, list[int]] = {}
        self._first: dict[str, tuple[int, bytes]] = {}
        self._end: int | None = None
        self._current = ""
        self.bytes = 0
        self.runs = 0

    def add(self, skipped: Skipped) -> None:
        """A run, or one more piece of it."""
        self.bytes += skipped.count
        if skipped.offset != self._end or not self._current:
            self.runs += 1
            self._begin(skipped)
        self._end = skipped.offset + skipped.count
        self._looks[self._current][1] += skipped.count

    def looks(self) -> tuple[Look, ...]:
        """The kinds, most bytes first."""
        found = [Look(why, runs, count, *self._first[why]) for why, (runs, count) in self._looks.items()]
        return tuple(sorted(found, key=lambda look: -look.count))

    def _begin(self, skipped: Skipped) -> None:
        self._current = self._why(skipped.data) if skipped.data else "not kept by the format"
        self._looks.setdefault(self._current, [0, 0])[0] += 1
        self._first.setdefault(self._current, (skipped.offset, skipped.data[:_SAMPLE]))
