"""A simulated device put together, and where its chances come from."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from kit.core.errors import UsageError
from kit.eeg.simulator.device import Device
from kit.eeg.simulator.faults import Schedule
from kit.eeg.simulator.line import Extent, Line
from kit.eeg.simulator.signal import Signal
from kit.eeg.simulator.truth import Ledger, Write
from kit.eeg.simulator.wish import Wish


@dataclass(frozen=True)
class Simulation:
    """The line, and the ledger that whoever sends its bytes must keep."""

    line: Line
    ledger: Ledger


def simulate(wish: Wish, write: Write | None = None) -> Simulation:
    """Switch the device on; `write` is given each record of the truth."""
    if wish.protocol == "p2" and wish.channels != 6:
        raise UsageError(f"P2 has six channels, not {wish.channels}", hint="--protocol p3 has 0, 2, 4 or 6")
    chance = _chance(wish, "signal")
    signal = Signal(chance, wish.rate_hz, wish.mains_hz, wish.gain, bursts=wish.bursts)
    device = Device(wish.protocol, wish.channels, signal)
    for fault in wish.faults:
        if fault.byte is not None and fault.byte >= device.layout.size:
            raise UsageError(f"no byte {fault.byte} in a packet of {device.layout.size} bytes")
    schedules = [
        Schedule(fault, wish.rate_hz, _chance(wish, f"when {at}"), _chance(wish, f"what {at}"))
        for at, fault in enumerate(wish.faults)
    ]
    slots = None if wish.duration_s is None else round(wish.duration_s * wish.rate_hz)
    ledger = Ledger(device.layout, write)
    return Simulation(Line(device, wish.rate_hz, schedules, ledger, Extent(wish.count, slots)), ledger)


def _chance(wish: Wish, purpose: str) -> Random:
    """A generator for one purpose alone; not a secret, and the same everywhere."""
    return Random(f"{wish.seed} {purpose}")  # noqa: S311
