"""Many lines at once: columns of text to P2 packets and their times, each cell as a writer writes it.

Each function raises KeyError or ValueError where one is otherwise; the reader then takes the lines one by
one, by its own rules. What is taken here is taken there too, with the same result. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from kit.eeg import p2
from kit.eeg.formats.columns import texts
from kit.eeg.formats.rows import known_times
from kit.eeg.records import Times
from kit.eeg.scale import Scale

_COUNTERS = {str(number): number for number in range(256)}
_NIBBLES = {str(number): number for number in range(16)}


@lru_cache(maxsize=4)
def counts(scale: Scale | None) -> Mapping[str, int]:
    """The count that each text stands for; microvolts if there is a scale."""
    return {text: count for count, text in enumerate(texts(scale))}


def p2_data(
    counters: Iterable[str],
    channels: Iterable[Iterable[str]],
    buttons: Iterable[str],
    auxiliary: Iterable[str],
    scale: Scale | None = None,
) -> bytes:
    """The packets' bytes."""
    values = counts(scale)
    columns = [list(map(values.__getitem__, column)) for column in channels]
    nibbles = _NIBBLES.__getitem__
    switches = [
        high << 4 | low for high, low in zip(map(nibbles, auxiliary), map(nibbles, buttons), strict=True)
    ]
    return p2.encode_columns(map(_COUNTERS.__getitem__, counters), columns, switches)


def times_of(
    wall: Sequence[str], monotonic: Sequence[str], sampled: Sequence[str], unknown: str
) -> Times | None:
    """The packets' times; a column where all say `unknown` is not known."""
    wall_us, monotonic_us, sampled_us = (
        [] if set(column) <= {unknown} else naturals(column) for column in (wall, monotonic, sampled)
    )
    if sampled_us and not monotonic_us:
        if wall_us != sampled_us:
            raise ValueError("times of more than one kind")
        wall_us = []
    return known_times(wall_us, monotonic_us, sampled_us)


def naturals(column: Sequence[str]) -> list[int]:
    """Numbers of at most 18 digits."""
    digits = "".join(column)
    if not (digits.isascii() and digits.isdigit()) or len(max(column, key=len)) > 18:
        raise ValueError("not numbers alone")
    return list(map(int, column))
