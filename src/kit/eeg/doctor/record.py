"""What was measured and found, as JSON objects. Pure.

The fields are a promise. What nobody can tell is null, and an `unknown` object says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from kit.eeg.doctor.facts import Counters, Facts, Pause, Unknown
from kit.eeg.doctor.finding import Finding
from kit.eeg.stats.skipped import Look


def records(
    facts: Facts, found: Sequence[Finding], unknown: Sequence[tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    """One object of figures, then one for each finding and for each thing that nobody can tell."""
    yield {"event": "watched", **_line(facts), **_seen(facts)}
    for finding in found:
        yield {"event": "finding", **asdict(finding)}
    for what, why in unknown:
        yield {"event": "unknown", "what": what, "why": why}


def _line(facts: Facts) -> dict[str, Any]:
    line, counters = facts.line, facts.counters
    return {
        "source": line.name,
        "kind": line.kind,
        "product": line.product,
        "driver": line.driver,
        "asked_baud": line.asked_baud,
        "baud": _known(line.baud),
        "latency_before_ms": _known(line.latency_before_ms),
        "latency_ms": _known(line.latency_ms),
        "low_latency": _known(line.low_latency),
        "counters": asdict(counters) if isinstance(counters, Counters) else None,
        "waiting": facts.waiting,
    }


def _seen(facts: Facts) -> dict[str, Any]:
    seen = facts.seen
    return {
        "ended": seen.ended,
        "duration_s": round(seen.duration_s, 6),
        "protocol": seen.protocol,
        "identity": seen.identity,
        "bytes": seen.bytes,
        "reads": seen.reads,
        "largest_read": seen.largest_read,
        "packets": seen.packets,
        "lost": seen.lost,
        "lost_low": seen.lost_low,
        "lost_high": seen.lost_high,
        "duplicates": seen.duplicates,
        "restarts": seen.restarts,
        "skipped": seen.skipped,
        "skipped_looks": [_look(look) for look in seen.looks],
        "pauses": [_pause(pause) for pause in seen.pauses],
        "worst_late_ms": _known(seen.worst_late_us, 1000),
    }


def _look(look: Look) -> dict[str, Any]:
    return {"why": look.why, "runs": look.runs, "bytes": look.count, "offset": look.offset}


def _pause(pause: Pause) -> dict[str, Any]:
    return {
        "offset": pause.offset,
        "length_ms": pause.length_us / 1000,
        "late_ms": pause.late_us / 1000,
        "lost": pause.lost,
    }


def _known(value: float | Unknown, divisor: int = 1) -> float | None:
    if isinstance(value, Unknown):
        return None
    return value if divisor == 1 else value / divisor
