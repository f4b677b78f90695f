"""What the channels of a run carried: exact integers that add up, whatever the run is cut into. Pure.

A channel's counts are 10-bit, so how often each came is all that sums, spread, extremes and clipping need, in
bounded memory; only how long it stood still needs the order. All packets count, in the order in which they
came: a gap between two of them does not end a time of standing still.

The work is done on planes (a channel's high bytes, its low bytes), which slicing and long integers treat
without a loop of Python's.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from kit.eeg.records import Stretch

RAIL_LOW, RAIL_HIGH = 0, 1023

_CHANGE = re.compile(rb"[^\0]")
# P3 packs the three high bits of two channels into a byte: the even channel's above, the odd one's below.
_HIGH = tuple(bytes((byte >> shift & 7) >> 1 for byte in range(256)) for shift in (4, 0))
_LOW_TOP = tuple(bytes((byte >> shift & 1) << 7 for byte in range(256)) for shift in (4, 0))


@dataclass(frozen=True, slots=True)
class ChannelMeasure:
    """One channel over at least one packet.

    `counts` says how often each value came. `first` came `lead` times in a row at the begin, `last` `tail`
    times at the end, and no value more than `longest` times in a row.
    """

    counts: Mapping[int, int]
    first: int
    lead: int
    last: int
    tail: int
    longest: int

    @property
    def count(self) -> int:
        """How many values."""
        return sum(self.counts.values())

    @property
    def total(self) -> int:
        """Their sum."""
        return sum(value * times for value, times in self.counts.items())

    @property
    def squares(self) -> int:
        """The sum of their squares."""
        return sum(value * value * times for value, times in self.counts.items())

    @property
    def low(self) -> int:
        return min(self.counts)

    @property
    def high(self) -> int:
        return max(self.counts)

    @property
    def clipped(self) -> int:
        """How many stand at the ends of what 10 bits can say."""
        return self.counts.get(RAIL_LOW, 0) + self.counts.get(RAIL_HIGH, 0)


def measure(stretch: Stretch) -> tuple[ChannelMeasure, ...]:
    """Each channel of a stretch of at least one packet."""
    return tuple(_measured(*planes(stretch, channel)) for channel in range(stretch.layout.channels))


def merged(earlier: ChannelMeasure, later: ChannelMeasure) -> ChannelMeasure:
    """One channel over two stretches, the second right behind the first."""
    counts = Counter(earlier.counts)
    counts.update(later.counts)
    joins = earlier.last == later.first
    still_lead, still_tail = earlier.lead == earlier.count, later.tail == later.count
    joined = earlier.tail + later.lead if joins else 0
    return ChannelMeasure(
        counts,
        first=earlier.first,
        lead=joined if joins and still_lead else earlier.lead,
        last=later.last,
        tail=joined if joins and still_tail else later.tail,
        longest=max(earlier.longest, later.longest, joined),
    )


def planes(stretch: Stretch, channel: int) -> tuple[bytes, bytes]:
    """A channel's high bytes and its low bytes, one of each a packet."""
    data, size = stretch.data, stretch.layout.size
    if stretch.layout.protocol == "p2":
        return data[4 + 2 * channel :: size], data[5 + 2 * channel :: size]
    pair, odd = divmod(channel, 2)
    shared = data[4 + 3 * pair :: size]
    low = int.from_bytes(data[2 + 3 * pair + odd :: size], "big")
    low |= int.from_bytes(shared.translate(_LOW_TOP[odd]), "big")
    return shared.translate(_HIGH[odd]), low.to_bytes(len(shared), "big")


def values(high: bytes, low: bytes) -> tuple[int, ...]:
    """The values that two planes say."""
    both = bytearray(2 * len(low))
    both[0::2], both[1::2] = high, low
    return struct.unpack(f">{len(low)}H", both)


def _measured(high: bytes, low: bytes) -> ChannelMeasure:
    series = values(high, low)
    still = _still(high, low)
    change = _CHANGE.search(still)
    lead = change.start() if change else len(still)
    return ChannelMeasure(
        Counter(series),
        first=series[0],
        lead=lead + 1,
        last=series[-1],
        tail=len(still) - len(still.rstrip(b"\0")) + 1,
        longest=_longest(still) + 1,
    )


def _still(high: bytes, low: bytes) -> bytes:
    """A byte for each step from one value to the next: 0 where they are equal."""
    above, below = int.from_bytes(high, "big"), int.from_bytes(low, "big")
    return ((above ^ above >> 8) | (below ^ below >> 8)).to_bytes(len(low), "big")[1:]


def _longest(still: bytes) -> int:
    """The longest run of zeros."""
    longest, at = 0, still.find(b"\0")
    while at >= 0:
        change = _CHANGE.search(still, at)
        end = change.start() if change else len(still)
        longest = max(longest, end - at)
        at = still.find(bytes(longest + 1), end)
    return longest
