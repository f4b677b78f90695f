"""The recorder: a sink that has what a capture gives written to a file, crash or no crash."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from kit.core.errors import KitError, UsageError
from kit.eeg.feeding import Batch
from kit.eeg.recordings.disk import Disk
from kit.eeg.recordings.lines_encoder import TimesEncoder
from kit.eeg.recordings.making import form_of, make_encoder
from kit.eeg.recordings.pieces import Encoder
from kit.eeg.recordings.settings import Settings


@dataclass(frozen=True, slots=True)
class _Track:
    """One file, in its parts, on its way to the disk."""

    form: str
    encoder: Encoder
    disk: Disk


class Recorder:
    """Takes batches, and gives them to an encoder and its disk; `close` awaits that all of it is written."""

    def __init__(self, path: Path, tracks: list[_Track]) -> None:
        self.path = path
        self._tracks = tracks

    @property
    def paths(self) -> list[Path]:
        """The parts of the recording so far."""
        return self._tracks[0].disk.paths

    @property
    def packets(self) -> int:
        """How many packets are written; in EDF and BDF with those that were lost, as they are filled in."""
        return self._tracks[0].disk.packets

    @property
    def dropped(self) -> int:
        """How many marks and late packets found no room."""
        return sum(track.encoder.dropped for track in self._tracks)

    def files(self) -> list[tuple[Path, str]]:
        """Every file, and its format."""
        return [(path, track.form) for track in self._tracks for path in track.disk.paths]

    def take(self, batch: Batch) -> None:
        """More; raises what went wrong with writing what came before."""
        for track in self._tracks:
            track.disk.put(track.encoder.take(batch.items, batch.signals, batch.marks))

    def close(self, reason: str) -> None:
        """Have everything on the disk; raises what went wrong, whatever the reason."""
        failed: list[KitError] = []
        for track in self._tracks:
            with suppress(KitError):
                track.disk.put(track.encoder.finish())
            try:
                track.disk.close()
            except KitError as error:
                failed.append(error)
        if failed:
            raise failed[0]


def open_recorder(path: str | Path, settings: Settings) -> Recorder:
    """A recorder into that file, of the format that the settings or its suffix say.

    Raises UsageError where there is something already, NotPermitted and Unavailable where there can be
    nothing.
    """
    path = Path(path)
    form = settings.form or form_of(path)
    tracks: list[_Track] = []
    try:
        tracks.append(_track(form, path, settings))
        if settings.raw:
            raw = path.with_suffix(".raw")
            if raw == path:
                raise UsageError("--raw keeps the bytes beside a recording, and this is one of them")
            whole = replace(settings, split_s=None)
            tracks.append(_track("raw", raw, whole))
            tracks.append(_Track("csv", *_on_disk(TimesEncoder(), path.with_suffix(".times.csv"), settings)))
    except BaseException:
        for track in tracks:
            track.disk.close()
        raise
    return Recorder(path, tracks)


def _track(form: str, path: Path, settings: Settings) -> _Track:
    return _Track(form, *_on_disk(make_encoder(form, settings), path, settings))


def _on_disk(encoder: Encoder, path: Path, settings: Settings) -> tuple[Encoder, Disk]:
    return encoder, Disk(path, encoder.unit, force=settings.force)
