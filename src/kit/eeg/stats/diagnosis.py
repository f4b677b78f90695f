"""What the pattern of a loss points to, in words, each with its evidence. Pure."""

from __future__ import annotations

from collections.abc import Callable

from kit.eeg.stats import loss_rules, other_rules
from kit.eeg.stats.findings import Finding
from kit.eeg.stats.report import Report

_Rule = Callable[[Report], Finding | None]
_LOSS_RULES: tuple[_Rule, ...] = (
    loss_rules.no_loss,
    loss_rules.every_nth,
    loss_rules.equal_runs,
    loss_rules.late_reader,
    loss_rules.bouts,
    loss_rules.single_packets,
)
_OTHER_RULES: tuple[_Rule, ...] = (
    other_rules.restarts,
    other_rules.maybe_restarts,
    other_rules.flipped_counters,
    other_rules.away,
    other_rules.mostly_noise,
    other_rules.misaligned,
    other_rules.inserted,
    other_rules.order,
    other_rules.off_rate,
)


def diagnose(report: Report) -> tuple[Finding, ...]:
    """What can be said, the answer to "was anything lost" first."""
    if report.is_foreign:
        return (other_rules.foreign(report),)
    if not report.packets:
        return ()
    found = [finding for rule in _LOSS_RULES if (finding := rule(report))]
    others = [finding for rule in _OTHER_RULES if (finding := rule(report))]
    if not found and _unexplained(report, {finding.kind for finding in others}):
        found.append(loss_rules.undecided(report))
    return (*found, *others)


def _unexplained(report: Report, kinds: set[str]) -> int:
    """How many gaps are neither a damaged counter nor a restart."""
    losses = report.losses
    restarts = losses.may_be_restarts if "likely-restart" in kinds else 0
    return losses.patterns.gaps - 2 * losses.patterns.flipped - restarts
