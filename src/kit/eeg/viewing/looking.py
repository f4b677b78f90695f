"""Which samples are in the picture, and where. Pure.

A sweep writes from left to right over what it wrote before, as a patient monitor does; a scroll has the
newest sample at its right edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from kit.eeg.viewing.frame import Part, Tick
from kit.eeg.viewing.history import History

_TICKS_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60)
_TICKS = 7
_BLANK = 50  # a sweep keeps this part of the picture free in front of it


class Looking:
    """At the newest samples, or back."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.paused_at: int | None = None
        self.back = False  # moved since the pause

    @property
    def end(self) -> int:
        """Behind the last sample in the picture."""
        if self.paused_at is None:
            return self._history.end
        return max(self.paused_at, min(self._history.start + 1, self._history.end))

    def pause(self) -> None:
        """Hold the picture, or let it go on."""
        self.paused_at = self._history.end if self.paused_at is None else None
        self.back = False

    def move(self, samples: int, window: int) -> None:
        """Look back (less than 0) or forward, as far as there is something."""
        oldest = min(self._history.start + window, self._history.end)
        self.paused_at = max(oldest, min(self.end + samples, self._history.end))
        self.back = True


def parts(end: int, window: int, oldest: int, sweep: bool) -> tuple[Part, ...]:
    """What is in the picture."""
    if not sweep:
        first = max(oldest, end - window)
        return (Part(window - (end - first), first, end),)
    turn = end - end % window
    first = max(oldest, end - window + blank(window))
    found = [Part(max(turn, oldest) - turn, max(turn, oldest), end), Part(first % window, first, turn)]
    return tuple(part for part in found if part.first < part.end)


def blank(window: int) -> int:
    """How many samples are free in front of a sweep."""
    return max(1, window // _BLANK)


def ticks(end: int, window: int, rate_hz: float, sweep: bool) -> tuple[Tick, ...]:
    """The axis: round times since the begin of the capture."""
    every_s = next((s for s in _TICKS_S if window / rate_hz / s <= _TICKS), _TICKS_S[-1])
    if not sweep:
        spans = [(end - window, end, end - window)]
    else:
        turn, free = end - end % window, end + blank(window)
        old = free - window >= 0  # else the first sweep shows what will be
        spans = [(turn, free, turn), (free - window, turn, turn - window)]
        spans = spans if old else [(turn, turn + window, turn)]
    return tuple(tick for span in spans for tick in _ticks(*span, every_s, rate_hz) if tick.x < window)


def _ticks(first: int, end: int, left: int, every_s: float, rate_hz: float) -> Iterator[Tick]:
    number = max(0, int(first / rate_hz / every_s))
    while (position := round(number * every_s * rate_hz)) < end:
        if position >= first:
            yield Tick(position - left, clock(number * every_s, every_s))
        number += 1


@lru_cache(maxsize=1024)
def clock(seconds: float, exactly_s: float = 1) -> str:
    """Minutes and seconds, hours if there are any, as many decimals as tell ticks apart."""
    decimals = 2 if exactly_s < 0.1 else 1 if exactly_s < 1 else 0
    whole = round(seconds, decimals)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(int(minutes), 60)
    width = decimals + 3 if decimals else 2
    text = f"{minutes}:{rest:0{width}.{decimals}f}"
    return f"{hours}:{minutes:02}:{rest:0{width}.{decimals}f}" if hours else text
