"""Who wants to be told of what: the `on_…` functions of an open capture, and the calls they lead to. Pure.

What watches is imported when something is asked for, and events are known by the names of their classes: who
only reads a capture pays for none of it (a third of what importing `kit.eeg.reading` takes).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from kit.core.errors import UsageError

if TYPE_CHECKING:
    from kit.eeg.scale import Scale
    from kit.eeg.watching.conditions import Condition
    from kit.eeg.watching.engine import Engine
    from kit.eeg.watching.events import Event
    from kit.eeg.watching.expressions import Numeric
    from kit.eeg.watching.quantities import Vocabulary

_CHANNELS = 6
_F = TypeVar("_F", bound=Callable[..., Any])
Handler = Callable[[Exception, Callable[..., Any]], None]
_Concerns = Callable[[Any], bool]


class Subscribing:
    """Callbacks, asked for before the capture runs. Each `on_…` can stand over a function, as `@…`."""

    def __init__(self) -> None:
        self._bands: dict[str, tuple[float, float]] = {}
        self._window_s: float | None = None
        self._conditions: list[Condition] = []
        self._values: list[tuple[str, Numeric]] = []
        self._blink_channels: dict[int, float | None] = {}
        self._artefact_channels: list[int] = []
        self._on: list[tuple[str, _Concerns, Callable[..., Any]]] = []
        self._packet_callbacks: list[Callable[..., Any]] = []
        self._error_handlers: list[Handler] = []

    def define_band(self, name: str, low_hz: float, high_hz: float) -> None:
        """A band of one's own, for the expressions that follow; half-open as the others are."""
        self._words().with_band(name, low_hz, high_hz)
        self._bands[name] = (low_hz, high_hz)

    def measure_over(self, window_s: float) -> None:
        """The window that the power of a band is of; its delay is half of that. Two seconds, if not said."""
        self._window_s = window_s

    def on_packet(self, callback: _F) -> _F:
        """Each packet, as a `Sample`."""
        self._packet_callbacks.append(callback)
        return callback

    def on_loss(self, callback: _F) -> _F:
        """Each gap in the packets, as a `Gap`, whose `why` says whether they were lost or the device away."""
        return self._subscribe("Gap", _all, callback)

    def on_button(self, callback: _F) -> _F:
        """Each press and release, as a `ButtonChange`."""
        return self._subscribe("ButtonChange", _all, callback)

    def on_away(self, callback: _F) -> _F:
        """A device that goes away, as a `Gap`; with `open(…, reconnect=True)` the capture goes on."""
        return self._subscribe("Gap", lambda gap: bool(gap.why == "away"), callback)

    def on_back(self, callback: _F) -> _F:
        """A device that sends again, as a `Returned`."""
        return self._subscribe("Returned", _all, callback)

    def on_cross(  # noqa: PLR0913 - all but two by name, each with a default
        self,
        condition: str,
        callback: Callable[..., Any] | None = None,
        *,
        both: bool = False,
        hysteresis: float = 0.1,
        refractory_s: float = 0.0,
        baseline_s: float | None = None,
    ) -> Any:
        """A condition (`alpha1 > 12 for 0.5s`) that comes true, as a `Crossing`; with `both` its end, too."""
        from kit.eeg.watching.conditions import Rules, read

        self._conditions.append(read(condition, self._words(), Rules(hysteresis, refractory_s, baseline_s)))
        number = len(self._conditions) - 1
        return self._maybe("Crossing", lambda one: one.number == number and (both or one.on), callback)

    def on_baseline(self, callback: _F) -> _F:
        """A baseline that is complete, as a `BaselineTaken` with the threshold that came of it."""
        return self._subscribe("BaselineTaken", _all, callback)

    def on_band(
        self, band: str, callback: Callable[..., Any] | None = None, *, channel: int = 1, dirty: bool = False
    ) -> Any:
        """The power of a band, or any expression (`theta/alpha`), eight times a second as a `Value`.

        Where the window is not clean there is no value, and the callback is called (with None) only if
        `dirty` says so.
        """
        from kit.eeg.watching.grammar import read_value

        self._values.append((band, read_value(band, self._words(_channel(channel)))))
        number = len(self._values) - 1

        def concerns(value: Any) -> bool:
            return value.number == number and (dirty or value.value is not None)

        return self._maybe("Value", concerns, callback)

    def on_blink(
        self,
        callback: Callable[..., Any] | None = None,
        *,
        channel: int = 1,
        least_uv: float | None = None,
    ) -> Any:
        """Each blink that a channel at the forehead shows, as a `Blinked`."""
        self._blink_channels[_channel(channel)] = least_uv
        return self._maybe("Blinked", lambda blink: bool(blink.channel == channel), callback)

    def on_artefact(self, callback: Callable[..., Any] | None = None, *, channel: int = 1) -> Any:
        """The window of a channel that gets dirty (`why` says by what), or clean, as an `ArtefactChange`."""
        self._artefact_channels.append(_channel(channel))
        return self._maybe("ArtefactChange", lambda change: bool(change.channel == channel), callback)

    def on_error(self, handler: Handler) -> Handler:
        """What a callback raises, instead of a message of `logging`: the error, and whose it is."""
        self._error_handlers.append(handler)
        return handler

    def _maybe(self, kind: str, concerns: _Concerns, callback: Callable[..., Any] | None) -> Any:
        """The subscription, or (as `@capture.on_cross(…)`) what makes it."""
        if callback is not None:
            return self._subscribe(kind, concerns, callback)
        return lambda function: self._subscribe(kind, concerns, function)

    def _subscribe(self, kind: str, concerns: _Concerns, callback: _F) -> _F:
        self._on.append((kind, concerns, callback))
        return callback

    def _words(self, channel: int = 1) -> Vocabulary:
        from kit.eeg.watching.quantities import Vocabulary

        words = Vocabulary(channel=channel)
        for name, edges_hz in self._bands.items():
            words = words.with_band(name, *edges_hz)
        return words

    def _engine(self, rate_hz: float, scale: Scale) -> Engine:
        from kit.eeg.watching.engine import Engine, Wanted
        from kit.eeg.watching.measuring import Settings

        wanted = Wanted(self._conditions, self._values, self._blink_channels, self._artefact_channels)
        settings = Settings() if self._window_s is None else Settings(self._window_s)
        return Engine(wanted, rate_hz, scale, settings)

    def _calls(self, events: Sequence[Event]) -> list[tuple[Callable[..., Any], Event]]:
        return [
            (callback, event)
            for event in events
            for kind, concerns, callback in self._on
            if type(event).__name__ == kind and concerns(event)
        ]


def _all(_event: object) -> bool:
    return True


def _channel(channel: int) -> int:
    if not 1 <= channel <= _CHANNELS:
        raise UsageError(f"no channel {channel}", hint=f"there are 1 to {_CHANNELS}")
    return channel
