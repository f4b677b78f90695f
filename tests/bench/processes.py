"""An agent's processes as /proc shows them: which there are, their CPU time, their memory."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

_PROC = Path("/proc")
# How far below the process that was started; the agent's processes are each other's children.
_ROLES = ("supervisor", "zygote", "workers")


def family(pid: int) -> dict[str, list[int]]:
    """The process and all below it, by their roles."""
    children = defaultdict(list)
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:  # it ended meanwhile
            continue
        children[int(text.rsplit(")", 1)[1].split()[1])].append(int(stat.parent.name))
    roles, generation = {}, [pid]
    for role in _ROLES:
        roles[role] = [one for one in generation if not _bridges(one)]
        if len(roles[role]) < len(generation):
            roles["bridge"] = [one for one in generation if _bridges(one)]
        generation = [child for parent in generation for child in children[parent]]
    return roles


def _bridges(pid: int) -> bool:
    """It is the zygote's sister."""
    return (_PROC / str(pid) / "comm").read_text() == "kit-bridge\n"


def cpu_us(family: Mapping[str, list[int]]) -> dict[str, float]:
    """The CPU time of each role's processes, all their threads together."""
    return {role: sum(map(_process_cpu_us, pids)) for role, pids in family.items()}


def _process_cpu_us(pid: int) -> float:
    # stat counts in hundredths of a second, schedstat in nanoseconds.
    times = [stat.read_text() for stat in _PROC.glob(f"{pid}/task/*/schedstat")]
    return sum(int(text.split()[0]) for text in times) / 1000


def memory_mib(family: Mapping[str, list[int]]) -> dict[str, float]:
    """The memory of each role's processes; what they share is divided among those who share it."""
    return {role: sum(map(_process_mib, pids)) for role, pids in family.items()}


def _process_mib(pid: int) -> float:
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text()
        found = re.search(r"Pss:\s+(\d+) kB", text)
    except PermissionError:  # of a process that cannot be dumped, its owner may not know either: all counts
        found = re.search(r"VmRSS:\s+(\d+) kB", (_PROC / str(pid) / "status").read_text())
    assert found
    return int(found[1]) / 1024
