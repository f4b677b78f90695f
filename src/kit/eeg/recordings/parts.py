"""A conversion into EDF, BDF or XDF: the encoder's files, which somebody else opens. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from kit.eeg.batch import Mark
from kit.eeg.conversion import Conversion
from kit.eeg.recordings.making import make_encoder, part
from kit.eeg.recordings.pieces import Begin, Encoder, Output
from kit.eeg.recordings.settings import Settings
from kit.eeg.records import Item
from kit.eeg.scale import Scale
from kit.eeg.signals import Signals


class Parts:
    """Takes items, and writes into the files that `opened` gives for names: OUT, and -002 and so on."""

    def __init__(self, path: str, conversion: Conversion, opened: Callable[[str], BinaryIO]) -> None:
        self._path = Path(path)
        self._conversion = conversion
        self._opened = opened
        self._signals = Signals(conversion.dating)
        self._files: list[BinaryIO] = []
        self._encoder: Encoder | None = None

    def begin(self, scale: Scale) -> None:
        """Microvolts mean this."""
        dating = self._conversion.dating
        settings = Settings(scale=scale, rate_hz=dating.rate_hz, start_us=dating.start_us)
        self._encoder = make_encoder(self._conversion.target, settings)

    def take(self, items: Sequence[Item], marks: Sequence[Mark]) -> None:
        """More items, and marks."""
        if self._encoder:
            self._write(self._encoder.take(items, self._signals.take(items), marks))

    def end(self) -> int:
        """There are no more; how many marks found no room."""
        if self._encoder:
            self._write(self._encoder.finish())
            return self._encoder.dropped
        return 0

    def _write(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if isinstance(output, Begin):
                self._files.append(self._opened(str(part(self._path, len(self._files) + 1))))
                self._files[-1].write(output.head)
                continue
            file = self._files[-1]
            file.write(output.data)
            if output.patch:
                at, data = output.patch
                file.seek(at)
                file.write(data)
                file.seek(0, 2)
