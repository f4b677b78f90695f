"""What is worth saying to a person while a capture runs and no packet comes, each thing once. Pure."""

from __future__ import annotations

PATIENCE_US = 2_000_000
# A device that sends well is recognised long before: this is almost two seconds at 256 packets a second.
PATIENCE_BYTES = 8192
_NOMINAL_BAUD, _OTHER_BAUD = 57_600, 115_200


def wrong_speed(name: str, baud: int) -> str | None:
    """What may be the matter with a serial line that carries noise; None where the source has no speed."""
    if not name.startswith("/"):
        return None
    return f"a wrong speed? try --baud {_OTHER_BAUD if baud == _NOMINAL_BAUD else _NOMINAL_BAUD}"


class Watch:
    """Looks at the clock and the number of bytes as long as there is no packet, and says what is missing."""

    def __init__(self, name: str, baud: int) -> None:
        self._name = name
        self._baud = baud
        self._begun_us: int | None = None
        self._bytes_us: int | None = None  # when the first bytes were there
        self._said: set[str] = set()

    def look(self, now_us: int, received: int) -> str | None:
        """What is to be said at this time, if anything."""
        if self._begun_us is None:
            self._begun_us = now_us
        if not received:
            return self._once("bytes", f"no bytes from {self._name!r} yet", now_us - self._begun_us)
        if self._bytes_us is None:
            self._bytes_us = now_us
        waited_us = PATIENCE_US if received >= PATIENCE_BYTES else now_us - self._bytes_us
        return self._once("packets", self._no_packet(), waited_us)

    def _no_packet(self) -> str:
        found, doubt = f"bytes come from {self._name!r}, but no packet", wrong_speed(self._name, self._baud)
        return f"{found}: {doubt}" if doubt else found

    def _once(self, what: str, text: str, waited_us: int) -> str | None:
        if waited_us < PATIENCE_US or what in self._said:
            return None
        self._said.add(what)
        return text
