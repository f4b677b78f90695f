"""How this agent runs: what was decided before its first fork, and what its processes share from then on."""

from __future__ import annotations

from collections.abc import Callable

from kit.agent.channels.tallies import Tallies
from kit.agent.operations import Log
from kit.agent.startup import Limits
from kit.core.frozen import frozen
from kit.core.sandbox.plan import Plan


@frozen
class Settings:
    """Decided; `audit` is where the audit log goes, "" for nowhere."""

    plan: Plan
    limits: Limits
    workers: int
    audit: str
    audit_strict: bool


@frozen
class Shared:
    """What forked processes have in common."""

    settings: Settings
    tallies: Tallies
    log: Log
    clock: Callable[[], float]
    started_s: float
    supervisor: int
    zygote: int
