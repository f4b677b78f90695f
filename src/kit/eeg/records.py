"""What flows through a capture: packets, what lies between them, and what their counters mean.

Bytes become spans (`Stretch`, `Skipped`: every byte is in exactly one), spans become items: runs of packets
with a sequence number and times, and the events between them. All records are frozen. Pure.

A sequence number counts what the device sent, lost packets too, from 0 at the first packet of the capture.
Times are integer microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from kit.core.frozen import record


@record
class Packet:
    """One packet of the device (P2 or P3).

    `offset` is that of its first byte in the stream, `channels` has 10-bit counts (0 to 1023), `buttons` four
    bits (1 is not pressed on most boards), None where a P3 packet does not carry them. `auxiliary` is P3's
    auxiliary byte, or the high nibble of P2's switches byte, which nobody defines.
    """

    offset: int
    version: int
    counter: int
    channels: tuple[int, ...]
    buttons: int | None
    auxiliary: int


@record
class Skipped:
    """Bytes at `offset` that belong to no packet: noise, or what is left of a damaged one.

    `uncopied` is how many more there were, where a text tells their number and not the bytes.
    """

    offset: int
    data: bytes
    uncopied: int = 0

    @property
    def count(self) -> int:
        """How many bytes."""
        return len(self.data) + self.uncopied


@dataclass(frozen=True)
class Layout:
    """How packets of one protocol and size lie in a stretch of them."""

    protocol: Literal["p2", "p3"]
    version: int
    size: int
    period: int
    channels: int
    # The counters of a stretch's packets, a byte each.
    counters: Callable[[bytes], bytes]
    # The packets of a stretch that begins at an offset.
    packets: Callable[[bytes, int], list[Packet]]


@record
class Stretch:
    """Good packets of one layout, one right behind the other, as the bytes that they are."""

    layout: Layout
    offset: int
    data: bytes

    def __len__(self) -> int:
        return len(self.data) // self.layout.size

    @property
    def counters(self) -> bytes:
        """The counter of each packet, a byte each."""
        return self.layout.counters(self.data)

    def packets(self) -> list[Packet]:
        """The packets, decoded."""
        return self.layout.packets(self.data, self.offset)

    def part(self, first: int, last: int) -> Stretch:
        """Its packets `first` to before `last`."""
        size = self.layout.size
        if first == 0 and last * size == len(self.data):
            return self
        return Stretch(self.layout, self.offset + first * size, self.data[first * size : last * size])


Span = Stretch | Skipped


@record
class Chunk:
    """Bytes as one read returned them, and when: both clocks in nanoseconds, neither for a file."""

    data: bytes
    monotonic_ns: int | None = None
    wall_ns: int | None = None


@record
class Gone:
    """What a source that waits for its device to come back says in the place of a chunk."""

    reason: str
    monotonic_ns: int
    wall_ns: int


@record
class Times:
    """When the packets of a run came, one entry a packet, in microseconds; empty where nobody knows.

    `wall_us` and `monotonic_us`: when the first byte reached this machine (by the time of the read and the
    line speed), since 1970 and since the machine's start. `sampled_us`: the same instant without the jitter
    of the way, from the counter and a fit over the capture so far, on the wall clock's scale.
    """

    wall_us: Sequence[int]
    monotonic_us: Sequence[int] = ()
    sampled_us: Sequence[int] = ()

    def part(self, first: int, last: int) -> Times:
        """Those of the packets `first` to before `last`."""
        return Times(self.wall_us[first:last], self.monotonic_us[first:last], self.sampled_us[first:last])


@record
class Run:
    """Packets whose sequence numbers rise by one from `sequence`.

    `times` is None where the source has none: such packets are dated by their sequence number. `repeated` is
    true for a packet that came before: it is shown, and not counted as received.
    """

    sequence: int
    stretch: Stretch
    times: Times | None = None
    repeated: bool = False

    def part(self, first: int, last: int) -> Run:
        """Its packets `first` to before `last`."""
        if first == 0 and last == len(self.stretch):
            return self
        times = self.times.part(first, last) if self.times else None
        return Run(self.sequence + first, self.stretch.part(first, last), times, self.repeated)

    @property
    def given_us(self) -> Sequence[int]:
        """The times that the packets came with, if only the sampled ones; empty if they are to be dated."""
        return self.times.wall_us or self.times.sampled_us if self.times else ()


@record
class Lost:
    """Packets that never came: `count` of them from `sequence` on, noticed at the packet at byte `offset`.

    `by` says how it is known. The counter tells exactly, up to whole periods; what only the time tells lies
    between `low` and `high`. `may_be_restart`: the counter ends at 0, as a restarted device's would.
    """

    sequence: int
    count: int
    offset: int
    by: Literal["counter", "time"] = "counter"
    low: int = 0
    high: int = 0
    may_be_restart: bool = False


@record
class Duplicate:
    """The packet `sequence` came once more; a run with `repeated` follows."""

    sequence: int
    offset: int


@record
class Reordered:
    """The packet `sequence`, counted as lost, came late; a run with it follows, and it is lost no more."""

    sequence: int
    offset: int


@record
class Restarted:
    """The device began anew with `counter` at the packet `sequence`.

    `or_lost`: how many packets would be lost if it was not a restart; 0 where the time rules that out.
    """

    sequence: int
    counter: int
    offset: int
    or_lost: int = 0


@record
class Recognised:
    """The stream's protocol, found at byte `offset`."""

    protocol: Literal["p2", "p3"]
    channels: int
    offset: int


@record
class Interrupted:
    """The device went away; `wall_us` is when, None where the source has no times."""

    offset: int
    wall_us: int | None
    reason: str


@record
class Ended:
    """The end of the capture, why (`end`, `count`, `duration`, `interrupt`, `error`), and what it was."""

    reason: str
    packets: int
    lost: int
    skipped: int
    duplicates: int
    reordered: int
    restarts: int
    bytes: int
    duration_us: int


Fault = Lost | Duplicate | Reordered | Restarted
Item = Run | Skipped | Fault | Recognised | Interrupted | Ended
