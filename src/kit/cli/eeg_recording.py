"""kit eeg record: joins a capture and a recorder, and tells standard error how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kit import __version__
from kit.cli.eeg_capturing import CaptureWish, open_capture, tell
from kit.cli.eeg_endings import StopSignal, stopped_by_signals
from kit.core.errors import KitError, UsageError
from kit.core.output import Output
from kit.core.text import printable
from kit.eeg.feeding import Feeding
from kit.eeg.reading import Stream
from kit.eeg.recordings.making import form_of
from kit.eeg.recordings.recorder import Recorder, open_recorder
from kit.eeg.recordings.settings import Settings, Subject
from kit.eeg.summary import summary

_LOOK_S = 0.25
_Show = Callable[[Sequence[str]], None]


def record_eeg(
    capture: CaptureWish,
    target: str,
    output: Output,
    *,
    target_format: str | None,
    header: Mapping[str, Any],
    **wish: Any,
) -> int:
    """Record to the end, or until a signal comes; the exit status. What went wrong is raised at the end."""
    form = target_format or _form(target)
    with stopped_by_signals() as stop, open_capture(capture) as stream:
        recorder = open_recorder(target, recording_settings(capture, stream, header, form=form, **wish))
        error = _run(Feeding(stream, [recorder]), recorder, stop, output)
        if output.as_json:
            output.record(_record(stream, recorder, error))
        else:
            for line in _summary(recorder, capture):
                output.note(f"kit: {line}")
        if error:
            for line in summary(stream.tally):
                output.note(f"kit: {line}")
            raise error
        tell(stream, output)
    return stop.exit_status


def recording_settings(
    capture: CaptureWish, stream: Stream, header: Mapping[str, Any], **wish: Any
) -> Settings:
    """How the capture is to be recorded; `wish` has other fields of the settings."""
    subject = Subject(**{name: header[name] for name in Subject.__dataclass_fields__})
    return Settings(
        scale=capture.scale,
        rate_hz=capture.rate_hz,
        subject=subject,
        technician=header["technician"],
        labels=header["labels"],
        device=_device(stream),
        software=f"kit-{__version__}",
        **wish,
    )


def _form(target: str) -> str:
    if target == "-":
        raise UsageError("a recording is a file", hint="'kit eeg read' writes to standard output")
    try:
        return form_of(Path(target))
    except UsageError as error:
        if "://" in target or target.startswith(("/dev/", "sim:")):
            error.hint = "OUT comes first: kit eeg record OUT [SOURCE]"
        raise


def _device(stream: Stream) -> str:
    """What the port says of itself, or else its name; nothing for a file or a pipe."""
    if not stream.live:
        return ""
    if stream.name.startswith("/dev/"):
        from kit.eeg.sources.ports import list_ports

        real = str(Path(stream.name).resolve())
        port = next((port for port in list_ports() if port.device in (stream.name, real)), None)
        told = [port.product, port.serial_number] if port else []
        if any(told):
            return " ".join(filter(None, told))
    return Path(stream.name).name


def _run(feeding: Feeding, recorder: Recorder, stop: StopSignal, output: Output) -> KitError | None:
    """To the end, looking at it from time to time; what ended it, if that was no end as wished."""
    begun_s = time.monotonic()
    feeding.start()
    try:
        with output.live() as show:
            while feeding.running:
                feeding.join(_LOOK_S)
                if show:
                    show(_progress(feeding.stream, recorder, time.monotonic() - begun_s))
                if stop.number:
                    feeding.stop()
        feeding.join()
    except KitError as error:
        return error
    return None


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


def _summary(recorder: Recorder, capture: CaptureWish) -> list[str]:
    lines = [f"recorded into {printable(str(path))!r} ({form})" for path, form in recorder.files()]
    if recorder.dropped:
        lines.append(f"{recorder.dropped:,} marks and late packets found no room")
    return lines or ["nothing was recorded"]


def _record(stream: Stream, recorder: Recorder, error: KitError | None) -> dict[str, object]:
    tally = stream.tally
    return {
        "source": stream.name,
        "files": [
            {"path": str(path), "format": form, "bytes": path.stat().st_size}
            for path, form in recorder.files()
        ],
        "packets": tally.packets,
        "lost": tally.lost,
        "lost_low": tally.lost_low,
        "lost_high": tally.lost_high,
        "skipped": tally.skipped,
        "duplicates": tally.duplicates,
        "reordered": tally.reordered,
        "restarts": tally.restarts,
        "duration_us": tally.duration_us,
        "rate_hz": tally.rate.hz if tally.rate else None,
        "dropped": recorder.dropped,
        "error": str(error) if error else None,
    }
