"""The report while it grows, and when it is due. Pure: it is given the time."""

from __future__ import annotations

from collections.abc import Sequence

from kit.eeg.scale import Scale
from kit.eeg.stats.report import Report
from kit.eeg.stats.words import channel_table, facts

# Four times a second is as quick as anybody reads.
INTERVAL_NS = 250_000_000


class Refresh:
    """Says when the next view is due; the first one only after a while, so that a short file shows none."""

    def __init__(self, begin_ns: int) -> None:
        self._next_ns = begin_ns + 2 * INTERVAL_NS

    def is_due(self, now_ns: int) -> bool:
        if now_ns < self._next_ns:
            return False
        self._next_ns = now_ns + INTERVAL_NS
        return True


def view(report: Report, scale: Scale) -> list[str]:
    """The report's figures, in lines; what they point to is said at the end."""
    lines = [f"{label:<8} {text}" for label, text in facts(report, bars=True)]
    head, rows = channel_table(report, scale)
    return [*lines, "", *_aligned([head, *rows])] if rows else lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
