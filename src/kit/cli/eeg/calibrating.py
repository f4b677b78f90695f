"""kit eeg calibrate: joins a capture, the measurement, and the file where its result is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Literal

from kit.cli.eeg.capturing import CaptureWish, feed, open_capture, tell
from kit.cli.eeg.endings import stopped_by_signals
from kit.cli.eeg.scales import identity_of, save
from kit.core.output import Output
from kit.eeg.calibrating.collecting import Collector
from kit.eeg.calibrating.keeping import keep, name_of
from kit.eeg.calibrating.measuring import Calibration, Measured, Request, calibrate
from kit.eeg.feeding import Feeding
from kit.eeg.scale import Scale

_HEAD = ("channel", "counts p-p", "µV per count", "spread", "")
_UNEQUAL_PERCENT = 2
_LOOK_S = 0.1


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    source: str | None
    peak_to_peak_uv: float
    frequency_hz: float | None
    waveform: Literal["auto", "sine", "square"]
    duration_s: float
    form: str | None
    protocol: str
    baud: int
    rate_hz: Fraction

    @property
    def capture(self) -> CaptureWish:
        """The source, and how it is read."""
        return CaptureWish(
            self.source, self.form, Scale(), self.duration_s, False, self.protocol, self.baud, self.rate_hz
        )

    @property
    def request(self) -> Request:
        """What is known of the signal."""
        shape = None if self.waveform == "auto" else self.waveform
        return Request(self.peak_to_peak_uv, self.frequency_hz, shape)


def calibrate_eeg(wish: Wish, output: Output) -> int:
    """Listen, measure, keep and tell; the exit status."""
    collector = Collector(wish.rate_hz)
    with open_capture(wish.capture) as stream, stopped_by_signals() as stop:
        output.note(f"kit: listening to {stream.name!r} for {wish.duration_s:g} s")
        feed(Feeding(stream, [collector]), stop, _LOOK_S)
        tell(stream, output)
        name = stream.name
    if stop.exit_status:
        return stop.exit_status
    calibration = calibrate(collector.samples(), float(wish.rate_hz), wish.request)
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    identity = identity_of(name)
    path = save(identity, keep(calibration, made)) if identity else None
    device = name_of(identity) if identity else None
    if output.as_json:
        output.record(
            {
                **_record(calibration),
                "source": name,
                "device": device,
                "made": made,
                "kept": path and str(path),
            }
        )
    else:
        _render(output, calibration, _where(name, device, path, calibration))
    return 0


def _record(calibration: Calibration) -> dict[str, object]:
    return {
        "uv_per_count": calibration.uv_per_count,
        "spread_percent": calibration.spread_percent,
        "frequency_hz": calibration.frequency_hz,
        "waveform": calibration.waveform,
        "peak_to_peak_uv": calibration.request.peak_to_peak_uv,
        "channels": [
            {
                "channel": one.channel,
                "verdict": one.verdict,
                "text": one.text,
                "peak_to_peak_counts": one.peak_to_peak_counts,
                "uv_per_count": one.uv_per_count,
                "spread_percent": one.spread_percent,
            }
            for one in calibration.channels
        ],
    }


def _render(output: Output, calibration: Calibration, where: Sequence[str]) -> None:
    output.table(_HEAD, [_row(one) for one in calibration.channels])
    output.line()
    request = calibration.request
    signal = f"a {calibration.waveform} wave of {request.peak_to_peak_uv:g} µV from peak to peak"
    output.line(
        f"{calibration.uv_per_count:.4g} µV per count, by {signal} at {calibration.frequency_hz:.2f} Hz"
    )
    if calibration.spread_percent > _UNEQUAL_PERCENT:
        output.line(
            f"the channels differ by {calibration.spread_percent:.1f} %: this is their mean, and each board"
            " has a trimmer for each channel"
        )
    for line in where:
        output.line(line)


def _row(one: Measured) -> tuple[str, ...]:
    size = "" if one.peak_to_peak_counts is None else f"{one.peak_to_peak_counts:.1f}"
    scale = "" if one.uv_per_count is None else f"{one.uv_per_count:.4g}"
    spread = "" if one.spread_percent is None else f"{one.spread_percent:.2g} %"
    return str(one.channel), size, scale, spread, f"{one.verdict}: {one.text}" if one.text else one.verdict


def _where(name: str, device: str | None, path: Path | None, calibration: Calibration) -> list[str]:
    """What becomes of the result."""
    if path:
        return [f"kept for {device} in {str(path)!r}: from now on it holds wherever that is read"]
    figure = f"--uv-per-count {calibration.uv_per_count:.4g}"
    return [f"{name!r} has no serial number to keep it by: say {figure} where microvolts are wanted"]
