"""What can be measured of a capture, and what it is called in an expression. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kit.core.errors import UsageError
from kit.eeg.processing.bands import BANDS, Band

CHANNELS = 6
BUTTONS = 4
Kind = Literal["sample", "power", "relative", "amplitude", "fast", "blink", "clean", "button", "lost"]
# The word before the name of a band, and what it makes of it.
PREFIXES: Mapping[str, Kind] = {"rel_": "relative", "amp_": "amplitude", "fast_": "fast", "": "power"}
PLAIN: Mapping[str, Kind] = {"ch": "sample", "blink": "blink", "clean": "clean"}
# These are true or false; they change from one sample to the next.
FLAGS = ("blink", "button", "clean", "lost")
INSTANT = ("sample", "button", "blink")
FUNCTIONS = ("abs", "max", "min")
_NAME = re.compile(r"([a-z_]+?)([0-9]?)")
_BAND_NAME = re.compile(r"[a-z]{1,16}")
_RESERVED = {*PLAIN, *FUNCTIONS, "button", "lost", "p", "for", "and", "or", "not"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """`name` as it was written; `number` is that of the channel, or of the button, from 1 on."""

    name: str
    kind: Kind
    number: int = 0
    band: Band | None = None


@dataclass(frozen=True)
class Vocabulary:
    """The names that are known: those of bands, and the channel where none is said."""

    bands: Mapping[str, Band] = field(default_factory=lambda: BANDS)
    channel: int = 1

    def with_band(self, name: str, low_hz: float, high_hz: float) -> Vocabulary:
        """One more band, or another one of that name; raises UsageError."""
        if not _BAND_NAME.fullmatch(name) or name in _RESERVED:
            raise UsageError(f"no band can be named {name!r}", hint="small letters, at most 16")
        if not 0 <= low_hz < high_hz < float("inf"):
            raise UsageError(f"no band from {low_hz:g} Hz to {high_hz:g} Hz")
        return Vocabulary({**self.bands, name: Band(name, low_hz, high_hz)}, self.channel)

    def quantity(self, name: str) -> Quantity:
        """What a name stands for; raises UsageError."""
        found = _NAME.fullmatch(name)
        stem, digit = found.groups() if found else ("", "")
        number = int(digit) if digit else self.channel
        if name == "lost":
            return Quantity(name, "lost")
        if stem == "button" and digit and 1 <= number <= BUTTONS:
            return Quantity(name, "button", number)
        if 1 <= number <= CHANNELS:
            if stem in PLAIN:
                return Quantity(name, PLAIN[stem], number)
            for prefix, kind in PREFIXES.items():
                band = self.bands.get(stem.removeprefix(prefix)) if stem.startswith(prefix) else None
                if band:
                    return Quantity(name, kind, number, band)
        raise UsageError(f"no {name!r} to watch", hint=self._known)

    @property
    def _known(self) -> str:
        bands = ", ".join(f"{name}1" for name in self.bands)
        return (
            f"there are ch1 to ch6, {bands} and so on, with rel_, amp_ or fast_ before a band, "
            "blink1, clean1, button1 to button4 and lost"
        )
