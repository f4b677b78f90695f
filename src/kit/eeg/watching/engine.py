"""Signals in, events out: what is wished for is measured, step by step, and each condition is asked. Pure.

A step is an eighth of a second of samples. Conditions that depend on a sample are asked at each of them, the
others at each step; so all that comes out depends on the samples alone, and not on how they came in blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kit.core.errors import UsageError
from kit.eeg.processing.artefacts import TOP, Artefact
from kit.eeg.scale import Scale
from kit.eeg.signals import Block, Buttons, Gap, Signal
from kit.eeg.watching.conditions import Condition, Trigger
from kit.eeg.watching.events import ArtefactChange, Blinked, Event, Returned, Value
from kit.eeg.watching.expressions import Numeric, Percentile, quantities
from kit.eeg.watching.measuring import STEP_S, Meter, Settings
from kit.eeg.watching.quantities import Quantity


@dataclass(frozen=True)
class Wanted:
    """What to tell of, beside gaps, buttons and returns: of conditions, values (an expression with its text),
    and of channels (from 1) blinks, with the least height, and artefacts."""

    conditions: Sequence[Condition] = ()
    values: Sequence[tuple[str, Numeric]] = ()
    blinks: dict[int, float | None] = field(default_factory=dict)
    artefacts: Sequence[int] = ()

    @property
    def quantities(self) -> list[Quantity]:
        """All that has to be measured."""
        found = [one for condition in self.conditions for one in condition.quantities]
        return found + [one for _, expression in self.values for one in quantities(expression)]


class Engine:
    """Watches one capture."""

    def __init__(
        self, wanted: Wanted, rate_hz: float, scale: Scale | None = None, settings: Settings | None = None
    ) -> None:
        self._wanted = wanted
        self._meter = Meter(rate_hz, scale or Scale(), settings or Settings(), wanted.quantities)
        for channel, least_uv in wanted.blinks.items():
            self._meter.watch_blinks(channel, least_uv)
        for channel in wanted.artefacts:
            self._meter.watch_artefacts(channel)
        self._period_us = 1_000_000 / rate_hz
        self._step = max(round(STEP_S * rate_hz), 1)
        triggers = self._triggers = [
            Trigger(one, at, self._step / rate_hz) for at, one in enumerate(wanted.conditions)
        ]
        self._instant = [trigger for trigger in triggers if trigger.condition.is_instant]
        self._steady = [trigger for trigger in triggers if not trigger.condition.is_instant]
        samples = [one.number for one in wanted.quantities if one.kind == "sample"]
        self._channels = max([self._meter.channels, *samples])
        self._buttons = Buttons()
        self._until_step = self._step
        self._dirty: dict[int, tuple[Artefact, ...]] = dict.fromkeys(wanted.artefacts, ())
        self._away = False
        self._now = _Now(self._meter, scale or Scale())

    @property
    def unfinished(self) -> list[str]:
        """The conditions whose baseline is not complete."""
        return [trigger.condition.text for trigger in self._triggers if trigger.is_collecting]

    def level(self) -> tuple[float | None, float | None]:
        """The two sides of the first condition's first comparison now."""
        self._now.thresholds = self._triggers[0]
        return self._triggers[0].sides(self._now)

    def take(self, signals: Sequence[Signal]) -> list[Event]:
        """What these signals bring; what came late was told of as lost, and stays so."""
        events: list[Event] = []
        for signal in signals:
            if isinstance(signal, Gap):
                events += self._skip(signal)
            elif not signal.late:
                events += self._take(signal)
        return events

    def _skip(self, gap: Gap) -> Iterator[Event]:
        yield gap
        self._away = self._away or gap.why == "away"
        self._meter.skip(gap.count)
        self._until_step = max(self._until_step - gap.count, 1)
        if self._meter.bridges(gap.count):
            return
        self._now.forget()
        for trigger in (*self._instant, *self._steady):
            yield from self._asked(trigger, gap.sequence, gap.time_us)

    def _take(self, block: Block) -> Iterator[Event]:
        if len(block.channels) < self._channels:
            raise UsageError(
                f"there is no channel {self._channels} to watch: the device has {len(block.channels)}"
            )
        if self._away:
            self._away = False
            yield Returned(block.sequence, block.times_us[0])
        at = 0
        while at < len(block):
            end = min(at + self._until_step, len(block))
            piece = block.part(at, end)
            yield from self._buttons.take(piece)
            yield from self._take_piece(piece)
            self._until_step -= end - at
            if not self._until_step:
                self._until_step = self._step
                yield from self._take_step(piece.sequence + len(piece) - 1, piece.times_us[-1])
            at = end

    def _take_piece(self, piece: Block) -> Iterator[Event]:
        blinks: dict[int, set[int]] = {}
        end = piece.sequence + len(piece)
        for channel, blink, ago in self._meter.add(piece.channels):
            seen_at = end - ago
            blinks.setdefault(seen_at, set()).add(channel)
            if channel in self._wanted.blinks:
                seen_us = piece.times_us[max(seen_at - piece.sequence, 0)]
                peak_us = int(seen_us - (blink.seen_at - blink.at) * self._period_us)
                sequence = seen_at - (blink.seen_at - blink.at)
                yield Blinked(channel, sequence, peak_us, seen_us, blink.height_uv, blink.width_s)
        if not self._instant:
            self._now.buttons = piece.buttons[-1]
            return
        now = self._now
        rows = zip(*piece.channels, strict=True) if piece.channels else ((),) * len(piece)
        for at, row in enumerate(rows):
            sequence = piece.sequence + at
            now.row, now.buttons = row, piece.buttons[at]
            now.blinks = blinks.get(sequence, set())
            for trigger in self._instant:
                yield from self._asked(trigger, sequence, piece.times_us[at])

    def _take_step(self, sequence: int, time_us: int) -> Iterator[Event]:
        self._meter.step()
        for trigger in (*self._instant, *self._steady):
            self._now.thresholds = trigger
            yield from trigger.collect(self._now, sequence, time_us)
        for trigger in self._steady:
            yield from self._asked(trigger, sequence, time_us)
        for number, (text, expression) in enumerate(self._wanted.values):
            yield Value(text, number, sequence, time_us, expression.value(self._now))
        sights = self._meter.sights
        for channel, before in self._dirty.items():
            why = sights[channel].why
            if why != before and (why or sights[channel].powers):
                self._dirty[channel] = why
                yield ArtefactChange(channel, sequence, time_us, why)

    def _asked(self, trigger: Trigger, sequence: int, time_us: int) -> Iterator[Event]:
        self._now.thresholds = trigger
        crossing = trigger.look(self._now, sequence, time_us)
        if crossing:
            yield crossing


class _Now:
    """What an expression sees: the sample, and what is measured of those before."""

    def __init__(self, meter: Meter, scale: Scale) -> None:
        self._meter = meter
        self._scale = scale
        # A sample that is clipped says only that there was more.
        self._low, self._high = meter.limits.rail_counts, TOP - meter.limits.rail_counts
        self.row: Sequence[int] = ()
        self.buttons: int | None = None
        self.blinks: set[int] = set()
        self.thresholds: Trigger | None = None

    def forget(self) -> None:
        self.row, self.blinks, self.buttons = (), set(), None

    def value(self, quantity: Quantity) -> float | None:
        kind, number = quantity.kind, quantity.number
        if kind == "sample":
            count = self.row[number - 1] if self.row else 0
            return self._scale.microvolts(count) if self._low < count < self._high else None
        if kind == "button":
            return None if self.buttons is None else float(not self.buttons >> (number - 1) & 1)
        if kind == "blink":
            return float(number in self.blinks)
        return self._meter.value(quantity)

    def threshold(self, percentile: Percentile) -> float | None:
        return self.thresholds.threshold(percentile) if self.thresholds else None
