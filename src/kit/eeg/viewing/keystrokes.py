"""What a terminal sends when keys are typed, as the names of `keys`. Pure.

Escape begins the sequences of other keys, too: it counts as the key when nothing more has come by the next
look (`feed` with no bytes).
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder

_SEQUENCE = re.compile(
    rb"\x1b(?:\[(?P<numbers>[0-9;<=>?]*)[ -/]*(?P<final>[@-~])|O(?P<single>[@-~])|[^\[O\x1b])"
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-9;<=>?]*[ -/]*|O)?\Z")
_FINALS = {
    b"A": "up",
    b"B": "down",
    b"C": "right",
    b"D": "left",
    b"H": "home",
    b"F": "end",
    b"M": "enter",
}
_NUMBERS = {b"1": "home", b"4": "end", b"5": "pageup", b"6": "pagedown", b"7": "home", b"8": "end"}
_CONTROLS = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x0c": "refresh"}
_LIMIT = 64


class Keystrokes:
    """Bytes in, keys out."""

    def __init__(self) -> None:
        self._held = b""
        self._decoder = getincrementaldecoder("utf-8")("ignore")

    def feed(self, data: bytes) -> list[str]:
        """The keys that are complete; what is no key of these is left out."""
        held, self._held = self._held, b""
        if not data:
            return ["escape"] if held == b"\x1b" else []
        data, keys = held + data, list[str]()
        while data:
            if data[0] != 0x1B:
                text, data = self._text(data)
                keys += text
            elif found := _SEQUENCE.match(data):
                keys += _named(found)
                data = data[found.end() :]
            elif _UNFINISHED.match(data) and len(data) < _LIMIT:
                self._held, data = data, b""
            else:
                keys.append("escape")
                data = data[1:]
        return keys

    def _text(self, data: bytes) -> tuple[list[str], bytes]:
        """Characters up to the next escape; one that is not whole is awaited."""
        until = data.find(b"\x1b")
        typed, rest = (data, b"") if until < 0 else (data[:until], data[until:])
        text = self._decoder.decode(typed)
        return [_CONTROLS.get(c, c) for c in text if c.isprintable() or c in _CONTROLS], rest


def _named(found: re.Match[bytes]) -> list[str]:
    numbers, final, single = found["numbers"], found["final"], found["single"]
    name = None
    if single is not None:
        name = _FINALS.get(single)
    elif final == b"~":
        name = _NUMBERS.get(numbers.split(b";")[0])
    elif final in _FINALS and final != b"M":
        name = _FINALS[final]
    return [name] if name else []  # with Alt, from the mouse, or of another kind
