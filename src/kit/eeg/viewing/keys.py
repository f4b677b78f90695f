"""What each key does. Pure.

A key is the character that it types, or one of the names left, right, up, down, home, end, pageup, pagedown,
enter, backspace, escape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from kit.eeg.viewing import settings as steps
from kit.eeg.viewing.history import MARK_LIMIT
from kit.eeg.viewing.looking import Looking
from kit.eeg.viewing.settings import Settings, SpectrumKind
from kit.eeg.viewing.status import filter_words

HELP = (
    ("space", "pause, and go on"),
    ("← →", "fewer or more seconds; when paused, look back and forward"),
    ("[ ]", "fewer or more seconds, also when paused"),
    ("↑ ↓", "which channel + and - are for: all, or one"),
    ("+ -", "a larger or smaller trace"),
    ("a", "the scale that fits what is in the picture"),
    ("1 … 6", "a channel on and off"),
    ("u", "microvolts or counts"),
    ("w", "sweep or scroll"),
    ("f", "filters: high-pass, notch, low-pass"),
    ("b", "the power of the bands"),
    ("s", "spectrum, spectrogram, neither"),
    ("m", "a mark, with a text; a capital letter sets it at once"),
    ("r", "begin or end a recording"),
    ("?", "this help"),
    ("q", "quit"),
)


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done outside of the picture. A mark has a text, and the time that it is for."""

    kind: Literal["quit", "record", "mark"]
    text: str = ""
    time_us: int | None = None


class Seen(Protocol):
    """What keys change, and what they look at."""

    settings: Settings
    looking: Looking

    @property
    def window(self) -> int: ...

    @property
    def channels(self) -> int: ...

    @property
    def newest_us(self) -> int | None: ...

    @property
    def uv_per_count(self) -> float: ...

    def fit(self) -> None: ...


class Keyboard:
    """Keys in; changes of the picture, or an action, out."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._mark: tuple[int | None, str] | None = None  # being typed: when it was begun, and its text
        self._filters = False  # are the next keys for the filters?
        self._keys: dict[str, Callable[[], Action | None]] = {
            " ": self._pause,
            "left": lambda: self._sideways(-1),
            "right": lambda: self._sideways(1),
            "pageup": lambda: self._look(-self._seen.window),
            "pagedown": lambda: self._look(self._seen.window),
            "home": lambda: self._look(-1 << 40),
            "end": lambda: self._look(1 << 40),
            "[": lambda: self._widen(-1),
            "]": lambda: self._widen(1),
            "up": lambda: self._select(-1),
            "down": lambda: self._select(1),
            "+": lambda: self._reach(-1),
            "=": lambda: self._reach(-1),
            "-": lambda: self._reach(1),
            "a": self._fit,
            "u": self._units,
            "w": lambda: self._set(sweep=not self._seen.settings.sweep),
            "f": self._begin_filters,
            "b": lambda: self._set(bars=not self._seen.settings.bars),
            "s": self._spectrum,
            "m": self._begin_mark,
            "r": lambda: Action("record"),
            "?": lambda: self._set(help=not self._seen.settings.help),
            "q": lambda: Action("quit"),
            **{str(n): self._toggling(n) for n in range(1, steps.CHANNELS + 1)},
        }

    @property
    def prompt(self) -> str:
        """What a person is asked for, or is typing; empty if nothing."""
        if self._mark:
            return f"mark: {self._mark[1]}▏ (Enter sets it, Esc drops it)"
        if self._filters:
            now = filter_words(self._seen.settings.filters_now)
            return f"filters: {now} (h high-pass, n notch, l low-pass, f all of them on or off, Esc)"
        return ""

    def press(self, key: str) -> Action | None:
        """One key."""
        if self._mark:
            return self._type(key)
        if self._filters and self._filter(key):
            return None
        self._filters = False
        if key in self._keys:
            return self._keys[key]()
        if key == "escape":
            self._set(help=False)
        if len(key) == 1 and key.isupper():
            return Action("mark", key, self._seen.newest_us)
        return None

    def _set(self, **changes: object) -> None:
        self._seen.settings = replace(self._seen.settings, **changes)  # type: ignore[arg-type]

    def _pause(self) -> None:
        self._seen.looking.pause()

    def _sideways(self, direction: int) -> None:
        if self._seen.looking.paused_at is None:
            self._widen(direction)
        else:
            self._look(direction * max(1, self._seen.window // 4))

    def _look(self, samples: int) -> None:
        self._seen.looking.move(samples, self._seen.window)

    def _widen(self, direction: int) -> None:
        self._set(seconds=steps.step(steps.WIDTHS_S, self._seen.settings.seconds, direction))

    def _select(self, direction: int) -> None:
        there: list[int | None] = [None, *(n for n, on in enumerate(self._seen.settings.shown, 1) if on)]
        now = self._seen.settings.selected
        at = there.index(now) if now in there else 0
        self._set(selected=there[(at + direction) % len(there)])

    def _reach(self, direction: int) -> None:
        self._seen.settings = self._seen.settings.reached(direction)

    def _fit(self) -> None:
        self._seen.fit()

    def _units(self) -> None:
        units: steps.Units = "adc" if self._seen.settings.units == "uv" else "uv"
        self._seen.settings = self._seen.settings.in_units(units, self._seen.uv_per_count)

    def _toggling(self, channel: int) -> Callable[[], None]:
        def toggle() -> None:
            if not self._seen.channels or channel <= self._seen.channels:
                self._seen.settings = self._seen.settings.toggled(channel)

        return toggle

    def _spectrum(self) -> None:
        kinds: tuple[SpectrumKind | None, ...] = (None, "spectrum", "spectrogram")
        self._set(spectrum=steps.following(kinds, self._seen.settings.spectrum))

    def _begin_filters(self) -> None:
        self._filters = True

    def _filter(self, key: str) -> bool:
        """Was it a key for the filters?"""
        settings = self._seen.settings
        wish = settings.filters
        if key == "h":
            wish = replace(wish, high_pass_hz=steps.following(steps.HIGH_PASS_HZ, wish.high_pass_hz))
        elif key == "n":
            wish = replace(wish, notch_hz=steps.following(steps.NOTCH_HZ, wish.notch_hz))
        elif key == "l":
            wish = replace(wish, low_pass_hz=steps.following(steps.LOW_PASS_HZ, wish.low_pass_hz))
        elif key != "f":
            self._filters = False
            return key in ("escape", "enter")
        self._set(filters=wish, filtered=key != "f" or not settings.filtered)
        return True

    def _begin_mark(self) -> None:
        self._mark = (self._seen.newest_us, "")

    def _type(self, key: str) -> Action | None:
        assert self._mark  # noqa: S101 - `press` has looked
        time_us, text = self._mark
        if key in ("enter", "escape"):
            self._mark = None
            return Action("mark", text.strip() or "mark", time_us) if key == "enter" else None
        if key == "backspace":
            text = text[:-1]
        elif len(key) == 1 and key.isprintable() and len(text) < MARK_LIMIT:
            text += key
        self._mark = (time_us, text)
        return None
