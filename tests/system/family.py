"""An agent's processes, seen from outside through /proc: who they are, and what each has open."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kit.agent.client import AgentClient

_DEADLINE_S = 15.0


@dataclass(frozen=True)
class Family:
    """Their process ids."""

    supervisor: int
    zygote: int
    workers: tuple[int, ...]
    bridge: int = 0

    @property
    def holders(self) -> tuple[int, ...]:
        """Those that hold keys."""
        return (self.zygote, *self.workers)

    @property
    def everybody(self) -> tuple[int, ...]:
        return (self.supervisor, *self.holders)

    @property
    def named(self) -> dict[str, int]:
        workers = {f"worker {number}": pid for number, pid in enumerate(self.workers)}
        return {"supervisor": self.supervisor, "zygote": self.zygote, **workers}


def family(socket_path: str) -> Family:
    """The processes of the agent that answers there."""
    with AgentClient(socket_path, timeout_s=_DEADLINE_S) as client:
        processes = client.status().processes
    pids: dict[str, list[int]] = {"supervisor": [], "zygote": [], "bridge": [], "worker": []}
    for process in processes:
        pids[process.role].append(process.pid)
    bridge = pids["bridge"][0] if pids["bridge"] else 0
    return Family(pids["supervisor"][0], pids["zygote"][0], tuple(pids["worker"]), bridge)


def whole(socket_path: str, workers: int, *, without: int = 0) -> Family:
    """The same, once so many workers serve, none of which is the process `without`."""
    found: list[Family] = []

    def complete() -> bool:
        found[:] = [family(socket_path)]
        alive = [pid for pid in found[0].workers if pid != without and state(pid) not in ("", "Z")]
        return len(alive) == workers

    await_that(complete, f"{workers} workers")
    return found[0]


def state(pid: int) -> str:
    """The letter of proc_pid_stat(5); "" for no process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def left(pids: tuple[int, ...] | list[int]) -> list[int]:
    """Those that have not ended."""
    return [pid for pid in pids if state(pid) not in ("", "Z", "X")]


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descriptors(pid: int) -> dict[int, str]:
    """What each descriptor is: a path, or a kind and an inode."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - names, not paths
        try:
            found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")  # noqa: PTH115
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def field(pid: int, name: str) -> str:
    """A line of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line for line in lines if line.startswith(name + ":")).split(":", 1)[1].strip()


def await_that(condition: Callable[[], object], what: str, within_s: float = _DEADLINE_S) -> float:
    """Poll until it holds; how many seconds that took."""
    begin_s = time.monotonic()
    while not condition():
        assert time.monotonic() < begin_s + within_s, f"{what}: not within {within_s:g} s"
        time.sleep(0.005)
    return time.monotonic() - begin_s
