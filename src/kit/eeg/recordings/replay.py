"""From samples on a grid back to packets: what a reader of EDF or XDF hands to a capture. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from kit.core.errors import ProtocolError
from kit.eeg import p2, p3
from kit.eeg.dating import Dating
from kit.eeg.formats.interface import Missed, Reading
from kit.eeg.recordings.grid import NOT_PRESSED, Missing
from kit.eeg.records import Gone, Layout, Packet, Stretch, Times


@dataclass
class Sampled:
    """Samples, by channels, as counts; which of them are none, and where counters and buttons change.

    `dating` is None where nobody knows when the first was taken.
    """

    version: int
    channels: Sequence[Sequence[int]]
    counter: int
    dating: Dating | None
    buttons: int = NOT_PRESSED
    missing: list[Missing] = field(default_factory=list)
    counters: dict[int, int] = field(default_factory=dict)
    states: dict[int, int] = field(default_factory=dict)


def readings(sampled: Sampled) -> Iterator[Reading]:
    """The packets, and what lies between them."""
    total = len(sampled.channels[0]) if sampled.channels else 0
    pressed = _states(sampled, total)
    period = p2.PERIOD if sampled.version == p2.VERSION else p3.PERIOD
    at, counter, offset = 0, sampled.counter, 0
    for gap in [*sorted(sampled.missing, key=lambda one: one.at), Missing(total, 0, "lost")]:
        end = min(max(gap.at, at), total)
        for first, last in pairwise(
            [at, *sorted(place for place in sampled.counters if at < place < end), end]
        ):
            counter = sampled.counters.get(first, counter)
            if last > first:
                data, stretch_layout = _encoded(sampled, first, last, counter, pressed)
                yield Stretch(stretch_layout, offset, data), _times(sampled, first, last)
                offset += len(data)
                counter = (counter + last - first) % period
        if gap.why == "lost":
            counter = (counter + gap.count) % period
        if gap.at < total:
            yield from _gap(gap, sampled.dating)
        at = max(at, gap.at + gap.count)


def _gap(gap: Missing, dating: Dating | None) -> Iterator[Reading]:
    if gap.why == "away":
        yield Gone("it was away", 0, (dating.wall_us(gap.at) if dating else 0) * 1000), None
    elif gap.count or gap.why == "restarted":
        lost = gap.count if gap.why == "lost" else 0
        yield Missed(lost, restarted=gap.why == "restarted"), None


def _times(sampled: Sampled, first: int, last: int) -> Times | None:
    if sampled.dating is None:
        return None
    return Times((), (), sampled.dating.walls_us(first, last - first))


def _states(sampled: Sampled, total: int) -> bytes:
    """The state of the buttons at each sample."""
    places = sorted(place for place in sampled.states if 0 <= place < total)
    out = bytearray([sampled.buttons]) * (places[0] if places else total)
    for place, following in pairwise([*places, total]):
        out += bytes([sampled.states[place]]) * (following - place)
    return bytes(out)


def _encoded(sampled: Sampled, first: int, last: int, counter: int, pressed: bytes) -> tuple[bytes, Layout]:
    columns = [channel[first:last] for channel in sampled.channels]
    states = pressed[first:last]
    if sampled.version == p2.VERSION:
        counters = [number % p2.PERIOD for number in range(counter, counter + last - first)]
        return p2.encode_columns(counters, columns, states), p2.LAYOUT
    packets = (
        Packet(0, p3.VERSION, number % p3.PERIOD, row, None, state if number & 7 == 4 else 0)
        for number, state, row in zip(
            range(counter, counter + last - first), states, zip(*columns, strict=True), strict=True
        )
    )
    return b"".join(map(p3.encode, packets)), p3.layout(len(columns))


def version_for(channels: int, what: str) -> int:
    """The protocol whose packets have so many channels; raises ProtocolError."""
    if channels == 6:
        return p2.VERSION
    if channels in (2, 4):
        return p3.VERSION
    raise ProtocolError(f"{what} has {channels} channels, where OpenEEG has 2, 4 or 6")
