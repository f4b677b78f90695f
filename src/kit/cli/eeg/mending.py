"""kit eeg doctor FILE: tells whether a recording is whole, and mends it if that is asked for."""

from __future__ import annotations

import shlex
from dataclasses import asdict

from kit.core.errors import EXIT_DONE, EXIT_NO
from kit.core.output import Output
from kit.core.text import printable
from kit.eeg.doctor.finding import Finding
from kit.eeg.recordings.checking import Checked
from kit.eeg.recordings.repairing import look, mend
from kit.eeg.stats.findings import number

_WIDTH = 10


def examine(path: str, form: str, output: Output, *, repair: bool) -> int:
    """Look, mend if so, tell; the exit status is 1 if something is left to be mended."""
    checked = mend(path, form) if repair else look(path, form)
    found = _findings(path, checked)
    if output.as_json:
        output.record(_record(path, checked, repaired=repair and checked.can_be_mended))
        for finding in found:
            output.record({"event": "finding", **asdict(finding)})
    else:
        for line in _lines(path, checked, found, repair=repair):
            output.line(line)
    left = any(fault == "damaged" for fault in checked.faults) if repair else bool(found)
    return EXIT_NO if left else EXIT_DONE


def _findings(path: str, checked: Checked) -> list[Finding]:
    command = f"kit eeg doctor --repair {shlex.quote(path)}"
    unit = {"edf": "record", "bdf": "record", "xdf": "chunk"}.get(checked.form, "line")
    told = {
        "torn": Finding(
            "torn",
            f"the last {unit} is cut",
            f"{number(checked.torn, 'byte')} at the end are no whole {unit}",
            "cut them off: a reader takes them for damage",
            command,
            "sure",
            costs_packets=True,
        ),
        "count": Finding(
            "count",
            "the header has the wrong number of records",
            f"it says {checked.told}, and there are {checked.records}",
            "enter the number: some programs refuse the file without it",
            command,
            "sure",
            costs_packets=False,
        ),
        "damaged": Finding(
            "damaged",
            "bytes within the file are damaged",
            f"{number(checked.damaged, 'time')} a reader has to search for the next boundary",
            "none: what lies between is lost, and the rest is read",
            None,
            "sure",
            costs_packets=True,
        ),
    }
    return [told[fault] for fault in checked.faults]


def _record(path: str, checked: Checked, *, repaired: bool) -> dict[str, object]:
    return {
        "event": "checked",
        "path": path,
        "format": checked.form,
        "whole_bytes": checked.whole,
        "torn_bytes": checked.torn,
        "records": checked.records,
        "records_told": checked.told,
        "duration_s": checked.duration_s,
        "repaired": repaired,
    }


def _lines(path: str, checked: Checked, found: list[Finding], *, repair: bool) -> list[str]:
    lines = [f"{'recording':<{_WIDTH}}{printable(path)} ({checked.form})"]
    if checked.records is not None:
        lines.append(f"{'records':<{_WIDTH}}{checked.records:,} whole, {checked.duration_s:g} s")
    for finding in found:
        lines += ["", f"{'problem':<{_WIDTH}}{finding.what} ({finding.certainty})"]
        lines.append(f"{'':<{_WIDTH}}{finding.evidence}")
        if not (repair and finding.command):
            lines.append(f"{'cure':<{_WIDTH}}{finding.cure}")
            lines += [f"{'':<{_WIDTH}}$ {finding.command}"] if finding.command else []
    return [*lines, "", _verdict(checked, repair=repair)]


def _verdict(checked: Checked, *, repair: bool) -> str:
    if not checked.faults:
        return "the recording is whole"
    if not repair or not checked.can_be_mended:
        return number(len(checked.faults), "finding")
    done = [f"{number(checked.torn, 'byte')} cut off"] if checked.torn else []
    done += [f"the number of records is now {checked.records}"] if checked.patch else []
    return f"mended: {', '.join(done)}"
