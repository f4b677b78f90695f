"""The columns of a run: when its packets came, and their values as text, made for many packets at once.

Making text is what takes the time of every text format, so it is done here, once, in the form that plain
Python does fastest: one list of strings, each from one f-string, with ready texts for what has few values.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from kit.eeg.dating import Dating
from kit.eeg.records import Run, Stretch, Times
from kit.eeg.scale import Scale

CHANNELS = 6
COUNTS = 1024
# How far a value in microvolts may lie from a count, in counts: a rounded text, not another scale.
_TOLERANCE = 0.05

_P2_ROW = Struct(">3xB6HB")


def times_of(run: Run, dating: Dating) -> Times:
    """The run's times; where nobody knows when the packets came, their counter's time stands in all places.

    So a reader can tell: a time that equals the sampled one and has no monotonic one beside it is made up.
    """
    if run.times is None:
        walls_us = dating.walls_us(run.sequence, len(run.stretch))
        return Times(walls_us, (), walls_us)
    if not run.times.wall_us:
        return Times(run.times.sampled_us, (), run.times.sampled_us)
    return run.times


@lru_cache(maxsize=8)
def texts(scale: Scale | None) -> tuple[str, ...]:
    """The text of each count, or of the microvolts that it stands for."""
    if scale is None:
        return tuple(map(str, range(COUNTS)))
    # Nine digits: exact for every scale in use, and far below a count for any other. No "-0".
    return tuple(f"{scale.microvolts(count) + 0.0:.9g}" for count in range(COUNTS))


def count_of(microvolts: float, scale: Scale) -> int:
    """The count that stands for a voltage; ValueError for one that no count stands for."""
    exact = microvolts / scale.uv_per_count + scale.zero
    if not -1 < exact < COUNTS or abs(exact - round(exact)) > _TOLERANCE or not 0 <= round(exact) < COUNTS:
        raise ValueError(
            f"{microvolts:g} µV is no count from 0 to {COUNTS - 1} at {scale.uv_per_count:g} µV a count"
        )
    return round(exact)


@dataclass(frozen=True)
class Shape:
    """How a packet's values stand in a line: counter, channels, buttons and auxiliary data.

    `values` has the text of each count; `opening` stands before the first channel, `between` two of them,
    `closing` behind the last one, `after` behind the buttons, `unknown` for buttons that are not known.
    `blank` stands for each channel that the device lacks; None where they are left out.
    """

    values: tuple[str, ...]
    opening: str
    between: str
    closing: str
    after: str
    unknown: str = ""
    blank: str | None = None

    def cells(self, stretch: Stretch) -> list[str]:
        """The text of each packet."""
        if stretch.layout.protocol == "p2":
            return self._p2_cells(stretch.data)
        blanks = [] if self.blank is None else [self.blank] * (CHANNELS - stretch.layout.channels)
        text, between = self.values.__getitem__, self.between
        return [
            f"{packet.counter}{self.opening}{between.join([*map(text, packet.channels), *blanks])}"
            f"{self.closing}"
            f"{self.unknown if packet.buttons is None else packet.buttons}{self.after}{packet.auxiliary}"
            for packet in stretch.packets()
        ]

    def _p2_cells(self, data: bytes) -> list[str]:
        v, o, s = self.values, self.opening, self.between
        ends = _p2_ends(self.closing, self.after)
        return [
            f"{counter}{o}{v[a]}{s}{v[b]}{s}{v[c]}{s}{v[d]}{s}{v[e]}{s}{v[f]}{ends[switches]}"
            for counter, a, b, c, d, e, f, switches in _P2_ROW.iter_unpack(data)
        ]


@lru_cache(maxsize=8)
def _p2_ends(closing: str, after: str) -> tuple[str, ...]:
    return tuple(f"{closing}{switches & 15}{after}{switches >> 4}" for switches in range(256))
