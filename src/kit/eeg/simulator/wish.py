"""What is wished for of a simulated device. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from kit.eeg.sending.passages import packets_together
from kit.eeg.simulator.device import Protocol
from kit.eeg.simulator.faults import Fault


@dataclass(frozen=True)
class Wish:
    """A device and its line. `speed` is that many times real time, None as quick as it goes."""

    protocol: Protocol = "p2"
    channels: int = 6
    rate_hz: Fraction = Fraction(256)
    duration_s: Fraction | None = None
    count: int | None = None
    seed: int = 1
    speed: Fraction | None = Fraction(1)
    mains_hz: int = 50
    gain: Fraction = Fraction(1)
    bursts: bool = False
    faults: tuple[Fault, ...] = ()

    @property
    def block(self) -> int:
        """How many packets go together: one at real time, more where the writes would be too many."""
        return packets_together(self.rate_hz, self.speed)
