"""What the facts mean: each finding with its evidence, how sure it is, and what cures it. Pure.

A rule looks at the facts and finds one thing or nothing. Where several explain a loss all are told; the last
rule tells of a loss that the others do not explain.
"""

from __future__ import annotations

from collections.abc import Callable

from kit.eeg.doctor import port_rules, stream_rules
from kit.eeg.doctor.facts import Facts, Unknown
from kit.eeg.doctor.finding import Finding

_RULES: tuple[Callable[[Facts], Finding | None], ...] = (
    stream_rules.gone,
    stream_rules.silent,
    stream_rules.foreign,
    port_rules.speed,
    port_rules.overruns,
    port_rules.buffer_overruns,
    port_rules.withheld,
    port_rules.disturbed,
    stream_rules.late,
    stream_rules.stalls,
    stream_rules.skipped,
    stream_rules.restarts,
    stream_rules.duplicates,
    port_rules.latency,
    port_rules.low_latency,
)
# Each of these says where bytes are lost, however many.
_TELL_WHERE = {"gone", "overrun", "buffer-overrun", "withheld", "disturbed", "speed"}


def findings(facts: Facts) -> list[Finding]:
    """All of them, those that cost packets first."""
    found = [finding for rule in _RULES if (finding := rule(facts))]
    told = {finding.kind for finding in found if finding.costs_packets}
    if facts.seen.lost > _explained(facts) and not told & _TELL_WHERE:
        found.append(stream_rules.lost(facts))
    return sorted(found, key=lambda finding: not finding.costs_packets)


def unknowns(facts: Facts) -> list[tuple[str, str]]:
    """What nobody can tell here, and why."""
    line = facts.line
    asked = (
        ("what the driver counted", facts.counters),
        ("the speed that is really set", line.baud),
        ("the adapter's latency timer", line.latency_ms),
        ("the low-latency flag", line.low_latency),
        ("whether kit was late", facts.seen.worst_late_us),
    )
    return [(what, answer.why) for what, answer in asked if isinstance(answer, Unknown)]


def _explained(facts: Facts) -> int:
    """How many of the lost packets fell into a pause, or left a part behind."""
    damaged = sum(look.runs for look in facts.seen.looks)
    return damaged + sum(pause.lost for pause in facts.seen.pauses)
