"""kit eeg doctor: joins the watching, the findings and the words for them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from kit.cli.eeg.endings import stopped_by_signals
from kit.cli.eeg.mending import examine
from kit.core.errors import EXIT_DONE, EXIT_NO, Unavailable, UsageError
from kit.core.output import Output
from kit.eeg.doctor.findings import findings, unknowns
from kit.eeg.doctor.record import records
from kit.eeg.doctor.watching import Wish, the_port, watch
from kit.eeg.doctor.words import lines
from kit.eeg.recordings.repairing import recording_form


def diagnose(output: Output, *, port: str | None, repair: bool, **how: Any) -> int:
    """Check a recording, or watch anything else; the exit status."""
    form = recording_form(port) if port else None
    if port and form:
        return examine(port, form, output, repair=repair)
    if repair:
        raise UsageError("only a recording can be mended", hint="name its file: kit eeg doctor --repair FILE")
    return _watched(output, port, **how)


def _watched(
    output: Output, port: str | None, *, duration_s: float, protocol: str, baud: int, rate_hz: Fraction
) -> int:
    """Watch, tell, and give the exit status; raises Unavailable behind the report if the device went away."""
    wish = Wish(port or the_port(), duration_s, baud, protocol, rate_hz)
    with stopped_by_signals() as stop:
        facts = watch(
            wish,
            begun=lambda: output.note(f"kit: watching {wish.spec!r} for {duration_s:g} s"),
            stopped=lambda: stop.number is not None,
        )
    found, unknown = findings(facts), unknowns(facts)
    if output.as_json:
        for each in records(facts, found, unknown):
            output.record(each)
    else:
        for line in lines(facts, found, unknown):
            output.line(line)
    if facts.seen.gone:
        raise Unavailable(facts.seen.gone)
    if stop.exit_status:
        return stop.exit_status
    return EXIT_NO if any(finding.costs_packets for finding in found) else EXIT_DONE
