"""A device that may go and come back: says once that it is gone, waits, and goes on where it is again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from kit.core.errors import KitError
from kit.eeg.records import Chunk, Gone
from kit.eeg.sources.source import TICK_MS, DeviceGone, NotThere, Source, stamped

# A device that has just come back belongs to root until udev has looked at it, and ModemManager talks to it
# for some seconds first. What lasts longer does not pass by waiting.
PATIENCE_S = 30.0


class Reconnecting:
    """Opens its device again whenever it is gone; while it waits `waiting_for` says for what."""

    live = True

    def __init__(self, name: str, reopen: Callable[[], Source], patience_s: float = PATIENCE_S) -> None:
        self._name = name
        self._reopen = reopen
        self._patience_s = patience_s
        self._source: Source | None = None
        self._closed = False
        self._refused_s: float | None = None
        self.waiting_for: str | None = None

    @property
    def name(self) -> str:
        """The device's name: another one where it came back as another one."""
        return self._source.name if self._source else self._name

    def open(self) -> None:
        """Have it now; a device that is not there is waited for later, any other refusal is raised."""
        try:
            self._source = self._reopen()
        except NotThere as error:
            self.waiting_for = str(error)

    def chunks(self) -> Iterator[Chunk | Gone]:
        while not self._closed:
            if self._source is None and not self._try_again():
                time.sleep(TICK_MS / 1000)
                yield stamped(b"")
            elif self._source:
                try:
                    yield from self._source.chunks()
                except DeviceGone as error:
                    # Closed first: as long as it is held, a USB port does not come back under its old name.
                    self._let_go()
                    self.waiting_for = str(error)
                    yield Gone(str(error), time.monotonic_ns(), time.time_ns())
                else:
                    return

    def close(self) -> None:
        self._closed = True
        self._let_go()

    def _try_again(self) -> bool:
        """Is it open now? Raises what has stood in the way for too long."""
        try:
            self._source = self._reopen()
        except NotThere as error:
            self._refused_s, self.waiting_for = None, str(error)
            return False
        except KitError as error:
            self._refused_s = self._refused_s or time.monotonic()
            if time.monotonic() > self._refused_s + self._patience_s:
                raise
            self.waiting_for = str(error)
            return False
        self._refused_s = self.waiting_for = None
        return True

    def _let_go(self) -> None:
        if self._source:
            self._name = self._source.name
            self._source.close()
            self._source = None
