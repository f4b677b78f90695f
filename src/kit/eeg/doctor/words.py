"""What was measured and found, in lines for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kit.eeg.doctor.facts import Counters, Facts, Line, Seen
from kit.eeg.doctor.finding import Finding
from kit.eeg.stats.findings import number

_WIDTH = 10
_MOST_LOOKS = 3
_KINDS = {
    "pty": "a pty",
    "file": "a file",
    "pipe": "a pipe",
    "url": "a URL",
    "simulated": "a simulated device",
}


def lines(facts: Facts, found: Sequence[Finding], unknown: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Figures, findings, what nobody can tell, and the sum of it."""
    for label, text in _measured(facts):
        yield f"{label:<{_WIDTH}}{text}"
    for finding in found:
        yield ""
        yield from _finding(finding)
    if unknown:
        yield ""
        yield from _unknown(unknown)
    yield ""
    yield _verdict(facts, found, bool(unknown))


def _measured(facts: Facts) -> Iterator[tuple[str, str]]:
    line, seen = facts.line, facts.seen
    yield "source", _source(line)
    yield "watched", f"{seen.duration_s:.1f} s, {number(seen.bytes, 'byte')} in {number(seen.reads, 'read')}"
    if seen.packets:
        yield "packets", _packets(seen)
    if seen.skipped:
        yield "skipped", f"{number(seen.skipped, 'byte')}: {_looks(seen)}"
    if seen.pauses:
        longest_ms = max(pause.length_us for pause in seen.pauses) / 1000
        yield "pauses", f"{len(seen.pauses)} without a byte, the longest {longest_ms:.0f} ms"
    if isinstance(line.baud, int):
        yield "speed", f"{line.baud} baud"
    if isinstance(facts.counters, Counters):
        yield "driver", _counted(facts.counters)
    if isinstance(line.latency_ms, int):
        yield "latency", f"the adapter's timer is {line.latency_ms} ms"
    if isinstance(line.low_latency, bool):
        yield "flag", f"low latency is {'on' if line.low_latency else 'off'}"
    if isinstance(seen.worst_late_us, int):
        yield "kit", f"its latest wake-up was {seen.worst_late_us / 1000:.1f} ms late"


def _source(line: Line) -> str:
    told = [line.product or "", f"driver {line.driver}" if line.driver else "", _KINDS.get(line.kind, "")]
    more = ", ".join(filter(None, told))
    return f"{line.name} ({more})" if more else line.name


def _packets(seen: Seen) -> str:
    percent = 100 * seen.lost / (seen.packets + seen.lost)
    lost = f"{seen.lost} lost ({percent:.2f} %)" if seen.lost else "none lost by the counter"
    if (seen.lost_low, seen.lost_high) != (seen.lost, seen.lost):
        lost += f", at least {seen.lost_low} and at most {seen.lost_high}"
    device = f" from {seen.identity!r}" if seen.identity else ""
    return f"{seen.packets} of {(seen.protocol or '').upper()}{device}, {lost}"


def _looks(seen: Seen) -> str:
    return ", ".join(f"{look.count} look like {look.why!r}" for look in seen.looks[:_MOST_LOOKS])


def _counted(counters: Counters) -> str:
    told = (
        (counters.received, "byte"),
        (counters.framing_errors, "framing error"),
        (counters.overruns, "overrun"),
        (counters.parity_errors, "parity error"),
        (counters.breaks, "break"),
        (counters.buffer_overruns, "buffer overrun"),
    )
    return "counted " + ", ".join(number(count, what) for count, what in told)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{'problem' if finding.costs_packets else 'note':<{_WIDTH}}{finding.what} ({finding.certainty})"
    yield f"{'':<{_WIDTH}}{finding.evidence}"
    yield f"{'cure':<{_WIDTH}}{finding.cure}"
    if finding.command:
        yield f"{'':<{_WIDTH}}$ {finding.command}"


def _unknown(unknown: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What has the same reason stands on one line."""
    for why in dict.fromkeys(why for _, why in unknown):
        things = ", ".join(what for what, reason in unknown if reason == why)
        yield f"{'unknown':<{_WIDTH}}{things}: {why}"


def _verdict(facts: Facts, found: Sequence[Finding], is_limited: bool) -> str:
    costly = sum(finding.costs_packets for finding in found)
    if costly:
        return f"{number(costly, 'finding')} that cost packets"
    limited = ", as far as it can be seen here" if is_limited else ""
    return f"nothing was lost{limited}"
