"""What the agent can say of itself, out of the counters that its processes share: its state, its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kit import __version__
from kit.agent.channels.tallies import (
    ACCEPTED,
    AUDIT_FAILING,
    AUDIT_LOST,
    BOUNDS_US,
    BRIDGE_CLIENTS,
    BRIDGE_PID,
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
from kit.agent.extension import AgentMetrics, AgentStatus, KeyMetrics, Measure, Process
from kit.agent.keystore import Entry
from kit.core.frozen import frozen

_LARGEST = 2**32 - 1


@frozen
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
            connections=min(_connections(processes), _LARGEST),
            accepted=total(ACCEPTED),
            signed=_sum(every, SIGNED),
            decrypted=_sum(every, DECRYPTED),
            refused=_sum(every, REFUSED),
            failed=total(FAILED),
            malformed=total(MALFORMED),
            rejected=total(REJECTED),
            restarts=total(RESTARTS),
            audit=self._audit(),
            processes=processes,
            measures=self.measures,
        )

    def metrics(self, entries: Sequence[Entry], locked: bool) -> AgentMetrics:
        """What there is to count; a locked agent shows no keys."""
        total = self.tallies.total
        return AgentMetrics(
            version=__version__,
            pid=self.supervisor,
            started_s=int(self.started_s),
            locked=locked,
            keys=len(entries),
            workers=self.tallies.workers,
            connections=_connections(self._processes()),
            accepted=total(ACCEPTED),
            rejected=total(REJECTED),
            malformed=total(MALFORMED),
            failed=total(FAILED),
            restarts=total(RESTARTS),
            audit_failing=bool(total(AUDIT_FAILING)),
            audit_lost=total(AUDIT_LOST),
            bounds_us=BOUNDS_US,
            by_key=() if locked else tuple(map(self._of_key, entries)),
        )

    def _audit(self) -> str:
        if not self.audit:
            return ""
        return f"{self.audit} (cannot be written)" if self.tallies.total(AUDIT_FAILING) else self.audit

    def _processes(self) -> Iterator[Process]:
        yield Process("supervisor", self.supervisor, 0)
        yield Process("zygote", self.zygote, 0)
        yield from self._bridge()
        for index in range(self.tallies.workers):
            cells = self.tallies.row(index).cells
            if cells[PID]:
                # Another process writes meanwhile, and what it likes.
                here = max(0, cells[SERVED] - cells[CLOSED])
                yield Process("worker", min(cells[PID], _LARGEST), min(here, _LARGEST))

    def _bridge(self) -> Iterator[Process]:
        cells = self.tallies.row(-1).cells
        if cells[BRIDGE_PID]:
            yield Process("bridge", min(cells[BRIDGE_PID], _LARGEST), min(cells[BRIDGE_CLIENTS], _LARGEST))

    def _of_key(self, entry: Entry) -> KeyMetrics:
        columns = self.tallies.key(entry.slot)
        return KeyMetrics(
            key_id=entry.public.key_id,
            key_name=entry.name,
            kind=entry.public.kind,
            expires_s=int(entry.expires_s),
            signed=columns[SIGNED],
            decrypted=columns[DECRYPTED],
            refused=columns[REFUSED],
            microseconds=columns[MICROSECONDS],
            durations=tuple(histogram(columns)),
        )


def _connections(processes: Iterable[Process]) -> int:
    """A bridge's clients have connections to workers, too, as soon as they ask something."""
    return sum(process.connections for process in processes if process.role != "bridge")


def _sum(every: Sequence[Sequence[int]], column: int) -> int:
    return sum(columns[column] for columns in every) % 2**64
