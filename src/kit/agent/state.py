"""What the agent can say of itself, out of the counters that its processes share: its state, its metrics."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kit import __version__
from kit.agent.extension import AgentMetrics, AgentStatus, Measure, Process, Sample
from kit.agent.keystore import Entry
from kit.agent.processes.tallies import (
    ACCEPTED,
    AUDIT_FAILING,
    AUDIT_LOST,
    BOUNDS_US,
    CLOSED,
    DECRYPTED,
    FAILED,
    MALFORMED,
    MICROSECONDS,
    PID,
    REFUSED,
    REJECTED,
    RESTARTS,
    SERVED,
    SIGNED,
    Tallies,
    histogram,
)


@dataclass(frozen=True)
class State:
    """What does not change, and the counters, which do."""

    tallies: Tallies
    supervisor: int
    zygote: int
    started_s: float
    audit: str
    measures: tuple[Measure, ...]

    def counts(self, entry: Entry) -> Sequence[int]:
        return self.tallies.key(entry.slot)

    def status(self, keys: int, locked: bool) -> AgentStatus:
        total, every = self.tallies.total, [self.tallies.key(slot) for slot in range(self.tallies.keys)]
        processes = tuple(self._processes())
        return AgentStatus(
            version=__version__,
            pid=self.supervisor,
            started_s=int(self.started_s),
            locked=locked,
            keys=keys,
            connections=sum(process.connections for process in processes),
            accepted=total(ACCEPTED),
            signed=sum(columns[SIGNED] for columns in every),
            decrypted=sum(columns[DECRYPTED] for columns in every),
            refused=sum(columns[REFUSED] for columns in every),
            failed=total(FAILED),
            malformed=total(MALFORMED),
            rejected=total(REJECTED),
            restarts=total(RESTARTS),
            audit=self._audit(),
            processes=processes,
            measures=self.measures,
        )

    def metrics(self, entries: Iterable[Entry]) -> AgentMetrics:
        """Samples, by the names that `metrics` renders."""
        return AgentMetrics((*self._of_agent(), *(s for entry in entries for s in self._of_key(entry))))

    def _audit(self) -> str:
        if not self.audit:
            return ""
        return f"{self.audit} (cannot be written)" if self.tallies.total(AUDIT_FAILING) else self.audit

    def _processes(self) -> Iterator[Process]:
        yield Process("supervisor", self.supervisor, 0)
        yield Process("zygote", self.zygote, 0)
        for index in range(self.tallies.workers):
            cells = self.tallies.row(index).cells
            if cells[PID]:
                # Another process writes meanwhile.
                yield Process("worker", cells[PID], max(0, cells[SERVED] - cells[CLOSED]))

    def _of_agent(self) -> Iterator[Sample]:
        total = self.tallies.total
        yield Sample("connections", "{}", sum(process.connections for process in self._processes()))
        yield Sample("connections_accepted", "{}", total(ACCEPTED))
        yield Sample("connections_rejected", "{}", total(REJECTED))
        yield Sample("worker_restarts", "{}", total(RESTARTS))
        yield Sample("workers", "{}", self.tallies.workers)
        yield Sample("malformed_messages", "{}", total(MALFORMED))
        yield Sample("failures", "{}", total(FAILED))
        yield Sample("audit_failing", "{}", total(AUDIT_FAILING))
        yield Sample("audit_lines_lost", "{}", total(AUDIT_LOST))
        yield Sample("start_time_seconds", "{}", int(self.started_s))

    def _of_key(self, entry: Entry) -> Iterator[Sample]:
        columns = self.tallies.key(entry.slot)
        name = {"key": entry.name, "kind": entry.public.kind}
        labels = json.dumps(name)
        yield Sample("operations", json.dumps({**name, "operation": "sign"}), columns[SIGNED])
        yield Sample("operations", json.dumps({**name, "operation": "decrypt"}), columns[DECRYPTED])
        yield Sample("refusals", labels, columns[REFUSED])
        below = 0
        for bound, count in zip((*BOUNDS_US, None), histogram(columns), strict=True):
            below += count
            le = "+Inf" if bound is None else f"{bound / 1_000_000:g}"
            yield Sample("operation_duration_bucket", json.dumps({**name, "le": le}), below)
        yield Sample("operation_duration_sum", labels, columns[MICROSECONDS])
        yield Sample("operation_duration_count", labels, below)
