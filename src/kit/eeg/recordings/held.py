"""The bytes of a file that can be read only as a whole. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from kit.core.errors import ProtocolError, UsageError
from kit.eeg.batch import Mark
from kit.eeg.formats.interface import Reading
from kit.eeg.scale import Scale

# A file that somebody reads is held in memory; a week of recording is less.
_LIMIT = 2 << 30


class HeldFile:
    """A reader's half: it takes the bytes, and knows the rate that the file has to have."""

    def __init__(self, form: str, rate_hz: Fraction) -> None:
        self.scale: Scale | None = None
        self._begun_us: int | None = None  # where the file says when it began
        self._texts: list[tuple[int, str]] = []  # by microseconds since then
        self._form = form.upper()
        self._rate_hz = rate_hz
        self._data = bytearray()

    def feed(self, data: bytes) -> Sequence[Reading]:
        """Nothing yet; raises ProtocolError for a file that is too large."""
        self._data += data
        if len(self._data) > _LIMIT:
            raise ProtocolError(f"a file of {self._form} of more than {_LIMIT >> 30} GiB")
        return []

    def marks(self, start_us: int) -> list[Mark]:
        """What people and events put into the file, once it is read.

        A file that does not say when it began, did so at `start_us`, microseconds since 1970.
        """
        begun_us = start_us if self._begun_us is None else self._begun_us
        return [Mark(begun_us + at_us, text) for at_us, text in self._texts]

    def _held(self) -> bytes:
        """All of them, which are held no more."""
        data = bytes(self._data)
        self._data.clear()
        return data

    def _another_rate(self, rate_hz: Fraction) -> UsageError:
        return UsageError(
            f"the file has {float(rate_hz):g} samples a second, not {float(self._rate_hz):g}",
            hint=f"add --rate {rate_hz}",
        )
