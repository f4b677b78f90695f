"""Blinks of the eyes, which electrodes at the forehead show larger than the EEG. Pure.

A blink is a hump in the signal between 1 and 10 Hz: higher than `LEAST_UV` and than four times the usual
spread of the last ten seconds (by the median, which blinks hardly move), 40 to 400 ms wide at half of its
height, and alone for a quarter of a second. It may point up or down, which depends on the electrodes.

The filter takes a third off a blink's height, so that one of 75 µV is just found. A forerunner of this with a
threshold of 60 µV found 17 a minute in a real recording at the forehead, where people blink 9 to 20 times,
and 1 to 6 in others. Nobody labelled those, so how many of them are blinks is not known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from kit.eeg.processing.filters import Cascade, high_pass, low_pass

LEAST_UV = 50.0
LOW_HZ, HIGH_HZ = 1.0, 10.0
_SPREADS = 4
_MAD = 1.4826  # from the median of the deviations to the standard deviation of a normal distribution
_HISTORY_S, _THIN_S, _RENEW_S = 10.0, 1 / 64, 0.25
_NARROWEST_S, _WIDEST_S = 0.04, 0.4
_ALONE_S = 0.25
# Behind a blink the filter swings to the other side; for one of 0.4 s by two thirds of its height.
_REBOUND_S, _REBOUND = 0.6, 0.8


@dataclass(frozen=True, slots=True)
class Blink:
    """`at` and `seen_at` count samples since the detector was made: of the peak, and when it was sure.

    `height_uv` is that of the filtered signal, with its sign; `width_s` is at half of the height.
    """

    at: int
    seen_at: int
    height_uv: float
    width_s: float


class BlinkDetector:
    """Microvolts of one channel in, blinks out."""

    def __init__(self, rate_hz: float, least_uv: float = LEAST_UV) -> None:
        self.threshold_uv = least_uv
        self._least_uv = least_uv
        self._rate_hz = rate_hz
        # A steeper high-pass swings back behind a blink further than it swung out.
        below, above = high_pass(LOW_HZ, rate_hz, 1), low_pass(HIGH_HZ, rate_hz, 2)
        self._filter = Cascade([*below.sections, *above.sections])
        self._thin = max(round(_THIN_S * rate_hz), 1)
        self._renew = max(round(_RENEW_S * rate_hz), 1)
        self._history: deque[float] = deque(maxlen=max(round(_HISTORY_S * rate_hz) // self._thin, 1))
        self._recent: deque[float] = deque(maxlen=max(round(2 * _WIDEST_S * rate_hz), 2))
        self._seen = 0
        self._peak = 0.0  # of the hump that the signal is on, with its sign; 0 where it is on none
        self._peak_at = 0
        self._last: Blink | None = None

    def skip(self, count: int) -> None:
        """So many samples are missing: what comes next continues nothing."""
        self._seen += count
        self._filter.reset()
        self._recent.clear()
        self._peak = 0.0

    def feed(self, samples: Sequence[float]) -> list[Blink]:
        """The blinks that these samples complete."""
        blinks = []
        for value in self._filter.feed(samples):
            self._remember(value)
            size = abs(value)
            if self._peak and (size < abs(self._peak) / 2 or value * self._peak < 0):
                blink = self._judged()
                if blink:
                    self._last = blink
                    blinks.append(blink)
                self._peak = 0.0
            if size > self.threshold_uv and size > abs(self._peak):
                self._peak, self._peak_at = value, self._seen
            self._seen += 1
        return blinks

    def _remember(self, value: float) -> None:
        self._recent.append(value)
        if self._seen % self._thin == 0:
            self._history.append(value)
        if self._seen % self._renew == 0 and self._history:
            self.threshold_uv = max(self._least_uv, _SPREADS * _MAD * _median_deviation(self._history))

    def _judged(self) -> Blink | None:
        """The hump that ended with this sample, if it is a blink."""
        width_s = (self._seen - self._rose_at()) / self._rate_hz
        if not _NARROWEST_S <= width_s <= _WIDEST_S:
            return None
        if self._last:
            after_s = (self._peak_at - self._last.at) / self._rate_hz
            opposite = self._peak * self._last.height_uv < 0
            rebound = opposite and abs(self._peak) < _REBOUND * abs(self._last.height_uv)
            if after_s < _ALONE_S or (rebound and after_s < _REBOUND_S):
                return None
        return Blink(self._peak_at, self._seen, self._peak, width_s)

    def _rose_at(self) -> int:
        """When the hump passed half of its height on the way up."""
        half = self._peak / 2
        back = self._seen - self._peak_at
        recent = list(self._recent)[: len(self._recent) - back]
        for ago, value in enumerate(reversed(recent)):
            if value * half <= 0 or abs(value) < abs(half):
                return self._peak_at - ago
        return self._peak_at - len(recent)


def _median_deviation(values: Sequence[float] | deque[float]) -> float:
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2]
    return sorted(abs(value - middle) for value in ordered)[len(ordered) // 2]
