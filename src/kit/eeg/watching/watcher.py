"""A watcher among the sinks of a capture: its engine's events go to actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from kit.eeg.batch import Batch
from kit.eeg.signals import Gap, Signal
from kit.eeg.watching.commands import Command
from kit.eeg.watching.engine import Engine
from kit.eeg.watching.events import Crossing, Event
from kit.eeg.watching.measuring import STEP_S
from kit.eeg.watching.telling import environment
from kit.eeg.watching.tone import Clock, Tone

# A long gap is two seconds of silence.
_SILENCE_STEPS = round(2 / STEP_S)


class Action(Protocol):
    """What is done with an event."""

    def act(self, event: Event) -> None:
        """At once: what takes time has a thread of its own."""

    def close(self) -> None:
        """There are no more."""


class Outlet(Protocol):
    """What sounds."""

    def write(self, data: bytes) -> None:
        """Some samples."""

    def close(self) -> None:
        """There are no more."""


class Showing:
    """A function that is called with each event, such as one that prints."""

    def __init__(self, show: Callable[[Event], None]) -> None:
        self._show = show

    def act(self, event: Event) -> None:
        self._show(event)

    def close(self) -> None:
        pass


class Running:
    """Commands: one for all conditions, or one for each."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self._commands = commands

    def act(self, event: Event) -> None:
        if isinstance(event, Crossing) and event.on:
            command = self._commands[event.number if len(self._commands) > 1 else 0]
            command.start(environment(event))

    def close(self) -> None:
        for command in self._commands:
            command.close()


class Sounding:
    """The tone of the first condition."""

    def __init__(self, outlet: Outlet, rate_hz: float) -> None:
        self._outlet = outlet
        self._tone, self._clock = Tone(), Clock(rate_hz)

    def passed(self, packets: int, engine: Engine) -> None:
        """So many packets have passed."""
        value, threshold = engine.level()
        ratio = value / threshold if value is not None and threshold else None
        self._outlet.write(self._tone.render(ratio, self._clock.samples(packets)))

    def close(self) -> None:
        self._outlet.close()


class Watcher:
    """Feeds the engine, which `make` makes: at once, and anew when the first signals tell the scale."""

    def __init__(
        self,
        make: Callable[[], Engine],
        actions: Sequence[Action],
        rate_hz: float,
        outlet: Outlet | None = None,
    ) -> None:
        self._make = make
        self._engine = make()
        self._begun = False
        self._actions = actions
        self._sounding = Sounding(outlet, rate_hz) if outlet else None
        self._piece = max(round(STEP_S * rate_hz), 1)

    @property
    def unfinished(self) -> list[str]:
        """The conditions whose baseline is not complete."""
        return self._engine.unfinished

    def take(self, batch: Batch) -> None:
        """What a batch brings is told of at once."""
        if batch.signals and not self._begun:
            self._engine, self._begun = self._make(), True
        if not self._sounding:
            self._act(batch.signals)
            return
        for signal in batch.signals:
            if isinstance(signal, Gap) or signal.late:
                self._act([signal])
                missing = signal.count if isinstance(signal, Gap) else 0
                self._sounding.passed(min(missing, _SILENCE_STEPS * self._piece), self._engine)
                continue
            for at in range(0, len(signal), self._piece):
                piece = signal.part(at, min(at + self._piece, len(signal)))
                self._act([piece])
                self._sounding.passed(len(piece), self._engine)

    def close(self, _reason: str) -> None:
        """Commands and sound come to their end."""
        for action in self._actions:
            action.close()
        if self._sounding:
            self._sounding.close()

    def _act(self, signals: Sequence[Signal]) -> None:
        for event in self._engine.take(signals):
            for action in self._actions:
                action.act(event)
