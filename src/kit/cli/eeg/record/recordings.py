"""The recordings of one capture, that begin and end while it is seen (the key r of a view)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from kit.core.errors import KitError
from kit.core.output import Output
from kit.core.text import printable
from kit.eeg.feeding import Feeding
from kit.eeg.recordings.recorder import Recorder, open_recorder
from kit.eeg.recordings.settings import Settings
from kit.eeg.viewing.scene import Scene


class Recordings:
    """The recordings of one capture: at most one at a time."""

    def __init__(
        self, feeding: Feeding, settings: Callable[[], Settings], first: Recorder | None = None
    ) -> None:
        self.recorders = [first] if first else []
        self._feeding, self._settings = feeding, settings
        self._current = first

    @property
    def dropped(self) -> int:
        """How many marks and late packets found no room."""
        return sum(recorder.dropped for recorder in self.recorders)

    def files(self) -> list[tuple[Path, str]]:
        """Every file, and its format."""
        return [file for recorder in self.recorders for file in recorder.files()]

    def summary(self) -> list[str]:
        """What was recorded, for a person."""
        lines = [f"recorded into {printable(str(path))!r} ({form})" for path, form in self.files()]
        if self.dropped:
            lines.append(f"{self.dropped:,} marks and late packets found no room")
        return lines

    def begin_or_end(self, scene: Scene) -> str:
        """What the key r does, and what it came to, for the status line."""
        if self._current:
            name = self._current.path.name
            self._feeding.remove(self._current)
            self._current = scene.recording = None
            return f"recorded into {name}"
        path = Path(f"eeg-{datetime.now():%Y%m%d-%H%M%S}.edf")
        try:
            self._current = open_recorder(path, self._settings())
        except KitError as error:
            return str(error)
        self.recorders.append(self._current)
        self._feeding.add(self._current)
        scene.recording = path.name
        return ""


@contextmanager
def recordings_of(feeding: Feeding, settings: Callable[[], Settings], output: Output) -> Iterator[Recordings]:
    """Those that are wished for while a capture is seen; at the end they are told of."""
    recordings = Recordings(feeding, settings)
    try:
        yield recordings
    finally:
        for line in recordings.summary():
            output.note(f"kit: {line}")
