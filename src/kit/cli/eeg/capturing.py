"""What view, watch, record and stream have in common: a capture from any source, and what it is told of."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from kit.cli.eeg.endings import StopSignal
from kit.cli.eeg.scales import scale_of
from kit.core.output import Output
from kit.eeg.feeding import Feeding
from kit.eeg.reading import TOGETHER_S, Stream
from kit.eeg.reading import open as open_stream
from kit.eeg.scale import Scale
from kit.eeg.summary import complaint, summary

_STANDARD = "-"


@dataclass(frozen=True)
class CaptureWish:
    """Which source, and how it is to be read."""

    source: str | None
    form: str | None
    scale: Scale
    duration_s: float | None
    reconnect: bool
    protocol: str
    baud: int
    rate_hz: Fraction


def open_capture(wish: CaptureWish, together_s: float = TOGETHER_S, *, restful: bool = False) -> Stream:
    """The stream; without a source it is what is piped in, or else the port that a board is on.

    A restful one wakes up once for what is handed on together, and dates packets by that.
    """
    source = wish.source
    if source is None and _is_piped():
        source = _STANDARD
    stream = open_stream(
        source,
        protocol=wish.protocol,
        baud=wish.baud,
        rate_hz=wish.rate_hz,
        reconnect=wish.reconnect,
        duration_s=wish.duration_s,
        form=wish.form,
        scale=wish.scale,
        together_s=together_s,
    )
    stream.restful = restful
    return stream


def feed(feeding: Feeding, stop: StopSignal, every_s: float, look: Callable[[], None] | None = None) -> None:
    """Feed to the end, or until a signal comes; `look` meanwhile. Raises what ended it."""
    feeding.start()
    while feeding.running:
        feeding.join(every_s)
        if look:
            look()
        if stop.number:
            feeding.stop()
    feeding.join()


def calibrated(wish: CaptureWish) -> CaptureWish:
    """The same with the scale of its device, if that was calibrated and no other one is asked for."""
    if wish.source is None and _is_piped():
        return wish
    return replace(wish, scale=scale_of(wish.scale, wish.source))


def tell(stream: Stream, output: Output) -> None:
    """What the capture came to, for a person; raises where it was none."""
    for line in summary(stream.tally):
        output.note(f"kit: {line}")
    error = complaint(stream.tally, stream.name, stream.received)
    if error:
        raise error


def _is_piped() -> bool:
    """Does somebody send something to standard input? A terminal and /dev/null do not."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
