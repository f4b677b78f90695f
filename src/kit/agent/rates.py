"""How much an agent does, out of two readings of its counters. Pure.

A counter that is smaller than before began again at nothing in between. Readings of two agents, or of one
that was locked and showed no keys, have no difference; then every rate is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from kit.agent.extension import AgentMetrics, KeyMetrics, PeerRecord
from kit.core.frozen import frozen
from kit.core.stats import histogram_percentile, rate

_MICRO = 1_000_000


@frozen
class Reading:
    """What the agent said at a time of a clock that never jumps; `audit` is where its log goes."""

    at_s: float
    metrics: AgentMetrics
    peers: tuple[PeerRecord, ...]
    audit: str


@frozen
class KeyRates:
    """A key; latencies are of the interval alone, None without an operation, infinite beyond all bounds."""

    key_id: bytes
    name: str
    kind: str
    expires_s: int
    operations: int
    refused: int
    operations_per_s: float | None
    refused_per_s: float | None
    p50_s: float | None
    p99_s: float | None


@frozen
class PeerRates:
    """A client's connection."""

    record: PeerRecord
    operations_per_s: float | None
    refused_per_s: float | None


@frozen
class Rates:
    """All of it; the busiest keys and peers come first."""

    interval_s: float | None
    operations_per_s: float | None
    refused_per_s: float | None
    keys: tuple[KeyRates, ...]
    peers: tuple[PeerRates, ...]


def compare(before: Reading | None, after: Reading) -> Rates:
    """What happened from one reading to the next."""
    interval_s = after.at_s - before.at_s if before and _comparable(before.metrics, after.metrics) else None
    old = before if interval_s is not None else None
    keys, peers = _keys(old, after, interval_s), _peers(old, after, interval_s)
    return Rates(
        interval_s,
        _sum(key.operations_per_s for key in keys) if old else None,
        _sum(key.refused_per_s for key in keys) if old else None,
        _busiest(keys, lambda key: (key.operations_per_s, key.operations)),
        _busiest(peers, lambda peer: (peer.operations_per_s, peer.record.operations)),
    )


def _comparable(before: AgentMetrics, after: AgentMetrics) -> bool:
    same = (before.pid, before.started_s, before.bounds_us) == (after.pid, after.started_s, after.bounds_us)
    return same and not before.locked


def _keys(before: Reading | None, after: Reading, interval_s: float | None) -> list[KeyRates]:
    """One that was not there before counts from nothing."""
    old = {key.key_id: key for key in before.metrics.by_key} if before else {}
    metrics = after.metrics
    return [_key(old.get(key.key_id), key, metrics.bounds_us, interval_s) for key in metrics.by_key]


def _key(
    before: KeyMetrics | None, after: KeyMetrics, bounds_us: Sequence[int], interval_s: float | None
) -> KeyRates:
    operations = after.signed + after.decrypted
    old = before.signed + before.decrypted if before else 0
    durations = _increases(before.durations if before else (), after.durations)
    known = interval_s is not None and any(durations)
    return KeyRates(
        after.key_id,
        after.key_name,
        after.kind,
        after.expires_s,
        operations,
        after.refused,
        _per_s(old, operations, interval_s),
        _per_s(before.refused if before else 0, after.refused, interval_s),
        histogram_percentile(bounds_us, durations, 50) / _MICRO if known else None,
        histogram_percentile(bounds_us, durations, 99) / _MICRO if known else None,
    )


def _peers(before: Reading | None, after: Reading, interval_s: float | None) -> list[PeerRates]:
    old = {_who(record): record for record in before.peers} if before else {}
    return [_peer(old.get(_who(record)), record, interval_s) for record in after.peers]


def _peer(before: PeerRecord | None, after: PeerRecord, interval_s: float | None) -> PeerRates:
    operations, refused = (before.operations, before.refused) if before else (0, 0)
    return PeerRates(
        after,
        _per_s(operations, after.operations, interval_s),
        _per_s(refused, after.refused, interval_s),
    )


def _who(record: PeerRecord) -> tuple[int, int, int]:
    """The number of a connection that is gone is given to another."""
    return record.connection, record.pid, record.since_s


def _per_s(before: int, after: int, interval_s: float | None) -> float | None:
    return None if interval_s is None else rate(_increase(before, after), interval_s)


def _increase(before: int, after: int) -> int:
    return after - before if after >= before else after


def _increases(before: Sequence[int], after: Sequence[int]) -> Sequence[int]:
    if len(before) != len(after) or any(a < b for b, a in zip(before, after, strict=True)):
        return after
    return [a - b for b, a in zip(before, after, strict=True)]


def _sum(rates: Iterable[float | None]) -> float:
    return sum(found or 0.0 for found in rates)


_T = TypeVar("_T")


def _busiest(rows: Iterable[_T], rank: Callable[[_T], tuple[float | None, int]]) -> tuple[_T, ...]:
    def order(row: _T) -> tuple[float, int]:
        per_s, total = rank(row)
        return per_s or 0.0, total

    return tuple(sorted(rows, key=order, reverse=True))
