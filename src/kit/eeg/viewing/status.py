"""How the capture goes, in words for the status line. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from kit.core.stats import median
from kit.eeg.batch import Batch
from kit.eeg.records import Ended, Interrupted, Run
from kit.eeg.tally import Tally
from kit.eeg.viewing.filtering import FilterWish
from kit.eeg.viewing.frame import Word

_MEASURED = 64
_RATE_NS = 1_000_000
_RATE_STEPS = 10
_ENDS = {
    "end": "the input ended",
    "count": "all packets that were wished for are here",
    "duration": "the time is over",
    "interrupt": "stopped",
    "error": "the capture failed",
}


class Pulse:
    """Rate, delay, packets and losses, counted as they pass."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.ended: str | None = None
        self._reason: str | None = None
        self._steps: deque[tuple[int, int]] = deque(maxlen=_RATE_STEPS)  # sequence numbers and their times
        self._delays_ms: deque[float] = deque(maxlen=_MEASURED)
        self._arrived_us: tuple[int, int] | None = (
            None  # when the first and the last came that are in no frame
        )
        self._framed_us: tuple[int, int] | None = None  # and those that are in the last one

    def take(self, batch: Batch) -> None:
        """One more batch."""
        self.tally.extend(batch.items)
        for item in batch.items:
            if isinstance(item, Run) and not item.repeated and len(item.stretch):
                self._take(item)
            elif isinstance(item, Interrupted):
                self._steps.clear()
            elif isinstance(item, Ended):
                self._reason = item.reason  # it knows of a limit, which the feeding does not

    def _take(self, run: Run) -> None:
        times = run.times
        if times is None:
            return
        sampled = times.sampled_us or times.wall_us
        if sampled and (not self._steps or sampled[-1] - self._steps[-1][1] >= _RATE_NS):
            self._steps.append((run.sequence + len(sampled), sampled[-1]))
        if times.monotonic_us:
            first = self._arrived_us[0] if self._arrived_us else times.monotonic_us[0]
            self._arrived_us = (first, times.monotonic_us[-1])

    def close(self, reason: str) -> None:
        """Nothing more will come."""
        self.ended = self._reason or reason if reason == "end" else reason

    def framed(self, visible: bool) -> None:
        """What came is in a frame, and to be seen in it or not."""
        self._framed_us, self._arrived_us = self._arrived_us if visible else None, None

    def shown(self, now_ns: int) -> None:
        """A person sees that frame since this moment of the monotonic clock."""
        if self._framed_us:
            self._delays_ms.append(now_ns / 1_000_000 - sum(self._framed_us) / 2000)
            self._framed_us = None

    @property
    def rate_hz(self) -> float | None:
        """As the times of the last seconds say; None as long as they say nothing."""
        if len(self._steps) < 3:
            return None
        (first, begun_us), (last, ended_us) = self._steps[0], self._steps[-1]
        return (last - first) * 1_000_000 / (ended_us - begun_us) if ended_us > begun_us else None

    @property
    def delay_ms(self) -> float | None:
        """From the arrival of a byte to the picture that shows it, the median of the last pictures."""
        return median(list(self._delays_ms)) if self._delays_ms else None

    def words(self) -> Iterable[Word]:
        """For the status line."""
        if self.rate_hz and not self.ended:
            yield Word(f"{self.rate_hz:.1f} Hz")
        if self.delay_ms is not None and not self.ended:
            yield Word(f"{self.delay_ms:.0f} ms", "quiet" if self.delay_ms < 100 else "warn")
        yield Word(f"{self.tally.packets:,} packets")
        lost = self.tally.lost
        yield (
            Word(f"{lost:,} lost ({self.tally.loss_percent:.2f} %)", "bad")
            if lost
            else Word("none lost", "good")
        )

    @property
    def end(self) -> str | None:
        """Why nothing more comes, if so."""
        return _ENDS.get(self.ended, self.ended) if self.ended else None


def button_words(buttons: Sequence[bool | None]) -> Iterator[Word]:
    """Which are pressed; nothing where nobody knows."""
    if any(pressed is not None for pressed in buttons):
        shown = "".join("●" if pressed else "○" for pressed in buttons)
        yield Word(f"buttons {shown}", "warn" if any(buttons) else "quiet")


def filter_words(wish: FilterWish) -> str:
    """The filters in a few characters."""
    low, high = wish.high_pass_hz, wish.low_pass_hz
    parts = []
    if low and high:
        parts.append(f"{low:g}-{high:g} Hz")
    elif low or high:
        parts.append(f"above {low:g} Hz" if low else f"below {high:g} Hz")
    if wish.notch_hz:
        parts.append(f"without {wish.notch_hz:g} Hz")
    return ", ".join(parts) or "unfiltered"
