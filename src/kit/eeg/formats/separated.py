"""CSV and TSV: a header by names, a line a packet, every field a number or empty.

What was lost or skipped stands in the line of the next packet (`lost_before`, `skipped_before`), and shows in
its `sequence`. With units of microvolts the channels are `ch1_uv` and so on. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from kit.eeg.dating import Dating
from kit.eeg.formats.columns import CHANNELS, Shape, texts, times_of
from kit.eeg.records import Item, Lost, Run, Skipped
from kit.eeg.scale import Scale

TIMES = ("time_us", "monotonic_us", "sampled_us")
_NOTHING = "0"


def names(units_uv: bool) -> tuple[str, ...]:
    """The columns, in the order in which they are written."""
    suffix = "_uv" if units_uv else ""
    channels = [f"ch{number}{suffix}" for number in range(1, CHANNELS + 1)]
    return (
        *TIMES,
        *("sequence", "version", "counter"),
        *channels,
        *("buttons", "auxiliary", "lost_before", "skipped_before"),
    )


class SeparatedWriter:
    """Writes lines with one separator; `scale` is None where channels are counts."""

    def __init__(self, separator: str, dating: Dating, scale: Scale | None) -> None:
        self._separator = separator
        self._dating = dating
        self._header = separator.join(names(scale is not None)) + "\n"
        self._shape = Shape(texts(scale), separator, separator, separator, separator, blank="")
        self._lost = self._skipped = 0

    def head(self) -> bytes:
        """The header."""
        return self._header.encode()

    def render(self, items: Iterable[Item]) -> bytes:
        """The lines of the packets among the items."""
        lines: list[str] = []
        for item in items:
            if isinstance(item, Run):
                lines += self._lines(item)
            elif isinstance(item, Lost):
                self._lost += item.count
            elif isinstance(item, Skipped):
                self._skipped += item.count
        return "".join(lines).encode()

    def tail(self) -> bytes:
        """Nothing."""
        return b""

    def _lines(self, run: Run) -> list[str]:
        s, version, first = self._separator, run.stretch.layout.version, run.sequence
        times = times_of(run, self._dating)
        cells = self._shape.cells(run.stretch)
        unknown = [""] * len(cells)
        sampled = times.sampled_us or unknown
        monotonic = times.monotonic_us or unknown
        columns = zip(times.wall_us, monotonic, sampled, range(first, first + len(cells)), cells, strict=True)
        ending = f"{s}{_NOTHING}{s}{_NOTHING}\n"
        lines = [f"{w}{s}{m}{s}{d}{s}{n}{s}{version}{s}{cell}{ending}" for w, m, d, n, cell in columns]
        if self._lost or self._skipped:
            lines[0] = f"{lines[0].removesuffix(ending)}{s}{self._lost}{s}{self._skipped}\n"
            self._lost = self._skipped = 0
        return lines
