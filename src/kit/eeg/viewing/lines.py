"""The points of traces, kept from one picture to the next: only what is new is asked for. Pure.

A line has its heights by position, in stretches without a gap. Where a picture has more samples than a
canvas likes, a block of them is two heights, the least and the greatest; blocks begin at multiples of their
size in the capture, so that peaks do not flicker while they move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from kit.eeg.viewing.frame import Part

# A channel's samples at positions from a first to before an end, as `scene.Scene.segments` gives them.
Segments = Callable[[int, int, int], "list[tuple[int, list[float]]]"]


@dataclass(frozen=True)
class Ground:
    """Where the picture's samples are: `left`, and how far one is from the next; `exact` has fractions."""

    left: float
    step: float
    exact: bool

    def places(self, x: int, count: int, every: int = 1) -> Sequence[float]:
        """The pixels of so many samples (or blocks of `every`) from `x` on."""
        return _places(self, x, count, every)


@dataclass(slots=True)
class _Stretch:
    """Heights from `first` to before `end`; `tail` is of a block that is not complete."""

    first: int
    end: int
    heights: list[float] = field(default_factory=list)
    tail: list[float] = field(default_factory=list)


class Line:
    """A channel's trace; `to_heights` makes pixels of values."""

    def __init__(self, channel: int, size: int, to_heights: Callable[[Sequence[float]], list[float]]) -> None:
        self._channel = channel
        self._size = size
        self._to_heights = to_heights
        self._stretches: list[_Stretch] = []
        self._end: int | None = None

    def update(self, parts: Sequence[Part], segments: Segments) -> None:
        """Have what these parts show, and forget what is before them."""
        first, end = min(part.first for part in parts), max(part.end for part in parts)
        begun = self._stretches[0].first if self._stretches else first
        if self._end is None or self._end < first or self._end > end or begun - self._size >= first:
            self._stretches, self._end = [], first
        self._forget(first)
        for position, values in segments(self._channel, self._end, end) if self._end < end else ():
            self._append(position, self._to_heights(values))
        self._end = end

    def points(self, part: Part, ground: Ground) -> Iterator[Sequence[float]]:
        """The lines in a part, each as x and y in turn."""
        for stretch in self._stretches:
            first, end = max(stretch.first, part.first), min(stretch.end, part.end)
            if first < end:
                xs, ys = self._shown(stretch, first, end, part, ground)
                points: list[float] = [0] * (2 * len(ys))
                points[0::2], points[1::2] = xs, ys
                yield points if len(points) > 2 else [*points, points[0] + 1, points[1]]

    def _shown(
        self, stretch: _Stretch, first: int, end: int, part: Part, ground: Ground
    ) -> tuple[Sequence[float], Sequence[float]]:
        size, begun = self._size, stretch.first
        if size == 1:
            ys = stretch.heights[first - begun : end - begun]
            return ground.places(part.x + first - part.first, len(ys)), ys
        block, last = first // size, -(-end // size)
        ys = stretch.heights[2 * (block - begun // size) : 2 * (last - begun // size)]
        if stretch.tail and end > stretch.end - len(stretch.tail):
            ys = [*ys, min(stretch.tail), max(stretch.tail)]
        return ground.places(part.x + block * size - part.first, len(ys) // 2, size), ys

    def _append(self, position: int, heights: list[float]) -> None:
        last = self._stretches[-1] if self._stretches else None
        if last is None or last.end != position:
            last = _Stretch(position, position)
            self._stretches.append(last)
        if self._size == 1:
            last.heights += heights
        else:
            self._block(last, last.tail + heights)
        last.end = position + len(heights)

    def _block(self, stretch: _Stretch, heights: list[float]) -> None:
        at, position = 0, stretch.end - len(stretch.tail)
        while len(heights) - at >= (count := self._size - (position + at) % self._size):
            block = heights[at : at + count]
            stretch.heights += (min(block), max(block))
            at += count
        stretch.tail = heights[at:]

    def _forget(self, first: int) -> None:
        self._stretches = [stretch for stretch in self._stretches if stretch.end > first]
        if self._stretches and self._stretches[0].first < first:
            oldest = self._stretches[0]
            if self._size == 1:
                del oldest.heights[: first - oldest.first]
                oldest.first = first
            else:
                begin = first - first % self._size
                blocks = begin // self._size - oldest.first // self._size
                del oldest.heights[: 2 * blocks]
                oldest.first = max(begin, oldest.first)


@lru_cache(maxsize=64)
def _places(ground: Ground, x: int, count: int, every: int) -> tuple[float, ...]:
    """Those of the picture before, mostly, and of the other channels; of blocks each one twice."""
    left, step = ground.left, ground.step
    places = (max(left + at * step, left) for at in range(x, x + count * every, every))
    rounded = tuple(round(place, 1) if ground.exact else int(place) for place in places)
    return rounded if every == 1 else tuple(place for place in rounded for _ in range(2))
