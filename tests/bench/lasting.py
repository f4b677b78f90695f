"""What an agent takes of the memory, at first and after long work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from tests.bench import processes
from tests.bench.agents import Agent, Setting, kit_agent
from tests.bench.goal import Goal, Shown
from tests.bench.load import Group, Loader, loader, signatures

_FIXED_MIB, _WORKER_MIB = 35, 12
_SOAK_S = 600.0
_SLICE_S = 5.0
# Of the audit's file, which the soak would otherwise fill by gigabytes.
_LOG_LIMIT = 100 << 20


def memory() -> Iterator[Goal | Shown]:
    """After 10,000 signatures and more, and after as many again."""
    with loader() as load, kit_agent(Setting()) as kit:
        groups = _groups(kit)
        sizes, done = [], 0
        for wanted in (10_000, 20_000):
            while done < wanted:
                done += signatures(load.run(kit.socket, 0.5, *groups))
            sizes.append(_memory(kit))
    first, then = (sum(size.values()) for size in sizes)
    limit = _FIXED_MIB + _WORKER_MIB * len(os.sched_getaffinity(0))
    yield Goal("memory after 10,000 signatures", _by_role(sizes[0]), first, limit, False, "MiB")
    figures = f"{first:.1f} MiB, then {then:.1f} MiB"
    yield Goal("memory after 10,000 more", figures, then / first, 1.02, at_least=False)


def soak() -> Iterator[Goal | Shown]:
    """Ten minutes at full rate, with new connections now and then: does the memory grow?"""
    with loader() as load, kit_agent(Setting()) as kit:
        groups = _groups(kit)
        sizes, done, family = [], 0, processes.family(kit.pid)
        begin = time.monotonic()
        while (spent_s := time.monotonic() - begin) < _SOAK_S:
            done += _slice(load, kit, groups)
            sizes.append(_memory(kit))
        if processes.family(kit.pid) != family:
            raise SystemExit("a process of the agent was replaced")
    shown = {"start": sizes[0], "midway": sizes[len(sizes) // 2], "end": sizes[-1]}
    for when, size in shown.items():
        yield Shown(f"soak, {when}", _by_role(size))
    start, end = (sum(size.values()) for size in (sizes[0], sizes[-1]))
    figures = f"{done} signatures in {spent_s:.0f} s, {done / spent_s:.0f}/s"
    yield Goal("soak, memory at the end to the start", figures, end / start, 1.03, at_least=False)


def _slice(load: Loader, kit: Agent, groups: list[Group]) -> int:
    done = signatures(load.run(kit.socket, _SLICE_S, *groups))
    log = kit.directory / "audit.log"
    if log.stat().st_size > _LOG_LIMIT:
        os.truncate(log, 0)  # it is appended to
    return done


def _groups(kit: Agent) -> list[Group]:
    return [Group(4, kit.key(kind).tls) for kind in ("rsa-2048", "p-256")]


def _memory(kit: Agent) -> dict[str, float]:
    return processes.memory_mib(processes.family(kit.pid))


def _by_role(size: dict[str, float]) -> str:
    return ", ".join(f"{role} {mib:.1f} MiB" for role, mib in size.items())


BENCHES: dict[str, Callable[[], Iterator[Goal | Shown]]] = {"memory": memory, "soak": soak}
