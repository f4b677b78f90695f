"""Reading a source to its end: bytes, through a capture, to items, with an end by wish.

The unit is the batch, the items of one read: a few packets of a live source, thousands of a file.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kit.core.errors import KitError, UsageError
from kit.eeg.batch import Mark
from kit.eeg.capture import Capture
from kit.eeg.dating import NOMINAL_RATE_HZ, Dating
from kit.eeg.intake import RAW, Intake
from kit.eeg.limits import Limit
from kit.eeg.passing import Passing
from kit.eeg.records import Chunk, Ended, Gone, Item, Packet, Run, Times
from kit.eeg.scale import Scale, preferred
from kit.eeg.signals import Signals
from kit.eeg.sources import Source, open_source
from kit.eeg.tally import Tally
from kit.eeg.watching.subscribing import Subscribing

if TYPE_CHECKING:
    from threading import Thread

    from kit.eeg.watching.events import Event

NOMINAL_BAUD = 57_600
_HEAD = 4096
_PATIENCE_S = 2
# Reads of a live source are handed on together: measured, each packet by itself takes 6 % of a core, ten at a
# time 2 %. Nobody who reads lines sees a twenty-fifth of a second.
TOGETHER_S = 0.04


@dataclass(frozen=True, slots=True)
class Sample:
    """A packet with its place and its times, in microseconds.

    `sequence` counts what the device sent, lost packets too, so a step of more than one is a gap. `wall_us`
    (since 1970) and `monotonic_us` are when its first byte came, `sampled_us` is the former without the
    jitter of the way. Where the source has no times `wall_us` is reckoned from the sequence, the others are
    None; a recording that has only `sampled_us` has it in both.
    """

    packet: Packet
    sequence: int
    wall_us: int
    monotonic_us: int | None = None
    sampled_us: int | None = None


class Stream(Subscribing):
    """An open source of OpenEEG packets, read once, in one of three ways.

    Iterate it (`for` or `async for`) for items, or its `packets()` for packets with their times, or its
    `events()` for what happens; or say with `on_…` functions what is to be called when, and `run()`. All of
    them raise Unavailable where the device goes away, after what it had sent. `tally` counts what was given
    out; `head` holds the first bytes, `received` how many came.
    """

    def __init__(
        self,
        source: Source,
        intake: Intake,
        limit: Limit,
        dating: Dating,
        together_s: float = TOGETHER_S,
    ) -> None:
        super().__init__()
        self.given_scale = Scale()
        self.dating = dating
        self.head = b""
        self.received = 0
        self.now_us = 0
        self._source = source
        self._intake = intake
        self._capture = intake.capture
        self._together_ns = int(together_s * 1_000_000_000)
        # Whoever draws has no use for the time of each read, which costs more than what is drawn of it.
        self.restful = False
        self._limit = limit
        self._stopped: str | None = None
        self._waiting: list[Chunk] = []  # read, and not fed yet
        self._fed_ns = self._rested_ns = 0
        self._threads: list[Thread] = []
        # What a limit cuts off must not be counted.
        self._own_tally = Tally(dating.rate_hz) if limit.exists else None

    @property
    def name(self) -> str:
        """What is read."""
        return self._source.name

    @property
    def live(self) -> bool:
        """Do the packets arrive now, so that they have times of their own?"""
        return self._source.live

    @property
    def scale(self) -> Scale:
        """What a count means: as whoever opened it says, or else as the file tells, once that is read."""
        return preferred(self.given_scale, self._intake.scale)

    @property
    def marks(self) -> Sequence[Mark]:
        """Those that are in a file of EDF, BDF or XDF, once it is read to its end."""
        return self._intake.marks(self.dating.start_us)

    @property
    def recorded(self) -> bool:
        """Does it wait for whoever reads it? A live source does not, nor does what comes through a pipe."""
        return bool(getattr(self._source, "recorded", not self._source.live))

    @property
    def waiting_for(self) -> str | None:
        """Why there is no device now, while a source that reconnects waits for one."""
        return getattr(self._source, "waiting_for", None)

    @property
    def tally(self) -> Tally:
        """The totals so far."""
        return self._own_tally or self._capture.tally

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the source."""
        self.stop()
        for thread in self._threads:
            thread.join(_PATIENCE_S)
        self._source.close()

    def stop(self, reason: str = "interrupt") -> None:
        """End as soon as the source gives a sign of life, which a silent one does four times a second."""
        self._stopped = self._stopped or reason

    def __iter__(self) -> Iterator[Item]:
        for batch in self.batches():
            yield from batch

    def __aiter__(self) -> AsyncIterator[Item]:
        return aiter(self._passing(self.batches()))

    def packets(self) -> Passing[Sample]:
        """The packets, without those that came twice, each with its times."""
        return self._passing(_samples_of(items, self.dating) for items in self.batches())

    def events(
        self, *conditions: str, blinks: Sequence[int] = (), artefacts: Sequence[int] = (), **rules: Any
    ) -> Passing[Event]:
        """Gaps, buttons, returns, and of conditions (`rules` as in `on_cross`) what crosses, as they come.

        Also the blinks and the artefacts of some channels, and what `on_…` functions asked for.
        """
        for condition in conditions:
            self.on_cross(condition, _ignore, **rules)
        for channel in blinks:
            self.on_blink(_ignore, channel=channel)
        for channel in artefacts:
            self.on_artefact(_ignore, channel=channel)
        return self._passing(events for _, events in self._watched())

    def run(self, *, strict: bool = False) -> Ended:
        """To the end, or to `stop`, with all callbacks; what it came to.

        A callback that raises is told of (`on_error`, or the log of `kit.eeg`) and the capture goes on; with
        `strict` that ends it.
        """
        from kit.eeg.watching.calling import Caller

        caller = Caller(self._error_handlers, strict=strict)
        for items, events in self._watched():
            if self._packet_callbacks:
                for sample in _samples_of(items, self.dating):
                    for callback in self._packet_callbacks:
                        caller.call(callback, sample)
            for callback, event in self._calls(events):
                caller.call(callback, event)
        return self.tally.ended(self._stopped or "end")

    def _watched(self) -> Iterator[tuple[list[Item], list[Event]]]:
        """Each batch with its events."""
        rate_hz, signals = float(self.dating.rate_hz), Signals(self.dating)
        engine = self._engine(rate_hz, self.scale)  # what cannot be watched is told before anything is read
        begun = False
        for items in self.batches():
            found = signals.take(items)
            if found and not begun:  # the first bytes of a recording may tell its scale
                engine, begun = self._engine(rate_hz, self.scale), True
            yield items, engine.take(found)

    def _passing(self, batches: Iterator[Any]) -> Passing[Any]:
        return Passing(batches, self.stop, self._threads)

    def batches(self) -> Iterator[list[Item]]:
        """The items of some reads, an empty list where nothing came for a while; `Ended` is the last item."""
        try:
            for chunk in self._source.chunks():
                if isinstance(chunk, Gone):
                    yield self._fed()
                    yield self._passed(self._intake.interrupt(chunk))
                elif self._is_time(chunk):
                    yield self._fed()
                    if self._rests and chunk.data:
                        self._rest()
                if self._stopped:
                    break
        except KitError:
            yield [*self._fed(), *self._end("error")]
            raise
        yield [*self._fed(), *self._end(self._stopped or "end")]

    @property
    def _rests(self) -> bool:
        return self.restful and self._source.live

    def _rest(self) -> None:
        """Let as much come as is handed on together, so that one read takes it."""
        now_ns = time.monotonic_ns()
        # From one end to the next, whatever the reads take: so many come to a second. One is made up for.
        self._rested_ns = max(self._rested_ns + self._together_ns, now_ns - self._together_ns)
        time.sleep(max(0, self._rested_ns - now_ns) / 1e9)

    def _is_time(self, chunk: Chunk) -> bool:
        """Takes a chunk; is it time to feed what was read?"""
        self.received += len(chunk.data)
        if len(self.head) < _HEAD:
            self.head += chunk.data[: _HEAD - len(self.head)]
        self._waiting.append(chunk)
        if chunk.monotonic_ns is None:
            self.now_us = time.monotonic_ns() // 1000
            return True
        self.now_us = chunk.monotonic_ns // 1000
        self._limit.begin(self.now_us)
        if self._rests or not chunk.data:
            return True
        return chunk.monotonic_ns - self._fed_ns >= self._together_ns

    def _fed(self) -> list[Item]:
        """What the reads that wait complete."""
        if not self._waiting:
            return []
        chunks, self._waiting = self._waiting, []
        self._fed_ns = chunks[-1].monotonic_ns or 0
        items = self._passed(self._intake.feed(*chunks))
        if self._limit.exists:
            self._limit.look(self.now_us)
            self._stopped = self._stopped or self._limit.reached
        return items

    def _passed(self, items: list[Item]) -> list[Item]:
        if self._own_tally is None:
            return items
        items = self._limit.take(items)
        for item in items:
            self._own_tally.add(item)
        return items

    def _end(self, reason: str) -> list[Item]:
        items: list[Item] = [item for item in self._intake.end(reason) if not isinstance(item, Ended)]
        items = self._passed(items)
        self.tally.rate = self._capture.tally.rate
        return [*items, self.tally.ended(reason)]


def open(  # noqa: PLR0913 - all but one by name, each with a default
    source: str | None = None,
    *,
    protocol: str = "auto",
    baud: int = NOMINAL_BAUD,
    rate_hz: Fraction | float = NOMINAL_RATE_HZ,
    start_us: int = 0,
    reconnect: bool = False,
    count: int | None = None,
    duration_s: float | None = None,
    form: str | None = RAW,
    scale: Scale | None = None,
    together_s: float = TOGETHER_S,
) -> Stream:
    """Open a source of OpenEEG bytes; as a context manager it is closed behind the block.

    `source` is a serial port, a URL (`socket://HOST:PORT`), a file of raw bytes, `-` for standard input,
    `sim:` for a simulated device, or None for the one port that a board is likely on. `protocol` is `p2`,
    `p3` or `auto`, `baud` the line's speed in bits a second, `rate_hz` the firmware's packets a second. Where
    the source has no times its first packet is dated `start_us`, microseconds since 1970. With `reconnect` a
    device that goes away is awaited. The capture ends after `count` packets or `duration_s` seconds.

    `form` is the format of a file or of standard input (`formats.READ`), None to look at its first bytes,
    and `scale` what microvolts mean, in it and to who watches. What a live source sends within `together_s`
    seconds comes in one batch.

    Raises UsageError where the source says nothing, Unavailable where it is not there, NotPermitted.
    """
    if protocol not in ("auto", "p2", "p3"):
        raise UsageError(f"no protocol {protocol!r}", hint="there are p2, p3 and auto")
    _check_positive(baud=baud, rate_hz=rate_hz, count=count, duration_s=duration_s)
    dating = Dating(start_us, Fraction(rate_hz))
    capture = Capture(protocol, rate_hz=dating.rate_hz, baud=baud)
    limit = Limit(count, duration_s, dating.rate_hz)
    opened = open_source(source, baud=baud, reconnect=reconnect)
    intake = Intake(capture, RAW if opened.live else form, scale)
    stream = Stream(opened, intake, limit, dating, together_s)
    stream.given_scale = scale or stream.given_scale
    return stream


def _check_positive(**values: Fraction | float | None) -> None:
    for what, value in values.items():
        if value is not None and not value > 0:
            raise UsageError(f"{what} is {value}, where it has to be more than nothing")


def _ignore(_event: object) -> None:
    """What is only to be iterated."""


def _samples_of(items: Sequence[Item], dating: Dating) -> list[Sample]:
    return [
        sample
        for item in items
        if isinstance(item, Run) and not item.repeated
        for sample in _samples(item, dating)
    ]


def _samples(run: Run, dating: Dating) -> Iterator[Sample]:
    packets = run.stretch.packets()
    times = run.times or Times(dating.walls_us(run.sequence, len(packets)))
    walls_us = times.wall_us or times.sampled_us
    for index, packet in enumerate(packets):
        yield Sample(
            packet,
            run.sequence + index,
            walls_us[index],
            times.monotonic_us[index] if times.monotonic_us else None,
            times.sampled_us[index] if times.sampled_us else None,
        )
