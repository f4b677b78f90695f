"""The quantities of a capture, measured as its samples come. Pure.

Powers are of the last `window_s` seconds and are taken anew at each step. Their delay is half of the window;
a quantity with `fast_` is a band-pass and a mean of its square over the last quarter of a second instead.
Both have no value while there is an artefact in their window, nor before there is a whole one. Behind a loss
the filter begins anew, so that a fast quantity has no value for a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, sqrt

from kit.core.errors import UsageError
from kit.eeg.processing.artefacts import LIMITS, Artefact, Limits, artefacts, is_electrode_off
from kit.eeg.processing.bands import Band, band_power, relative
from kit.eeg.processing.blinks import Blink, BlinkDetector
from kit.eeg.processing.filters import band_pass
from kit.eeg.processing.spectrum import psd
from kit.eeg.processing.windows import Window
from kit.eeg.scale import Scale
from kit.eeg.watching.quantities import Quantity

WINDOW_S = 2.0
# Eight times a second: six channels cost 4 % of a core.
STEP_S = 0.125
FAST_WINDOW_S = 1.0
FAST_TAU_S = 0.25
_FAST_ORDER = 4
_LOST_S = 1.0
_SPECTRAL = ("power", "relative", "amplitude", "clean")


@dataclass(frozen=True)
class Settings:
    """How is measured: over which window, and what counts as clean."""

    window_s: float = WINDOW_S
    limits: Limits = LIMITS

    def check(self, rate_hz: float) -> None:
        """Raises UsageError."""
        if not 0.25 <= self.window_s <= 60 or self.window_s * rate_hz < 8:
            raise UsageError(f"a window of {self.window_s:g} s, where a quarter of one to 60 can be")


@dataclass(frozen=True, slots=True)
class Sight:
    """What the window of a channel shows: its spectrum if it is clean, why not if it is not, or neither."""

    powers: Sequence[float] | None
    why: tuple[Artefact, ...]


class ChannelSpectrum:
    """The newest window of a channel."""

    def __init__(self, rate_hz: float, window_s: float, scale: Scale, limits: Limits) -> None:
        self._rate_hz, self._scale, self._limits = rate_hz, scale, limits
        self.window = Window(round(window_s * rate_hz))
        self.step_hz = rate_hz / self.window.size
        self.sight = Sight(None, ())

    def look(self) -> None:
        """Renew what is seen."""
        self.sight = self._look()

    def skip(self, count: int) -> None:
        """Packets are missing; where nothing is left of the window, nothing is seen any more."""
        self.window.skip(count)
        if not self.window.is_full:
            self.sight = Sight(None, ())

    def _look(self) -> Sight:
        if not self.window.is_full:
            return Sight(None, ())
        counts = self.window.counts
        why = artefacts(counts, self._scale, self.window.lost, self._limits)
        if why:
            return Sight(None, why)
        factor = self._scale.uv_per_count  # the zero goes with the mean
        powers = psd([count * factor for count in counts], self._rate_hz)
        if is_electrode_off(powers, self.step_hz, self._limits):
            return Sight(None, ("electrode",))
        return Sight(powers, ())


class FastPower:
    """A band's power by a filter: µV², smoothed."""

    def __init__(self, band: Band, rate_hz: float, scale: Scale) -> None:
        self._filter = band_pass(band.low_hz, band.high_hz, rate_hz, _FAST_ORDER)
        self._scale = scale
        # The skirts of the two filters meet in a band as narrow as these.
        self._correction = self._filter.gain(sqrt(band.low_hz * band.high_hz), rate_hz) ** -2
        self._share = 1 - exp(-1 / (FAST_TAU_S * rate_hz))
        self._smoothed = 0.0

    @property
    def power(self) -> float:
        """As much as a sine in the middle of the band has."""
        return self._smoothed * self._correction

    def add(self, counts: Sequence[int]) -> None:
        zero, factor, share, power = self._scale.zero, self._scale.uv_per_count, self._share, self._smoothed
        for value in self._filter.feed([(count - zero) * factor for count in counts]):
            power += share * (value * value - power)
        self._smoothed = power

    def reset(self) -> None:
        self._filter.reset()
        self._smoothed = 0.0


class Meter:
    """Measures what is wanted, and nothing else. Channels count from 1."""

    def __init__(self, rate_hz: float, scale: Scale, settings: Settings, wanted: Iterable[Quantity]) -> None:
        settings.check(rate_hz)
        self._rate_hz, self._scale, self.limits = rate_hz, scale, settings.limits
        self._window_s = settings.window_s
        self._slow: dict[int, ChannelSpectrum] = {}
        self._brief: dict[int, ChannelSpectrum] = {}  # whether the fast ones have a value
        self._fast: dict[tuple[int, Band], FastPower] = {}
        self._blinks: dict[int, BlinkDetector] = {}
        self._seen = 0  # samples, lost ones too
        self._losses: deque[tuple[int, int]] = deque()
        for quantity in wanted:
            self._want(quantity)

    def bridges(self, count: int) -> bool:
        """Are so few packets missing that their window still counts as clean?"""
        return 0 < count <= self.limits.lost_share * self._window_s * self._rate_hz

    @property
    def channels(self) -> int:
        """The highest one that is looked at."""
        return max([*self._slow, *self._brief, *self._blinks], default=0)

    @property
    def sights(self) -> dict[int, Sight]:
        """What each channel's window shows."""
        return {number: spectrum.sight for number, spectrum in self._slow.items()}

    def watch_blinks(self, channel: int, least_uv: float | None = None) -> None:
        """Look for blinks on this channel."""
        if channel not in self._blinks:
            given = () if least_uv is None else (least_uv,)
            self._blinks[channel] = BlinkDetector(self._rate_hz, *given)

    def watch_artefacts(self, channel: int) -> None:
        """Look for artefacts on this channel."""
        if channel not in self._slow:
            self._slow[channel] = self._spectrum(self._window_s)

    def add(self, channels: Sequence[Sequence[int]]) -> list[tuple[int, Blink, int]]:
        """Some samples; the blinks that they complete: channel, blink, and how far back its peak lies."""
        count = len(channels[0]) if channels else 0
        self._seen += count
        for spectra in (self._slow, self._brief):
            for number, spectrum in spectra.items():
                spectrum.window.add(channels[number - 1])
        for (number, _), fast in self._fast.items():
            fast.add(channels[number - 1])
        zero, factor = self._scale.zero, self._scale.uv_per_count
        return [
            (number, blink, self._seen - blink.seen_at)
            for number, detector in self._blinks.items()
            for blink in detector.feed([(value - zero) * factor for value in channels[number - 1]])
        ]

    def skip(self, count: int) -> None:
        """So many packets are missing; 0 is nobody knows how many."""
        self._losses.append((self._seen, count))
        self._seen += count
        self._lost()
        for spectrum in self._slow.values():
            spectrum.skip(count)
        for fast in self._fast.values():
            fast.reset()
        for brief in self._brief.values():
            brief.skip(0)
        for detector in self._blinks.values():
            detector.skip(count)

    def step(self) -> None:
        """Look at the windows anew."""
        for spectra in (self._slow, self._brief):
            for spectrum in spectra.values():
                spectrum.look()

    def value(self, quantity: Quantity) -> float | None:
        """Of what does not change with each sample."""
        if quantity.kind == "lost":
            return float(self._lost())
        if quantity.kind == "fast" and quantity.band:
            clean = self._brief[quantity.number].sight.powers
            return None if clean is None else self._fast[quantity.number, quantity.band].power
        spectrum = self._slow[quantity.number]
        powers, step_hz = spectrum.sight.powers, spectrum.step_hz
        if quantity.kind == "clean":
            return None if powers is None and not spectrum.sight.why else float(powers is not None)
        if powers is None or quantity.band is None:
            return None
        if quantity.kind == "relative":
            return relative(powers, step_hz, quantity.band)
        power = band_power(powers, step_hz, quantity.band)
        return sqrt(power) if quantity.kind == "amplitude" else power

    def _want(self, quantity: Quantity) -> None:
        number, band = quantity.number, quantity.band
        if quantity.kind in _SPECTRAL:
            self.watch_artefacts(number)
        elif quantity.kind == "fast" and band:
            self._brief.setdefault(number, self._spectrum(FAST_WINDOW_S))
            self._fast.setdefault((number, band), FastPower(band, self._rate_hz, self._scale))
        elif quantity.kind == "blink":
            self.watch_blinks(number)

    def _spectrum(self, window_s: float) -> ChannelSpectrum:
        return ChannelSpectrum(self._rate_hz, window_s, self._scale, self.limits)

    def _lost(self) -> int:
        """How many packets were lost within the last second."""
        begin = self._seen - round(_LOST_S * self._rate_hz)
        while self._losses and sum(self._losses[0]) <= begin:
            self._losses.popleft()
        return sum(max(count, 1) for _, count in self._losses)
