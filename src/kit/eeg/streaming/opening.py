"""Opening the two streams, with what they say of themselves, to those alone who are meant to reach them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kit.core.errors import Unavailable
from kit.eeg.scale import Scale, preferred
from kit.eeg.streaming import reach
from kit.eeg.streaming.description import Description, Origin, Tree, Units


@dataclass(frozen=True)
class OutletWish:
    """How the streams are to be called, in which units, and whether the network may find them."""

    name: str = "kit-eeg"
    units: Units = "uv"
    scale: Scale = field(default_factory=Scale)
    lan: bool = False

    @property
    def markers(self) -> str:
        """The name of the marker stream."""
        return f"{self.name}-markers"


@dataclass(frozen=True)
class Opened:
    """The streams that are there now, and by which ports."""

    wish: OutletWish
    source_id: str
    channels: int
    rate_hz: float
    ports: Sequence[reach.OpenPort]

    @property
    def confined(self) -> bool:
        """Can only this machine reach them?"""
        return bool(self.ports) and all(port.confined for port in self.ports)


@dataclass(frozen=True)
class Opener:
    """What it takes to open the streams as soon as the number of channels is known."""

    pylsl: Any
    wish: OutletWish
    origin: Origin
    rate_hz: float

    def open(self, channels: int) -> tuple[Any, Any, Opened]:
        """LSL's outlets for the signal and for the markers; raises Unavailable."""
        before = reach.sockets()
        try:
            eeg = self.pylsl.StreamOutlet(self._eeg(channels))
            markers = self.pylsl.StreamOutlet(self._markers())
        except RuntimeError as error:
            raise Unavailable(f"LSL opens no stream: {error}") from None
        ports = reach.opened(before, self.wish.lan)
        return eeg, markers, Opened(self.wish, self.origin.source_id, channels, self.rate_hz, ports)

    def scaled(self, told: Scale | None) -> Opener:
        """With the scale that a recording tells of itself, if the user gave none."""
        return replace(self, wish=replace(self.wish, scale=preferred(self.wish.scale, told)))

    def _eeg(self, channels: int) -> Any:
        wish, source_id = self.wish, self.origin.source_id
        form = "float32" if wish.units == "uv" else "int16"
        info = self.pylsl.StreamInfo(wish.name, "EEG", channels, self.rate_hz, form, source_id)
        _grow(info.desc(), Description(self.origin, channels, wish.units, wish.scale).tree())
        return info

    def _markers(self) -> Any:
        irregular, source_id = self.pylsl.IRREGULAR_RATE, f"{self.origin.source_id} markers"
        return self.pylsl.StreamInfo(self.wish.markers, "Markers", 1, irregular, "string", source_id)


def _grow(element: Any, tree: Tree) -> None:
    """Hang what a description says below an XML element."""
    for name, value in tree.items():
        if isinstance(value, str):
            element.append_child_value(name, value)
            continue
        for branch in value if isinstance(value, list) else [value]:
            _grow(element.append_child(name), branch)
