"""kit eeg stats: joins a source, the statistics and the terminal, and ends with the report."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction

from kit.cli.eeg.endings import StopSignal, stopped_by_signals
from kit.cli.eeg.scales import scale_of
from kit.core.errors import EXIT_DONE, KitError, ProtocolError
from kit.core.output import Output
from kit.eeg.capture import Capture
from kit.eeg.intake import RAW, Intake
from kit.eeg.limits import Limit
from kit.eeg.records import Chunk, Gone, Item
from kit.eeg.scale import Scale, preferred
from kit.eeg.sources import Source, open_source
from kit.eeg.stats.accelerated import measuring
from kit.eeg.stats.diagnosis import diagnose
from kit.eeg.stats.findings import Finding
from kit.eeg.stats.gathering import Statistics
from kit.eeg.stats.live import Refresh, view
from kit.eeg.stats.record import record
from kit.eeg.stats.report import Report
from kit.eeg.stats.words import channel_notes, channel_table, facts
from kit.eeg.summary import complaint, too_much_lost
from kit.eeg.tally import Tally

_Show = Callable[[Sequence[str]], None]
# What is in a pipe when Ctrl-C comes is still read, as the program before it ends in good order, too.
_DRAIN_NS = 1_000_000_000


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    source: str
    form: str | None
    scale: Scale
    duration_s: float | None
    fail_above_percent: float | None
    protocol: str
    baud: int
    rate_hz: Fraction


def measure_eeg(wish: Wish, output: Output) -> int:
    """Read to the end, or until a signal comes; report; the exit status."""
    with closing(open_source(wish.source, baud=wish.baud)) as source, stopped_by_signals() as stop:
        if source.live:
            wish = replace(wish, scale=scale_of(wish.scale, source.name))
        measurement = _Measurement(source, wish)
        with output.live() as show:
            error = measurement.run(stop, show)
        if measurement.received:
            _render(output, measurement.report(), measurement.scale)
        if error:
            raise error
        return stop.exit_status or _judged(measurement, source.name, wish)


class _Measurement:
    """A source's items on their way to the statistics."""

    def __init__(self, source: Source, wish: Wish) -> None:
        self.tally = Tally(wish.rate_hz)
        self._source = source
        self._wish = wish
        self._capture = Capture(wish.protocol, rate_hz=wish.rate_hz, baud=wish.baud)
        form = RAW if source.live and wish.form is None else wish.form
        self._intake = Intake(self._capture, form, wish.scale)
        self._limit = Limit(None, wish.duration_s, wish.rate_hz)
        self._statistics: Statistics | None = None

    @property
    def received(self) -> int:
        """How many bytes came."""
        return self._intake.received

    @property
    def scale(self) -> Scale:
        """What microvolts are: as somebody said, or else as the file says."""
        return preferred(self._wish.scale, self._intake.scale)

    def report(self) -> Report:
        """What is known so far."""
        return self._gathered().report(self._capture.tally.rate)

    def run(self, stop: StopSignal, show: _Show | None) -> KitError | None:
        """To the end; what ended it, if that was no end as wished."""
        refresh = Refresh(time.monotonic_ns())
        error: KitError | None = None
        try:
            for chunk in self._chunks(stop):
                self._take(chunk)
                if show and refresh.is_due(time.monotonic_ns()):
                    show(view(self.report(), self.scale))
        except KitError as failed:
            error = failed
        try:
            self._add(self._intake.end("error" if error else "end"))
        except KitError as failed:
            error = error or failed
        return error

    def _chunks(self, stop: StopSignal) -> Iterator[Chunk | Gone]:
        deadline_ns: int | None = None
        for chunk in self._source.chunks():
            yield chunk
            if self._limit.reached:
                return
            if stop.number:
                silent = isinstance(chunk, Chunk) and not chunk.data
                deadline_ns = deadline_ns or time.monotonic_ns() + _DRAIN_NS
                if self._source.live or silent or time.monotonic_ns() > deadline_ns:
                    return

    def _take(self, chunk: Chunk | Gone) -> None:
        if isinstance(chunk, Gone):
            self._add(self._intake.interrupt(chunk))
            return
        if chunk.monotonic_ns is not None:
            self._limit.begin(chunk.monotonic_ns // 1000)
            self._limit.look(chunk.monotonic_ns // 1000)
        self._add(self._intake.feed(chunk))

    def _add(self, items: list[Item]) -> None:
        if self._limit.exists:
            items = self._limit.take(items)
        for item in items:
            self.tally.add(item)
        self._gathered().add(items)

    def _gathered(self) -> Statistics:
        """Made when the format is known."""
        if self._statistics is None or not self._intake.format:
            # A live line is slow: numpy would cost more than it saves.
            quick = None if self._source.live else measuring()
            form = self._intake.format or RAW
            self._statistics = Statistics(self._wish.rate_hz, format=form, measuring=quick)
        return self._statistics


def _render(output: Output, report: Report, scale: Scale) -> None:
    findings = diagnose(report)
    if output.as_json:
        output.record(record(report, findings, scale))
        return
    for label, text in facts(report, bars=output.on_terminal):
        _paragraph(output, f"{label:<8}", text)
    if report.channels:
        output.line()
        output.table(*channel_table(report, scale))
        for note in channel_notes(report, scale):
            _paragraph(output, "", note)
    _render_findings(output, findings)


def _render_findings(output: Output, findings: Sequence[Finding]) -> None:
    if findings:
        output.line()
    for finding in findings:
        _paragraph(output, "-", finding.text)
        _paragraph(output, " ", f"({finding.evidence})")


def _paragraph(output: Output, label: str, text: str) -> None:
    """Folded for a person, a line of its own in a pipe."""
    line = f"{label} {text}" if label else text
    if not output.width:
        output.line(line)
        return
    indent = " " * (len(label) + 1) if label else ""
    for part in textwrap.wrap(line, max(40, output.width), subsequent_indent=indent):
        output.line(part)


def _judged(measurement: _Measurement, name: str, wish: Wish) -> int:
    """The exit status of an input that was read to its end; raises where it was no OpenEEG."""
    error = complaint(measurement.tally, name, measurement.received)
    if not error and measurement.report().is_foreign:
        error = ProtocolError(f"{name!r} is not an OpenEEG stream: its counters are no sequence")
    if not error and wish.fail_above_percent is not None:
        error = too_much_lost(measurement.tally, wish.fail_above_percent)
    if error:
        raise error
    return EXIT_DONE
