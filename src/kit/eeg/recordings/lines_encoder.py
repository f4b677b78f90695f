"""The text formats and raw bytes as recordings: what their writers render, batch by batch. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kit.eeg.batch import Mark
from kit.eeg.dating import Dating
from kit.eeg.formats import make_writer
from kit.eeg.recordings.pieces import Begin, Output, Piece, Unit
from kit.eeg.recordings.settings import Settings
from kit.eeg.records import Ended, Item, Run
from kit.eeg.signals import Block, Signal


class LinesEncoder:
    """Items in; files of whole lines, or of raw bytes, out. Notes have no place in them."""

    def __init__(self, form: str, settings: Settings) -> None:
        self.unit: Unit = "byte" if form == "raw" else "line"
        self.dropped = 0
        self._form = form
        self._settings = settings
        self._begin()
        self._split_us = None if settings.split_s is None else int(settings.split_s * 1_000_000)
        self._part_us: int | None = None
        self._begun = False

    def _begin(self) -> None:
        settings = self._settings
        self._writer = make_writer(
            self._form,
            dating=Dating(settings.start_us, settings.rate_hz),
            scale=settings.scale,
        )

    def take(self, items: Sequence[Item], signals: Sequence[Signal], marks: Sequence[Mark]) -> list[Output]:
        """The lines of these."""
        out: list[Output] = []
        packets = sum(len(item.stretch) for item in items if isinstance(item, Run) and not item.repeated)
        if self._is_over(signals):
            out += [Piece(self._writer.tail())]
            self._begin()
            self._begun = False
        if not self._begun and items and not isinstance(items[0], Ended):
            out.append(Begin(self._writer.head()))
            self._begun = True
        if self._begun:
            out.append(Piece(self._writer.render(items), None, packets))
        return [each for each in out if isinstance(each, Begin) or each.data]

    def finish(self) -> list[Output]:
        """What stands at the end."""
        tail = self._writer.tail()
        return [Piece(tail)] if tail and self._begun else []

    def _is_over(self, signals: Sequence[Signal]) -> bool:
        """Is it time for another part?"""
        first = next((one.times_us[0] for one in signals if isinstance(one, Block) and not one.late), None)
        if first is None:
            return False
        if self._part_us is None:
            self._part_us = first
        over = self._split_us is not None and first - self._part_us >= self._split_us
        if over:
            self._part_us = first
        return over


class TimesEncoder:
    """When the packets of a raw file came: a line each, by the place of its first byte."""

    unit: Unit = "line"

    def __init__(self) -> None:
        self.dropped = 0
        self._begun = False

    def take(self, items: Sequence[Item], signals: Sequence[Signal], marks: Sequence[Mark]) -> list[Output]:
        """The lines of these."""
        lines = [line for item in items if isinstance(item, Run) and item.times for line in _times(item)]
        if not lines:
            return []
        out: list[Output] = [] if self._begun else [Begin(b"offset,time_us,monotonic_us\n")]
        self._begun = True
        return [*out, Piece("".join(lines).encode())]

    def finish(self) -> list[Output]:
        """Nothing."""
        return []


def _times(run: Run) -> list[str]:
    times = run.times
    if times is None or not times.wall_us:
        return []
    size, begin = run.stretch.layout.size, run.stretch.offset
    monotonic: Sequence[int | str] = times.monotonic_us or [""] * len(times.wall_us)
    return [
        f"{begin + size * place},{wall_us},{monotonic_us}\n"
        for place, (wall_us, monotonic_us) in enumerate(zip(times.wall_us, monotonic, strict=True))
    ]
