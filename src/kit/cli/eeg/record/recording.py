"""kit eeg record: joins a capture and a recorder, and tells standard error how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kit.cli.eeg.capturing import CaptureWish, feed, open_capture, tell
from kit.cli.eeg.endings import StopSignal, stopped_by_signals
from kit.cli.eeg.record.recordings import Recordings
from kit.cli.eeg.record.settings import recording_settings
from kit.cli.eeg.record.wish import Beside
from kit.core.errors import KitError, UsageError
from kit.core.output import Output
from kit.core.text import printable
from kit.eeg.feeding import Feeding
from kit.eeg.reading import Stream
from kit.eeg.recordings.making import form_of
from kit.eeg.recordings.recorder import Recorder, open_recorder
from kit.eeg.summary import summary, totals

_LOOK_S = 0.25
_Show = Callable[[Sequence[str]], None]


def record_eeg(
    capture: CaptureWish,
    target: str,
    output: Output,
    *,
    target_format: str | None,
    header: Mapping[str, Any],
    beside: Beside,
    **wish: Any,
) -> int:
    """Record to the end, or until a signal comes; the exit status. What went wrong is raised at the end."""
    from kit.cli.eeg.record.beside import check_beside, feed_beside

    form = target_format or _form(target)
    check_beside(beside, output)
    with stopped_by_signals() as stop, open_capture(capture, beside.together_s) as stream:
        settings = recording_settings(capture, stream, header, form=form, **wish)
        first = open_recorder(target, settings)
        feeding = Feeding(stream, [first])
        recordings = Recordings(feeding, lambda: replace(settings, form=None, force=False), first)
        feed_beside(feeding, capture, beside, output)
        error = _run(feeding, capture, recordings, beside, stop, output)
        if output.as_json:
            output.record(_record(stream, recordings, error))
        else:
            for line in recordings.summary() or ["nothing was recorded"]:
                output.note(f"kit: {line}")
        if error:
            for line in summary(stream.tally):
                output.note(f"kit: {line}")
            raise error
        tell(stream, output)
    return stop.exit_status


def _form(target: str) -> str:
    if target == "-":
        raise UsageError("a recording is a file", hint="'kit eeg read' writes to standard output")
    try:
        return form_of(Path(target))
    except UsageError as error:
        if "://" in target or target.startswith(("/dev/", "sim:")):
            error.hint = "OUT comes first: kit eeg record OUT [SOURCE]"
        raise


def _run(
    feeding: Feeding,
    capture: CaptureWish,
    recordings: Recordings,
    beside: Beside,
    stop: StopSignal,
    output: Output,
) -> KitError | None:
    """To the end; what ended it, if that was no end as wished."""
    try:
        if beside.view:
            from kit.cli.eeg.record.beside import show_beside

            show_beside(feeding, capture, recordings, stop, output)
        else:
            _look(feeding, recordings.recorders[0], stop, output)
    except KitError as error:
        return error
    return None


def _look(feeding: Feeding, recorder: Recorder, stop: StopSignal, output: Output) -> None:
    """Feed, and say from time to time how it goes; raises what ended it."""
    begun_s = time.monotonic()
    with output.live() as show:

        def look() -> None:
            if show:
                show(_progress(feeding.stream, recorder, time.monotonic() - begun_s))

        feed(feeding, stop, _LOOK_S, look)


def _progress(stream: Stream, recorder: Recorder, passed_s: float) -> list[str]:
    tally = stream.tally
    path = recorder.paths[-1] if recorder.paths else None
    where = f"into {printable(str(path))}" if path else "no packet yet"
    waiting = f", waiting: {printable(stream.waiting_for)}" if stream.waiting_for else ""
    minutes, seconds = divmod(int(passed_s), 60)
    return [
        f"recording {minutes // 60:02}:{minutes % 60:02}:{seconds:02} {where}{waiting}",
        f"{tally.packets:,} packets, {tally.lost:,} lost ({tally.loss_percent:.2f} %)",
    ]


def _record(stream: Stream, recordings: Recordings, error: KitError | None) -> dict[str, object]:
    tally = stream.tally
    return {
        "source": stream.name,
        "files": [
            {"path": str(path), "format": form, "bytes": path.stat().st_size}
            for path, form in recordings.files()
        ],
        **totals(tally),
        "rate_hz": tally.rate.hz if tally.rate else None,
        "dropped": recordings.dropped,
        "error": str(error) if error else None,
    }
