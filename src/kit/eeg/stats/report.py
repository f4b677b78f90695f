"""What is known of a capture, as frozen records; words and JSON are made of these. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from kit.eeg.clock import Rate
from kit.eeg.stats.arrival import ArrivalFigures
from kit.eeg.stats.losses import Patterns
from kit.eeg.stats.skipped import Look
from kit.eeg.stats.timeline import Bucket

# Of fewer packets nobody can say that their counters are no sequence.
_CHANCE_FROM = 64


@dataclass(frozen=True)
class Stream:
    """What the input is; `keeps_bytes` if it has the bytes that were skipped, too."""

    format: str
    protocol: str | None
    packet_size: int
    period: int
    keeps_bytes: bool
    rate_hz: Fraction


@dataclass(frozen=True)
class LossFigures:
    """What was lost. `low` and `high` enclose `lost`; shares are between 0 and 1, with 95 % bounds."""

    lost: int
    low: int
    high: int
    away: int
    by_time: int
    may_be_restarts: int
    share: float
    share_low: float
    share_high: float
    effect: float
    patterns: Patterns
    course: tuple[Bucket, ...]
    course_width: int


@dataclass(frozen=True)
class SkippedFigures:
    """Bytes of no packet; `leading` before the first one, `inserted` where no packet was lost."""

    bytes: int
    runs: int
    leading: int
    inserted: int
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class HumFigures:
    """The swing at one mains frequency, in counts, and its share of the channel's power."""

    hz: int
    amplitude: float
    share: float


@dataclass(frozen=True)
class ChannelFigures:
    """One channel in counts; `longest_flat` is how many packets in a row had one value."""

    low: int
    high: int
    mean: float
    deviation: float
    clipped: int
    clipped_share: float
    longest_flat: int
    hum: tuple[HumFigures, ...]


@dataclass(frozen=True)
class Report:
    """Everything."""

    stream: Stream
    packets: int
    bytes: int
    duration_s: float
    rate: Rate | None
    losses: LossFigures
    arrivals: ArrivalFigures | None
    skipped: SkippedFigures
    duplicates: int
    reordered: int
    restarts: int
    restarts_or_lost: int
    interruptions: int
    hum_seconds: int
    channels: tuple[ChannelFigures, ...]

    @property
    def expected(self) -> int:
        """How many packets there would be without losses."""
        return self.packets + self.losses.lost

    @property
    def measured_times(self) -> bool:
        """Did a clock see the packets come, so that the time tells what a counter cannot?"""
        return self.arrivals is not None and not self.arrivals.computed

    @property
    def is_foreign(self) -> bool:
        """Is there nothing in it, or only what chance puts there: packets whose counters are no sequence?"""
        gaps = self.losses.patterns.gaps + self.restarts
        if not self.packets:
            return self.bytes > 0
        if self.packets < _CHANCE_FROM or gaps < 0.9 * self.packets:
            return False
        mean = self.losses.patterns.lost / max(1, self.losses.patterns.gaps)
        return 0.35 < mean / self.stream.period < 0.65
