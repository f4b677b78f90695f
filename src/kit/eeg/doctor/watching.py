"""Watches a source for a while: the walk to a capture, with the kernel asked before and after."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from kit.eeg.dating import NOMINAL_RATE_HZ
from kit.eeg.doctor.facts import EndReason, Facts, Line, Unknown, risen
from kit.eeg.doctor.kernel import PortAtKernel, kind_of, latency_ms
from kit.eeg.doctor.metronome import Metronome
from kit.eeg.doctor.sight import Ending, Sight
from kit.eeg.records import Chunk
from kit.eeg.sources import DeviceGone, Source, open_source
from kit.eeg.sources.ports import Port, choose, list_ports

_ROOT = Path("/")


@dataclass(frozen=True)
class Wish:
    """What is to be watched, and how."""

    spec: str
    duration_s: float
    baud: int = 57_600
    protocol: str = "auto"
    rate_hz: Fraction = NOMINAL_RATE_HZ


def the_port() -> str:
    """The one port that an EEG board may be on; raises an error that lists them."""
    return choose(list_ports()).device


def watch(wish: Wish, *, begun: Callable[[], None], stopped: Callable[[], bool], root: Path = _ROOT) -> Facts:
    """Watch until the time is over, the input ends, the device is gone, or `stopped` says so.

    `begun` is called when the source is open, `root` is the system's. Raises what opening raises.
    """
    kind = kind_of(wish.spec)
    tty = Path(os.path.realpath(wish.spec)).name if kind == "port" else None
    port = _port(tty, root)
    driver = port.driver if port else None
    latency_before_ms = latency_ms(kind, tty, driver, root)
    source = open_source(wish.spec, baud=wish.baud)
    try:
        kernel = PortAtKernel(kind, _descriptor(source), driver)
        counters = kernel.counters()
        line = Line(
            name=wish.spec,
            kind=kind,
            tty=tty,
            product=port.product if port else None,
            driver=driver,
            asked_baud=wish.baud,
            baud=kernel.baud(),
            latency_before_ms=latency_before_ms,
            latency_ms=latency_ms(kind, tty, driver, root),
            low_latency=kernel.low_latency(),
        )
        sight = Sight(wish.protocol, wish.rate_hz, wish.baud)
        with Metronome() as metronome:
            begun()
            ending = _look(source, sight, metronome, wish.duration_s, stopped)
        # In this order bytes that come now make the kernel's account look too small, never too large.
        rose_by = risen(counters, kernel.counters())
        return Facts(line, rose_by, kernel.waiting(), sight.seen(ending))
    finally:
        source.close()


def _look(
    source: Source, sight: Sight, metronome: Metronome, duration_s: float, stopped: Callable[[], bool]
) -> Ending:
    """Take in what comes until there is an end to it."""
    why: EndReason = "end"
    gone = None
    begin_ns = time.monotonic_ns()
    try:
        for chunk in source.chunks():
            if isinstance(chunk, Chunk):
                sight.take(chunk)
            if stopped():
                why = "interrupt"
                break
            if time.monotonic_ns() - begin_ns >= duration_s * 1e9:
                why = "duration"
                break
    except DeviceGone as error:
        why, gone = "gone", str(error)
    worst_us = metronome.worst_us if source.live else Unknown("nobody waits for what a file or a pipe holds")
    return Ending(why, gone, (time.monotonic_ns() - begin_ns) / 1e9, metronome.late_us, worst_us)


def _port(tty: str | None, root: Path) -> Port | None:
    """What the system knows of the port."""
    if tty is None:
        return None
    return next(
        (port for port in list_ports(everything=True, root=root) if Path(port.device).name == tty), None
    )


def _descriptor(source: Source) -> int | None:
    fileno = getattr(source, "fileno", None)
    return fileno() if fileno else None
