"""The same as the plain modules do, by numpy, for long runs of packets: to the byte, to the integer. Pure.

The only module on the way of a capture that imports numpy, and itself imported only where
`kit.eeg.acceleration` says so.

A line of text is laid out with fields of a fixed width, filled up with NUL bytes, as rows of a table whose
columns are looked up all at once; one `translate` then drops the NULs. It takes half of the 0.07 µs that
a packet costs, so the fields are as narrow as can be: what times have in common is written out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from kit.eeg import p2
from kit.eeg.dating import Dating
from kit.eeg.records import Run, Stretch
from kit.eeg.stats.channels import ChannelMeasure
from kit.eeg.stats.hum import BLOCK, Wave

Integers = NDArray[np.int64]

# More packets at once do not fit into a processor's cache.
_BATCH = 8192
# Times have eight digits behind what is written out once, in two parts.
_LOW, _PART = 10**8, 10**4
_TIME_LIMIT = 10**18
# Each change of the digits before those costs as much as some hundred packets: at most one in so many.
_CHANGE_EVERY = 1024
_PACKET = np.dtype(
    {
        "names": ["counter", "channels", "switches"],
        "formats": ["u1", (">u2", 6), "u1"],
        "offsets": [3, 4, 16],
        "itemsize": p2.SIZE,
    }
)


_times = attrgetter("times")


class Unsuited(Exception):
    """These times are better done the plain way: beyond 64 bits, negative, or leaping to and fro."""


def _table(texts: Iterable[bytes]) -> NDArray[np.uint32]:
    """Texts of at most four bytes, filled up with NULs, each as a number."""
    return np.frombuffer(b"".join(text.rjust(4, b"\0") for text in texts), np.uint32)


_NUMBER = _table(b"%d" % value for value in range(_PART))
_DIGITS = _table(b"%04d" % value for value in range(_PART))
_COUNTER = _table(b"%d|" % value for value in range(p2.PERIOD))
_SWITCHES = _table(b"%d\n" % (value & 15) for value in range(256))


def p2_lines(runs: Sequence[Run], dating: Dating) -> bytes:
    """Eegreader's lines of runs of P2 packets; or raises Unsuited."""
    times_us = _times_us(runs, dating)
    if not 0 <= int(times_us.min()) <= int(times_us.max()) < _TIME_LIMIT:
        raise Unsuited("times")
    packets = np.frombuffer(b"".join([run.stretch.data for run in runs]), _PACKET)
    highs, lows = np.divmod(times_us, _LOW)
    changes = np.flatnonzero(highs[1:] != highs[:-1]) + 1
    if len(changes) > 2 + len(packets) // _CHANGE_EVERY:
        raise Unsuited("times")
    begins = sorted({*range(0, len(packets), _BATCH), *changes.tolist()})
    return b"".join(
        [
            _lines(packets[begin:end], int(highs[begin]), lows[begin:end])
            for begin, end in zip(begins, [*begins[1:], len(packets)], strict=True)
        ]
    )


def _times_us(runs: Sequence[Run], dating: Dating) -> Integers:
    """The times of the packets, dated where they came with none."""
    try:
        if not any(map(_times, runs)):
            return _dated_us(runs, dating)
        return np.concatenate([_given_us(run) if run.given_us else _dated_us([run], dating) for run in runs])
    except OverflowError:
        raise Unsuited("times") from None


def _given_us(run: Run) -> Integers:
    return np.array(run.given_us, np.int64)


def _dated_us(runs: Sequence[Run], dating: Dating) -> Integers:
    """The times of packets with these sequence numbers."""
    period_us = 1_000_000 / dating.rate_hz
    numerator, denominator = period_us.numerator, period_us.denominator
    begins = np.array([run.sequence for run in runs], np.int64)
    counts = np.array([len(run.stretch.data) for run in runs], np.int64) // p2.SIZE
    highest = int((begins + counts).max()) * numerator
    if max(highest, denominator, abs(dating.start_us)) >= 1 << 62:
        raise OverflowError
    # What a run's first number is ahead of its place.
    ahead = begins - (np.cumsum(counts) - counts)
    sequence = np.arange(int(counts.sum())) + np.repeat(ahead, counts)
    times_us: Integers = sequence * numerator // denominator + dating.start_us
    return times_us


def _lines(packets: NDArray[np.void], high: int, lows: Integers) -> bytes:
    """The lines of packets whose times begin with the same digits, or with none."""
    first = b"%d" % high if high else b""
    rows = np.frombuffer(bytearray(_row(first) * len(packets)), _columns(len(first)))
    above, below = np.divmod(lows, _PART)
    if high:
        rows["above"], rows["below"] = _DIGITS[above], _DIGITS[below]
    else:
        rows["above"] = np.where(above, _NUMBER[above], 0)
        rows["below"] = np.where(above, _DIGITS[below], _NUMBER[below])
    rows["counter"] = _COUNTER[packets["counter"]]
    for channel in range(6):
        rows[f"channel {channel}"] = _NUMBER[packets["channels"][:, channel]]
    rows["switches"] = _SWITCHES[packets["switches"]]
    return rows.tobytes().translate(None, b"\0")


def _row(first: bytes) -> bytes:
    """What each row has, and NULs where its columns are."""
    return first + bytes(8) + b"|2|" + bytes(4) + (bytes(4) + b"|") * 6 + bytes(4)


@lru_cache(maxsize=32)
def _columns(begin: int) -> np.dtype[np.void]:
    """Where the columns of a row are, behind `begin` bytes of time that all rows have."""
    names = ["above", "below", "counter", *(f"channel {channel}" for channel in range(6)), "switches"]
    places = [0, 4, 11, *(15 + 5 * channel for channel in range(6)), 45]
    return np.dtype(
        {
            "names": names,
            "formats": [np.uint32] * len(names),
            "offsets": [begin + place for place in places],
            "itemsize": len(_row(bytes(begin))),
        }
    )


def columns(stretch: Stretch) -> tuple[tuple[NDArray[np.int16], ...], bytes]:
    """As `p2.columns`, of a stretch of P2 packets."""
    packets = np.frombuffer(stretch.data, _PACKET)
    return tuple(packets["channels"].T.astype(np.int16)), (packets["switches"] & 15).tobytes()


def measure(stretch: Stretch) -> tuple[ChannelMeasure, ...]:
    """As `channels.measure`."""
    return tuple(map(_measured, _series(stretch)))


def powers(blocks: Stretch, known: Sequence[Wave]) -> list[list[int]]:
    """As `hum.powers`."""
    if not known:
        return [[] for _ in range(blocks.layout.channels)]
    weights = _weights(tuple(known))
    return [
        # Sums of many blocks do not fit into 64 bits.
        [sum(column) for column in zip(*_powers(series.reshape(-1, BLOCK) @ weights).tolist(), strict=True)]
        for series in _series(blocks)
    ]


def _powers(products: Integers) -> Integers:
    """A block's power of each wave, out of its products with the cosines and with the sines."""
    real, imaginary = np.split(products, 2, axis=1)
    found: Integers = real * real + imaginary * imaginary
    return found


@lru_cache(maxsize=8)
def _weights(known: tuple[Wave, ...]) -> Integers:
    return np.array([*(wave.cosine for wave in known), *(wave.sine for wave in known)], np.int64).T.copy()


def _series(stretch: Stretch) -> Integers:
    """The values of each channel."""
    layout = stretch.layout
    if layout is p2.LAYOUT:
        return np.frombuffer(stretch.data, _PACKET)["channels"].T.astype(np.int64)
    columns = np.frombuffer(stretch.data, np.uint8).reshape(-1, layout.size).T.astype(np.int64)
    found = np.empty((layout.channels, len(stretch)), np.int64)
    for channel in range(layout.channels):
        pair, odd = divmod(channel, 2)
        highs = columns[4 + 3 * pair] >> (0 if odd else 4) & 7
        found[channel] = highs << 7 | columns[2 + 3 * pair + odd] & 127
    return found


def _measured(series: Integers) -> ChannelMeasure:
    counts = np.bincount(series)
    there = np.flatnonzero(counts)
    ends = np.flatnonzero(series[1:] != series[:-1]) + 1
    lengths = np.diff(ends, prepend=0, append=len(series))
    return ChannelMeasure(
        dict(zip(there.tolist(), counts[there].tolist(), strict=True)),
        first=int(series[0]),
        lead=int(lengths[0]),
        last=int(series[-1]),
        tail=int(lengths[-1]),
        longest=int(lengths.max()),
    )
