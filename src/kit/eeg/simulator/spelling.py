"""`sim:name=value,name=value,…`: a simulated device in one word. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from kit.core.errors import UsageError
from kit.eeg.simulator.faults import Fault, parse
from kit.eeg.simulator.wish import Wish


def _one_of(*values: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return read


def _number(low: Fraction, high: Fraction) -> Callable[[str], Fraction]:
    def read(text: str) -> Fraction:
        number = Fraction(text)
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return read


_LEAST, _MOST = Fraction(1, 1000), Fraction(1_000_000)


def read_speed(text: str) -> Fraction | None:
    """How many times real time; None for `max`. Raises ValueError."""
    return None if text == "max" else _number(_LEAST, _MOST)(text)


# A name, the field of the wish, what is allowed in words, and how it is read.
_NAMES: Mapping[str, tuple[str, str, Callable[[str], Any]]] = {
    "protocol": ("protocol", "p2 or p3", _one_of("p2", "p3")),
    "channels": ("channels", "0, 2, 4 or 6", lambda text: int(_one_of("0", "2", "4", "6")(text))),
    "rate": ("rate_hz", "a number of hertz from 1 to 100000", _number(Fraction(1), Fraction(100_000))),
    "duration": ("duration_s", "a number of seconds", _number(_LEAST, Fraction(10**9))),
    "count": ("count", "a number of packets", _whole(1, 10**15)),
    "seed": ("seed", "a whole number", int),
    "speed": ("speed", "a number, or max", read_speed),
    "mains": ("mains_hz", "50, 60 or 0", lambda text: int(_one_of("50", "60", "0")(text))),
    "gain": ("gain", "a number from 0.001 to 1000", _number(_LEAST, Fraction(1000))),
    "bursts": ("bursts", "0 or 1", lambda text: _one_of("0", "1")(text) == "1"),
}


def read_source(text: str) -> Wish:
    """The wish behind `sim:…`; raises UsageError."""
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for part in filter(None, text.removeprefix("sim:").split(",")):
        name, sign, value = part.partition("=")
        if name == "fault" and sign:
            faults.append(parse(value))
        else:
            field, number = read_option(name, value, text)
            values[field] = number
    return Wish(**values, faults=tuple(faults))


def read_option(name: str, value: str, text: str) -> tuple[str, Any]:
    """The field of the wish and its value; raises UsageError, quoting `text`."""
    if name not in _NAMES:
        known = ", ".join((*_NAMES, "fault"))
        raise UsageError(
            f"no {name!r} in {text!r}",
            hint=f"there are {known}, as name=value; the parts of a fault are joined by ':'",
        )
    field, allowed, read = _NAMES[name]
    try:
        return field, read(value)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{name}={value} in {text!r} is not {allowed}") from None
