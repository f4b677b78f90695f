"""A finding, and the few phrases that the rules share. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kit.eeg.doctor.facts import Counters, Facts, Pause, Unknown
from kit.eeg.stats.findings import number

Certainty = Literal["sure", "likely", "possible"]


@dataclass(frozen=True)
class Finding:
    """What is the matter, and what cures it.

    `kind` is for programs; `command`, where there is one, is what a shell does for the cure.
    """

    kind: str
    what: str
    evidence: str
    cure: str
    command: str | None
    certainty: Certainty
    costs_packets: bool


def name(facts: Facts) -> str:
    """The source, as a shell takes it."""
    return shlex.quote(facts.line.name)


def before_others(facts: Facts) -> str:
    """How to read with more right to the processor than other programs."""
    return f"sudo chrt --rr 50 kit eeg read {name(facts)}"


def pattern(facts: Facts) -> str | None:
    """How to look at the pattern of the losses."""
    return f"kit eeg stats --duration 60 {name(facts)}" if facts.line.kind == "port" else None


def skipped_later(facts: Facts) -> int:
    """Skipped bytes without those before the first packet, which is where a stream is cut into."""
    return facts.seen.skipped - facts.seen.skipped_at_first


def is_damaged(facts: Facts) -> bool:
    """Are packets missing, or parts of them?"""
    return bool(facts.seen.lost or skipped_later(facts))


def line_errors(counters: Counters | Unknown) -> str:
    """What the driver counted of bytes that came broken; nothing if it did not."""
    if isinstance(counters, Unknown):
        return ""
    told = (
        (counters.framing_errors, "framing error"),
        (counters.parity_errors, "parity error"),
        (counters.breaks, "break"),
    )
    return ", ".join(number(count, what) for count, what in told if count)


def pauses_told(pauses: Iterable[Pause]) -> str:
    """How many there were, how long the longest was, and what was lost behind them."""
    all_of_them = list(pauses)
    longest_ms = max(pause.length_us for pause in all_of_them) / 1000
    lost = sum(pause.lost for pause in all_of_them)
    missing = f", {number(lost, 'packet')} missing right behind" if lost else ", no packet missing behind"
    return f"no byte was read {number(len(all_of_them), 'time')} for up to {longest_ms:.0f} ms{missing}"
