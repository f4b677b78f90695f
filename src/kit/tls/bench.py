"""Handshakes a second and how long one takes, two servers against each other in short rounds in turn.

In turn, because a machine is not equally quick all the time: what disturbs a round disturbs its neighbour
too, so the ratio of neighbours says more than the ratio of two long runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kit.core.frozen import frozen
from kit.core.stats import median, percentile, rate
from kit.tls.load import Client, Load

HEAD = ("KEY", "CONNECTIONS", "SIDE", "HANDSHAKES/S", "P50 MS", "P99 MS", "FAILED", "RATIO")
LOCAL, AGENT = "local", "agent"


@frozen
class Case:
    """What is compared: a kind of key, and how many clients connect at a time."""

    key: str
    connections: int


@frozen
class Round:
    """What one side did in a while."""

    seconds: tuple[float, ...]
    failed: int
    elapsed_s: float

    @property
    def per_second(self) -> float:
        return rate(len(self.seconds), self.elapsed_s)


@frozen
class Comparison:
    """Both sides' rounds of one case, neighbours at the same place."""

    case: Case
    local: tuple[Round, ...]
    agent: tuple[Round, ...]

    @property
    def ratio(self) -> float:
        """Agent's rate by the local key's: the median of the rounds'."""
        pairs = zip(self.agent, self.local, strict=True)
        ratios = [agent.per_second / local.per_second for agent, local in pairs if local.per_second]
        return median(ratios) if ratios else 0.0

    @property
    def failed(self) -> int:
        return sum(round_.failed for round_ in (*self.local, *self.agent))


@frozen
class Plan:
    """How long to measure: in each round, each side of each case once."""

    rounds: int
    round_s: float


def compare(
    cases: Sequence[Case],
    sides: Mapping[str, Mapping[str, Client]],
    plan: Plan,
    tell: Callable[[str], None],
) -> list[Comparison]:
    """Measure every case; `sides` has for LOCAL and AGENT a client for each kind of key."""
    return [_compare(case, sides, plan, tell) for case in cases]


def _compare(
    case: Case, sides: Mapping[str, Mapping[str, Client]], plan: Plan, tell: Callable[[str], None]
) -> Comparison:
    done: dict[str, list[Round]] = {LOCAL: [], AGENT: []}
    for side in done:
        _round(sides[side][case.key], case, plan.round_s / 4)  # the first handshakes find cold caches
    for number in range(plan.rounds):
        tell(f"{case.key}, {case.connections} at a time, round {number + 1}")
        # Neither side is always the first.
        for side in (LOCAL, AGENT) if number % 2 else (AGENT, LOCAL):
            done[side].append(_round(sides[side][case.key], case, plan.round_s))
    return Comparison(case, tuple(done[LOCAL]), tuple(done[AGENT]))


def _round(client: Client, case: Case, seconds: float) -> Round:
    with Load([client], case.connections) as load:
        time.sleep(seconds)
    return Round(tuple(load.seconds), len(load.errors), load.elapsed_s)


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Two lines of the table."""
    case = comparison.case
    lines: list[tuple[str, ...]] = []
    for side, rounds in ((LOCAL, comparison.local), (AGENT, comparison.agent)):
        figures = _figures(rounds)
        shown = [f"{figures['per_second']:.0f}", _ms(figures["p50_ms"]), _ms(figures["p99_ms"])]
        ratio = f"{comparison.ratio:.2f}" if side == AGENT else ""
        lines.append((case.key, str(case.connections), side, *shown, str(figures["failed"]), ratio))
    return lines


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.2f}"


def record(comparison: Comparison, version: str) -> dict[str, Any]:
    """The same for programs."""
    return {
        "kind": "comparison",
        "tls": version,
        "key": comparison.case.key,
        "connections": comparison.case.connections,
        "rounds": len(comparison.local),
        "local": _figures(comparison.local),
        "agent": _figures(comparison.agent),
        "ratio": round(comparison.ratio, 4),
    }


def _figures(rounds: Sequence[Round]) -> dict[str, Any]:
    seconds = [second for round_ in rounds for second in round_.seconds]
    return {
        "handshakes": len(seconds),
        "failed": sum(round_.failed for round_ in rounds),
        "per_second": round(median([round_.per_second for round_ in rounds]), 2),
        "p50_ms": round(percentile(seconds, 50) * 1000, 3) if seconds else None,
        "p99_ms": round(percentile(seconds, 99) * 1000, 3) if seconds else None,
    }
