"""Recordings for the tests of formats: bytes with all that happens on a line, and what they give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from kit.core.errors import ProtocolError
from kit.eeg import p2, p3
from kit.eeg.capture import Capture
from kit.eeg.dating import Dating
from kit.eeg.formats import make_reader, make_writer
from kit.eeg.formats.interface import Reader, Reading
from kit.eeg.records import Chunk, Gone, Item, Packet, Run, Skipped, Stretch, Times
from kit.eeg.scale import Scale

CELLS = ("csv", "tsv", "table")
COUNTS = st.integers(0, 1023)


def p2_packet(
    counter: int, channels: Sequence[int] = (0, 1, 511, 512, 513, 1023), switches: int = 15
) -> bytes:
    return p2.encode(Packet(0, 2, counter, tuple(channels), switches & 15, switches >> 4))


def p3_packet(counter: int, channels: Sequence[int], auxiliary: int = 0) -> bytes:
    return p3.encode(Packet(0, 3, counter, tuple(channels), None, auxiliary))


@st.composite
def p2_bytes(draw: st.DrawFn) -> bytes:
    """Packets of a device that counts, with gaps, repetitions, restarts, cut ones and noise."""
    parts: list[bytes] = []
    counter = draw(st.integers(0, 255))
    for _ in range(draw(st.integers(1, 12))):
        what = draw(st.sampled_from(["good", "good", "good", "gap", "twice", "restart", "cut", "noise"]))
        counter = {"gap": counter + draw(st.integers(1, 300)), "restart": -1}.get(what, counter) + 1
        packet = p2_packet(counter % 256, draw(st.tuples(*[COUNTS] * 6)), draw(st.integers(0, 255)))
        noise = draw(st.binary(min_size=1, max_size=40)) if what == "noise" else b""
        parts.append(
            {"cut": packet[: draw(st.integers(1, 16))], "twice": 2 * packet}.get(what, packet) + noise
        )
    return b"".join(parts)


@st.composite
def p3_bytes(draw: st.DrawFn) -> bytes:
    """Packets of one size, some of them lost, with bytes between them."""
    width = draw(st.sampled_from([0, 2, 4, 6]))
    parts = [p3_packet(number, [512] * width) for number in range(12)]
    counter = 11
    for _ in range(draw(st.integers(1, 12))):
        counter += draw(st.sampled_from([1, 1, 1, 2, 30]))
        packet = p3_packet(counter % 64, draw(st.tuples(*[COUNTS] * width)), draw(st.integers(0, 255)))
        parts.append(draw(st.sampled_from([b"", b"", b"\0", b"\x7f\x01"])) + packet)
    return b"".join(parts)


RECORDINGS = st.one_of(st.tuples(st.just("p2"), p2_bytes()), st.tuples(st.just("p3"), p3_bytes()))


def items_of(protocol: str, data: bytes, *, live: bool = False) -> list[Item]:
    """The items of a file; of a live source with a read of 34 bytes every 7.8 ms, if so."""
    capture = Capture(protocol)
    if not live:
        return [*capture.feed(Chunk(data)), *capture.end("end")]
    items: list[Item] = []
    for number, at in enumerate(range(0, len(data), 34)):
        now_ns = number * 7_812_500
        piece = data[at : at + 34]
        items += capture.feed(Chunk(piece, 5_000_000_000 + now_ns, 1_622_034_547_374_070_000 + now_ns))
    return [*items, *capture.end("end")]


def written(name: str, items: Iterable[Item], **options: Any) -> bytes:
    options = {"dating": Dating(), "scale": Scale(), **options}
    writer = make_writer(name, **options)
    return writer.head() + writer.render(items) + writer.tail()


def read_back(name: str, text: bytes, **options: Any) -> list[Item]:
    """The items that a text gives."""
    capture = Capture("p2")
    items: list[Item] = []
    for span, times in readings(make_reader(name, **options), [text]):
        items += capture.interrupt(span) if isinstance(span, Gone) else capture.accept(span, times)
    return [*items, *capture.end("end")]


def readings(reader: Reader, pieces: Iterable[bytes]) -> list[Reading]:
    found: list[Reading] = []
    for piece in pieces:
        found += reader.feed(piece)
    return [*found, *reader.finish()]


def outcome(reader: Reader, pieces: Iterable[bytes]) -> list[object]:
    """What a reader gives, packet by packet, and its error if it has one."""
    found: list[object] = []
    try:
        for piece in pieces:
            found += _one_by_one(reader.feed(piece))
        found += _one_by_one(reader.finish())
    except ProtocolError as error:
        found.append(str(error))
    return found


def _one_by_one(spans: Iterable[Reading]) -> list[object]:
    found: list[object] = []
    for span, times in spans:
        if not isinstance(span, Stretch):
            found.append(span)
            continue
        for place in range(len(span)):
            moments = times and [tuple(column) for column in _columns(times.part(place, place + 1))]
            found.append((span.part(place, place + 1), moments))
    return found


def _columns(times: Times) -> tuple[Sequence[int], ...]:
    return times.wall_us, times.monotonic_us, times.sampled_us


def packets_of(items: Iterable[Item]) -> bytes:
    return b"".join(item.stretch.data for item in items if isinstance(item, Run))


def skipped_in(items: Iterable[Item]) -> int:
    return sum(item.count for item in items if isinstance(item, Skipped))


def cuts(data: bytes, places: Iterable[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(ends)]
