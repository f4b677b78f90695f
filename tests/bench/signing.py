"""Signatures a second over the socket: kit's agent, OpenSSH's, and OpenSSL with nothing in between."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from kit.core.stats import median
from tests.bench import processes
from tests.bench.agents import KIT, Agent, Setting, kit_agent, ssh_agent
from tests.bench.goal import Goal, Shown, all_in_turn, in_turn, ratio
from tests.bench.load import Answers, Group, Loader, loader, signatures
from tests.bench.openssl_speed import speed
from tests.bench.requests import Question

_ROUNDS, _ROUND_S = 9, 1.0
_FLOODS, _FLOOD_S = 5, 3.0
_CONNECTIONS = 8
_CORES = len(os.sched_getaffinity(0))
_ALGORITHMS = {"rsa-2048": "rsa2048", "p-256": "ecdsap256"}
_GOALS = {"rsa-2048": 0.90, "p-256": 0.25}
_AS_USED = Setting()


class Measured:
    """A question asked of an agent, for a round at each call; what the rounds cost is added up."""

    def __init__(self, load: Loader, agent: Agent, question: Question, round_s: float = _ROUND_S) -> None:
        self._load, self._agent, self._round_s = load, agent, round_s
        self._group = Group(_CONNECTIONS, question)
        self._signatures, self._us = 0, {"client": 0.0}

    def __call__(self) -> float:
        family = processes.family(self._agent.pid)
        before = processes.cpu_us(family)
        load = self._load.run(self._agent.socket, self._round_s, self._group)
        for role, us in processes.cpu_us(family).items():
            self._us[role] = self._us.get(role, 0) + us - before[role]
        self._us["client"] += load.client_us
        self._signatures += signatures(load)
        return load.answers[0].per_second

    @property
    def cost(self) -> str:
        """The CPU time of one signature, by who takes it."""
        each = ", ".join(f"{role} {us / self._signatures:.1f}" for role, us in self._us.items())
        return f"µs of CPU each: {each}"


def agent() -> Iterator[Goal | Shown]:
    """Against `openssl speed` on as many cores, and against OpenSSH's agent."""
    with loader() as load, kit_agent(_AS_USED) as kit:
        keys = {kind: kit.key(kind) for kind in _ALGORITHMS}
        for kind, key in keys.items():
            yield from _against_openssl(kind, Measured(load, kit, key.tls))
        yield from _against_ssh_agent(load, Measured(load, kit, keys["p-256"].ssh))


def _against_openssl(kind: str, measured: Measured) -> Iterator[Goal | Shown]:
    algorithm = _ALGORITHMS[kind]
    sides: dict[str, Callable[[], float]] = {
        "kit": measured,
        "all": lambda: speed(algorithm, _CORES),
        "one": lambda: speed(algorithm) * _CORES,
    }
    found = all_in_turn(_ROUNDS, sides)
    figures = (
        f"agent {median(found['kit']):.0f}/s, openssl speed -multi {_CORES} {median(found['all']):.0f}/s"
    )
    name = f"{kind} signatures, {_CONNECTIONS} connections"
    yield Goal(name, figures, ratio(found, "kit", "all"), _GOALS[kind])
    alone = f"{ratio(found, 'kit', 'one'):.2f} of openssl speed x {_CORES} ({median(found['one']):.0f}/s)"
    best = f"{max(found['kit']) / max(found['all']):.2f} of the best rounds"
    yield Shown(name, f"{alone}; {best}; {measured.cost}")


def _against_ssh_agent(load: Loader, measured: Measured) -> Iterator[Goal | Shown]:
    with ssh_agent() as (path, question):
        group = Group(_CONNECTIONS, question)
        ours, theirs, times = in_turn(
            _ROUNDS, measured, lambda: load.run(path, _ROUND_S, group).answers[0].per_second
        )
    name = f"p-256 signatures for SSH, {_CONNECTIONS} connections"
    yield Goal(name, f"agent {ours:.0f}/s, ssh-agent {theirs:.0f}/s", times, 8)
    yield Shown(name, measured.cost)


def flood() -> Iterator[Goal | Shown]:
    """How long one P-256 client waits beside eight that ask for RSA-4096."""
    with loader() as load, kit_agent(_AS_USED) as kit:
        slow, quick = kit.key("rsa-4096").tls, kit.key("p-256").tls
        rounds = [_flooded(load, kit, slow, quick) for _ in range(_FLOODS)]
    name = "p-256 beside a flood of rsa-4096"
    answers = [flooded for flooded, _ in rounds]
    p99_ms, signature_ms = (
        median(us) / 1000 for us in ([a.p99_us for a in answers], [us for _, us in rounds])
    )
    waits = median([flooded.p99_us / signature_us for flooded, signature_us in rounds])
    figures = f"{p99_ms:.2f} ms, an rsa-4096 signature {signature_ms:.2f} ms"
    yield Goal(f"{name}, p99", figures, waits, 3, at_least=False, unit="signatures")
    median_ms, slowest_ms = (
        median([a.median_us for a in answers]) / 1000,
        max(a.slowest_us for a in answers) / 1000,
    )
    rate = median([flooded.per_second for flooded in answers])
    yield Shown(name, f"{rate:.0f}/s, median {median_ms:.2f} ms, slowest {slowest_ms:.2f} ms")


def _flooded(load: Loader, kit: Agent, slow: Question, quick: Question) -> tuple[Answers, float]:
    """What the quick client got, and how long a slow one waits that is alone, in µs.

    That is the agent's own OpenSSL, which may take half as long as the one that `openssl speed` belongs to.
    """
    alone = load.run(kit.socket, _ROUND_S, Group(1, slow))
    beside = load.run(kit.socket, _FLOOD_S, Group(_CONNECTIONS, slow), Group(1, quick))
    signatures(beside)
    return beside.answers[1], alone.answers[0].median_us


def handshakes() -> Iterator[Goal | Shown]:
    """Full TLS 1.3 handshakes a second: agent's key against local key (`kit tls bench`)."""
    command = [KIT, "tls", "bench", "--json", "-n", str(_CONNECTIONS), "--rounds", "15"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    goals = {"rsa-2048": 0.9, "p-256": 0.8}
    for line in done.stdout.splitlines():
        found = json.loads(line)
        figures = f"agent {found['agent']['per_second']:.0f}/s, local {found['local']['per_second']:.0f}/s"
        name = f"{found['key']} handshakes, connections: {found['connections']}"
        if found["connections"] == _CONNECTIONS:
            yield Goal(name, figures, found["ratio"], goals[found["key"]])
        else:
            yield Shown(name, f"{figures}: {found['ratio']:.2f} x")


_BARE = Setting(sandbox="off", audit=False)
_COSTS = {
    "bare": _BARE,
    "sandbox compat": Setting(sandbox="compat", audit=False),
    "sandbox strict": Setting(audit=False),
    "audit to a file": Setting(sandbox="off"),
    "strict audit": Setting(sandbox="off", audit_strict=True),
    "memory wiped": Setting(sandbox="off", audit=False, wipe_memory=True),
    "as used": _AS_USED,
    "as used, memory wiped": Setting(wipe_memory=True),
}


def costs() -> Iterator[Shown]:
    """What the sandbox, the audit and the wiping of freed memory cost, each beside an agent without any."""
    with loader() as load, ExitStack() as stack:
        agents = {name: stack.enter_context(kit_agent(setting)) for name, setting in _COSTS.items()}
        for kind in _ALGORITHMS:
            sides = {name: Measured(load, kit, kit.key(kind).tls, 0.5) for name, kit in agents.items()}
            found = all_in_turn(_ROUNDS, sides)
            for name, side in sides.items():
                figures = f"{median(found[name]):.0f}/s, {ratio(found, name, 'bare'):.2f} x; {side.cost}"
                yield Shown(f"{kind}, {name}", figures)


BENCHES: dict[str, Callable[[], Iterator[Goal | Shown]]] = {
    bench.__name__: bench for bench in (agent, flood, handshakes, costs)
}
