"""The sink that hands a capture to LSL.

LSL has threads and buffers of its own, so a push waits for nobody; who reads too slowly loses what is older
than its buffer holds, six minutes as a rule. The streams appear with the first packet, as only that tells how
many channels there are.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from kit.core.errors import ProtocolError
from kit.eeg.feeding import Batch
from kit.eeg.reading import Stream
from kit.eeg.signals import Block, Buttons, Gap
from kit.eeg.streaming import library, markers
from kit.eeg.streaming.description import Origin
from kit.eeg.streaming.opening import Opened, Opener, OutletWish
from kit.eeg.streaming.stamps import Moment, Placed, Stamps, stamp_among

# What was pushed last is still on its way to who reads it when LSL takes the stream away.
_LAST_WAY_S = 0.2


class Outlet:
    """An EEG stream and a stream of markers; `tell` hears once that they are there."""

    def __init__(self, opener: Opener, stream: Stream, tell: Callable[[Opened], None]) -> None:
        self._opener = opener
        self._stream = stream
        self._stamps = Stamps(stream.dating.rate_hz, stream.live)
        self._tell = tell
        self._buttons = Buttons()
        self._eeg: Any = None
        self._markers: Any = None
        self._channels = 0

    def take(self, batch: Batch) -> None:
        moment = Moment(int(self._opener.pylsl.local_clock() * 1_000_000), time.time_ns() // 1000)
        placed: list[Placed] = []
        for signal in batch.signals:
            if isinstance(signal, Gap):
                self._mark(self._stamps.of_gap(signal, moment), markers.of_gap(signal))
            elif signal.late:
                self._mark(self._stamps.of_sequence(signal.sequence), markers.of_late(signal))
            elif signal.channels:
                placed.append((signal.times_us, self._push(signal, moment)))
        for mark in batch.marks:
            stamp_us = stamp_among(placed, mark.time_us)
            self._mark(moment.of_wall(mark.time_us) if stamp_us is None else stamp_us, mark.text)

    def close(self, reason: str) -> None:
        if self._eeg is None:
            return
        if self._eeg.have_consumers() or self._markers.have_consumers():
            time.sleep(_LAST_WAY_S)
        self._eeg = self._markers = None

    def _push(self, block: Block, moment: Moment) -> list[int]:
        """The stamps that its packets got."""
        self._open(len(block.channels))
        stamps_us = self._stamps.of_block(block, moment)
        self._eeg.push_chunk(self._rows(block), [stamp_us / 1_000_000 for stamp_us in stamps_us])
        for stamp_us, text in markers.of_buttons(self._buttons, block, stamps_us):
            self._mark(stamp_us, text)
        return stamps_us

    def _rows(self, block: Block) -> list[tuple[float, ...]]:
        wish = self._opener.wish
        if wish.units == "adc":
            return list(zip(*block.channels, strict=True))
        return list(zip(*(map(wish.scale.microvolts, column) for column in block.channels), strict=True))

    def _mark(self, stamp_us: int, text: str) -> None:
        if self._markers is not None:
            self._markers.push_sample([text], stamp_us / 1_000_000)

    def _open(self, channels: int) -> None:
        if self._eeg is None:
            self._channels = channels
            self._opener = self._opener.scaled(self._stream.scale)
            self._eeg, self._markers, opened = self._opener.open(channels)
            self._tell(opened)
        if channels != self._channels:
            raise ProtocolError(f"the device has {channels} channels now, and the stream {self._channels}")


def make_outlet(stream: Stream, wish: OutletWish, tell: Callable[[Opened], None]) -> Outlet:
    """The sink for a stream's packets; raises Unavailable where LSL is not installed."""
    opener = Opener(library.load(wish.lan), wish, _origin(stream), float(stream.dating.rate_hz))
    return Outlet(opener, stream, tell)


def _origin(stream: Stream) -> Origin:
    from kit.eeg.sources.ports import list_ports, port_at

    host = socket.gethostname()
    port = port_at(stream.name, list_ports()) if stream.live else None
    if port is None:
        return Origin(stream.name, host)
    return Origin(stream.name, host, port.manufacturer, port.product, port.serial_number)
