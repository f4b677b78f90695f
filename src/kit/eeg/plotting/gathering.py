"""A stream, read once, to what is drawn of it. Memory does not grow with the recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kit.core.errors import NegativeAnswer, ProtocolError, UsageError
from kit.core.text import printable
from kit.eeg.batch import Mark
from kit.eeg.plotting import PlotWish
from kit.eeg.plotting.envelope import Envelope
from kit.eeg.plotting.spectra import Spectra
from kit.eeg.reading import Stream
from kit.eeg.records import Stretch
from kit.eeg.scale import Scale, preferred
from kit.eeg.signals import Block, Buttons, Columns, Gap, Signal, Signals, columns

# Nobody can read more of them on a page.
_EVENTS = 1000
_LONG = 32
_MARK_WIDTH = 16  # as much of a text as has room between two


@dataclass(frozen=True)
class Event:
    """Something at a time, in microseconds since the begin of the recording."""

    at_us: int
    text: str


@dataclass(frozen=True)
class Gathered:
    """A recording, or a part of it: times in microseconds since the first packet of the whole."""

    start_us: int
    begin_us: int
    end_us: int
    rate_hz: float
    scale: Scale
    channels: Sequence[int]
    envelope: Envelope
    spectra: Spectra
    events: Sequence[Event]
    packets: int
    lost: int


def gathered(stream: Stream, wish: PlotWish) -> Gathered:
    """Read it; raises NegativeAnswer where there is nothing to be drawn."""
    gathering, signals = _Gathering(stream, wish), Signals(stream.dating, _columns)
    for items in stream.batches():
        gathering.take(signals.take(items))
        if gathering.ended:
            stream.stop()
    gathering.mark(stream.marks)
    return gathering.result(preferred(wish.scale, stream.scale))


class _Gathering:
    """Signals in, columns of time out; made when the first packet tells how many channels there are."""

    def __init__(self, stream: Stream, wish: PlotWish) -> None:
        self.ended = False
        self._rate_hz = float(stream.dating.rate_hz)
        self._wish = wish
        self._begin_us = int(wish.begin_s * 1_000_000)
        self._end_us = None if wish.end_s is None else int(wish.end_s * 1_000_000)
        self._start_us: int | None = None
        self._carried = 0
        self._channels: Sequence[int] = ()
        self._envelope: Envelope | None = None
        self._spectra: Spectra | None = None
        self._buttons = Buttons()
        self._events: list[Event] = []
        self._span_us: tuple[int, int] | None = None
        self._packets = self._lost = 0

    def take(self, signals: Sequence[Signal]) -> None:
        """What some reads brought; blocks that only losses part are taken together."""
        together: list[Block] = []
        for signal in signals:
            if isinstance(signal, Block):
                if not signal.late and signal.channels:
                    self._begin(len(signal.channels), signal.times_us[0])
                    together.append(signal)
            elif self._start_us is not None:
                if signal.why != "lost":
                    self._add(together)
                    together = []
                self._gap(signal)
        self._add(together)

    def mark(self, marks: Sequence[Mark]) -> None:
        """What people and events put into the recording, as far as its packets go."""
        last_us = self._span_us[1] if self._span_us else 0
        for mark in marks:
            at_us = mark.time_us - (self._start_us or 0)
            if self._begin_us <= at_us <= last_us:
                self._events.append(Event(at_us, printable(mark.text, _MARK_WIDTH)))

    def result(self, scale: Scale) -> Gathered:
        if self._envelope is None or self._spectra is None or self._span_us is None:
            asked = self._begin_us or self._end_us is not None
            raise NegativeAnswer("no packet is in these seconds" if asked and self._start_us else "no packet")
        self._spectra.uv_per_count = scale.uv_per_count
        return Gathered(
            self._start_us or 0,
            self._span_us[0],
            self._span_us[1] + round(1_000_000 / self._rate_hz),
            self._rate_hz,
            scale,
            self._channels,
            self._envelope,
            self._spectra,
            sorted(self._events, key=lambda event: event.at_us)[:_EVENTS],
            self._packets,
            self._lost,
        )

    def _begin(self, count: int, start_us: int) -> None:
        if self._start_us is not None:
            if count != self._carried:
                raise ProtocolError(f"the recording has {self._carried} channels, and then {count}")
            return
        self._start_us, self._carried = start_us, count
        there = range(1, count + 1)
        self._channels = self._wish.channels or there
        for channel in self._channels:
            if channel not in there:
                raise UsageError(f"there is no channel {channel}", hint=f"there are 1 to {count}")
        self._envelope = Envelope(len(self._channels), 1_000_000 / self._rate_hz)
        self._spectra = Spectra(len(self._channels), self._rate_hz)

    def _add(self, blocks: Sequence[Block]) -> None:
        if not blocks or not self._envelope or not self._spectra:
            return
        at_us = _joined([block.times_us for block in blocks]) - (self._start_us or 0)
        self.ended = self._end_us is not None and int(at_us[-1]) >= self._end_us
        within = self._within(at_us)
        self._add_buttons(blocks)
        if not within.any():
            return
        sequence = np.concatenate([np.arange(b.sequence, b.sequence + len(b)) for b in blocks])
        channels = [channel - 1 for channel in self._channels]
        counts = np.array([_joined([b.channels[at] for b in blocks]) for at in channels]).astype(np.int16)
        at_us, sequence, counts = at_us[within], sequence[within], counts[:, within]
        low_us, high_us = int(at_us.min()), int(at_us.max())
        first_us, last_us = self._span_us or (low_us, high_us)
        self._span_us = min(first_us, low_us), max(last_us, high_us)
        self._packets += len(at_us)
        self._envelope.add(at_us - self._begin_us, counts)
        self._spectra.add(sequence, at_us - self._begin_us, counts)

    def _within(self, at_us: NDArray[np.int64]) -> NDArray[np.bool_]:
        within: NDArray[np.bool_] = at_us >= self._begin_us
        return within if self._end_us is None else within & (at_us < self._end_us)

    def _gap(self, gap: Gap) -> None:
        at_us = gap.time_us - (self._start_us or 0)
        if not self._within(np.array([at_us])).all():
            return
        if gap.why != "lost" and self._spectra:
            self._spectra.cut()
            self._events.append(Event(at_us, "restart" if gap.why == "restarted" else "away"))
        elif gap.count and self._envelope:
            count = gap.count
            if self._end_us is not None:
                count = min(count, int((self._end_us - at_us) * self._rate_hz / 1_000_000) + 1)
            self._envelope.add_lost(at_us - self._begin_us, count)
            self._lost += count

    def _add_buttons(self, blocks: Sequence[Block]) -> None:
        for change in chain.from_iterable(map(self._buttons.take, blocks)):
            at_us = change.time_us - (self._start_us or 0)
            if change.pressed and self._within(np.array([at_us])).all():
                self._events.append(Event(at_us, f"button {change.button}"))


def _columns(stretch: Stretch) -> Columns:
    """By numpy where it pays, which is long before it would pay to import it."""
    if len(stretch) < _LONG or stretch.layout.protocol != "p2":
        return columns(stretch)
    from kit.eeg import fast

    channels: Any = fast.columns(stretch)
    return channels  # type: ignore[no-any-return]


def _joined(parts: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    if len(parts) == 1:
        return np.asarray(parts[0], np.int64)
    return np.concatenate([np.asarray(part, np.int64) for part in parts])
