"""A device and its line, as simple as can be: what is sent when, what of it is lost, and when it is read."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from struct import Struct

from kit.eeg import p2
from kit.eeg.loss import Accountant
from kit.eeg.records import Item, Layout, Lost, Restarted, Run, Stretch, Times

_ROW = Struct(">3sB6HB")
BYTE_US = 10 * 1_000_000 / 57_600
# P2's bytes with counters that wrap at 64: accounting does not care about the rest of a P3 packet.
SHORT = Layout("p3", 3, p2.SIZE, 64, 6, p2.LAYOUT.counters, p2.LAYOUT.packets)
LAYOUTS = {256: p2.LAYOUT, 64: SHORT}


def packet(number: int, counter: int) -> bytes:
    """The bytes of the packet with this number, which no other packet has."""
    return _ROW.pack(b"\xa5\x5a\x02", counter, number & 1023, number >> 10 & 1023, number >> 20, 0, 0, 0, 15)


def stretch(numbers: Iterable[int], period: int = 256, offset: int = 0) -> Stretch:
    """The packets with these numbers as one stretch."""
    return Stretch(LAYOUTS[period], offset, b"".join(packet(number, number % period) for number in numbers))


def numbers(items: Iterable[Item]) -> list[int]:
    """The number within each packet of the runs."""
    data = b"".join(item.stretch.data for item in items if isinstance(item, Run))
    return [row[2] | row[3] << 10 | row[4] << 20 for row in _ROW.iter_unpack(data)]


def merged(items: Iterable[Item]) -> list[Item]:
    """The items, with runs that follow each other as one."""
    out: list[Item] = []
    for item in items:
        before = out[-1] if out else None
        if (
            isinstance(item, Run)
            and isinstance(before, Run)
            and not (item.repeated or before.repeated)
            and item.sequence == before.sequence + len(before.stretch)
        ):
            data = before.stretch.data + item.stretch.data
            out[-1] = Run(before.sequence, Stretch(before.stretch.layout, before.stretch.offset, data))
        elif isinstance(item, Run):
            out.append(Run(item.sequence, item.stretch, None, item.repeated))
        else:
            out.append(item)
    return out


def lost(items: Iterable[Item]) -> int:
    """How many packets were lost."""
    return sum(item.count for item in items if isinstance(item, Lost))


def restarts(items: Iterable[Item]) -> list[Restarted]:
    """The restarts."""
    return [item for item in items if isinstance(item, Restarted)]


@dataclass(frozen=True)
class Sent:
    """A packet: its number, its counter, and when its first byte was through the line."""

    number: int
    counter: int
    at_us: float


class Device:
    """Samples at its own true rate; the counter may begin anew."""

    def __init__(self, period: int = 256, rate_hz: float = 256, start_us: float = 5_000_000) -> None:
        self.period = period
        self.rate_hz = rate_hz
        self.at_us = start_us
        self.number = 0
        self.counter = 0

    def send(self, count: int) -> list[Sent]:
        """The next packets."""
        sent = []
        for _ in range(count):
            sent.append(Sent(self.number, self.counter, self.at_us))
            self.number += 1
            self.counter = (self.counter + 1) % self.period
            self.at_us += 1_000_000 / self.rate_hz
        return sent

    def restart(self, pause_s: float) -> None:
        """Off and on again."""
        self.at_us += pause_s * 1_000_000
        self.counter = 0


@dataclass(frozen=True)
class Arrived:
    """A packet and when it is taken to have arrived."""

    sent: Sent
    at_us: int


def read_by_timer(
    sent: Iterable[Sent],
    draw: random.Random,
    timer_us: int = 16_000,
    stalls: Sequence[tuple[float, float]] = (),
) -> list[Arrived]:
    """An adapter that hands over what it has at each tick of a timer, but not during a stall."""

    def tick(at_us: float) -> int:
        ready = (int(at_us) // timer_us + 1) * timer_us + draw.randrange(500)
        for begin_us, length_us in stalls:
            if begin_us <= ready < begin_us + length_us:
                ready = int(begin_us + length_us) + draw.randrange(500)
        return ready

    arrived = []
    latest = 0
    for one in sent:
        latest = max(latest, tick(one.at_us))
        arrived.append(Arrived(one, latest))
    return arrived


def reads(arrived: Sequence[Arrived], period: int = 256) -> Iterator[tuple[Stretch, list[int]]]:
    """What each read brings."""
    offset = 0
    for _, group in groupby(arrived, attrgetter("at_us")):
        batch = list(group)
        data = b"".join(packet(one.sent.number, one.sent.counter) for one in batch)
        yield Stretch(LAYOUTS[period], offset, data), [one.at_us for one in batch]
        offset += len(data)


def accounted(arrived: Sequence[Arrived], period: int = 256, wall_only: bool = False) -> list[Item]:
    """What an accountant makes of the reads."""
    accountant = Accountant(period, Fraction(256))
    items: list[Item] = []
    for span, arrivals_us in reads(arrived, period):
        times = Times(arrivals_us, () if wall_only else arrivals_us)
        items += accountant.account(span, arrivals_us, times)
    return [*items, *accountant.settle()]
