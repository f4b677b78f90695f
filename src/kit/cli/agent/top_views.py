"""How kit agent top shows what an agent does: functions of its rates, for tables and for JSON."""

from __future__ import annotations

import math
import pwd
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from kit.cli.agent.views import duration
from kit.core.frozen import frozen
from kit.core.output import Block, Table
from kit.core.text import printable

if TYPE_CHECKING:
    from kit.agent.rates import KeyRates, PeerRates, Rates, Reading

_KEY_HEAD = ("KEY", "KIND", "OPS/S", "OPS", "REFUSED", "P50", "P99", "EXPIRES")
_PEER_HEAD = ("USER", "PID", "PROCESS", "WORKER", "OPS/S", "OPS", "REFUSED", "CONNECTED")
_NAME_SHOWN = 40
# The lines that are no rows of a table: two of the agent, and a blank line and a head for each table.
_FIXED_LINES = 6


@frozen
class View:
    """What there is to show at a time of the Unix epoch."""

    reading: Reading
    rates: Rates
    now_s: float


@frozen
class Away:
    """The agent does not answer."""

    why: str
    now_s: float


def blocks(view: View | Away, lines: int | None) -> Sequence[Block]:
    """For a person; so many lines are on the screen, None for no limit."""
    if isinstance(view, Away):
        return ["waiting for the agent", printable(view.why)]
    keys, peers = view.rates.keys, view.rates.peers
    shown = _fitting(len(keys), len(peers), lines)
    key_rows = [_key_row(key, view) for key in keys[: shown[0]]]
    peer_rows = [_peer_row(peer, view.now_s) for peer in peers[: shown[1]]]
    return [
        *_head(view),
        "",
        Table(_KEY_HEAD, key_rows, frozenset(range(2, 8))),
        *_more(len(keys) - len(key_rows)),
        "",
        Table(_PEER_HEAD, peer_rows, frozenset((1, 3, 4, 5, 6, 7))),
        *_more(len(peers) - len(peer_rows)),
    ]


def fields(view: View | Away) -> dict[str, Any]:
    """What --json says; rates are null where there is no earlier reading to compare with."""
    if isinstance(view, Away):
        return {"time_s": view.now_s, "answers": False, "why": view.why}
    metrics, rates = view.reading.metrics, view.rates
    return {
        "time_s": view.now_s,
        "answers": True,
        "interval_s": rates.interval_s,
        "version": metrics.version,
        "pid": metrics.pid,
        "started_s": metrics.started_s,
        "locked": metrics.locked,
        "workers": metrics.workers,
        "restarts": metrics.restarts,
        "connections": metrics.connections,
        "audit": view.reading.audit or None,
        "audit_failing": metrics.audit_failing,
        "operations_per_s": rates.operations_per_s,
        "refused_per_s": rates.refused_per_s,
        "keys": [_key_fields(key, _largest_s(view)) for key in rates.keys],
        "peers": [_peer_fields(peer) for peer in rates.peers],
    }


def _largest_s(view: View) -> float:
    """What is beyond it is not told apart."""
    return max(view.reading.metrics.bounds_us, default=0) / 1_000_000


def _key_fields(key: KeyRates, largest_s: float) -> dict[str, Any]:
    return {
        "name": key.name,
        "key_id": key.key_id.hex(),
        "kind": key.kind,
        "operations_per_s": key.operations_per_s,
        "operations": key.operations,
        "refused_per_s": key.refused_per_s,
        "refused": key.refused,
        "p50_s": largest_s if key.p50_s == math.inf else key.p50_s,
        "p99_s": largest_s if key.p99_s == math.inf else key.p99_s,
        "expires_s": key.expires_s or None,
    }


def _peer_fields(peer: PeerRates) -> dict[str, Any]:
    record = peer.record
    return {
        "user": _user(record.uid),
        "uid": record.uid,
        "pid": record.pid,
        "process": record.peer_name,
        "worker": record.worker,
        "operations_per_s": peer.operations_per_s,
        "operations": record.operations,
        "refused_per_s": peer.refused_per_s,
        "refused": record.refused,
        "since_s": record.since_s,
    }


def _head(view: View) -> tuple[str, str]:
    metrics, rates = view.reading.metrics, view.rates
    agent = (
        f"kit agent {printable(metrics.version)}, pid {metrics.pid}",
        f"up {duration(view.now_s - metrics.started_s)}",
        _counted(metrics.workers, "worker"),
        _counted(metrics.connections, "connection"),
        _counted(metrics.keys, "key"),
        *(["locked"] if metrics.locked else []),
    )
    work = (
        f"{_rate(rates.operations_per_s)} operations/s",
        f"{_rate(rates.refused_per_s)} refused/s",
        _counted(metrics.restarts, "restart"),
        f"audit log {printable(view.reading.audit)}" if view.reading.audit else "no audit log",
    )
    return ", ".join(agent), ", ".join(work)


def _key_row(key: KeyRates, view: View) -> tuple[str, ...]:
    return (
        printable(key.name, _NAME_SHOWN),
        printable(key.kind),
        _rate(key.operations_per_s),
        str(key.operations),
        str(key.refused),
        _latency(key.p50_s, _largest_s(view)),
        _latency(key.p99_s, _largest_s(view)),
        duration(key.expires_s - view.now_s) if key.expires_s else "never",
    )


def _peer_row(peer: PeerRates, now_s: float) -> tuple[str, ...]:
    record = peer.record
    return (
        printable(_user(record.uid), _NAME_SHOWN),
        str(record.pid),
        printable(record.peer_name, _NAME_SHOWN),
        str(record.worker),
        _rate(peer.operations_per_s),
        str(record.operations),
        str(record.refused),
        duration(now_s - record.since_s),
    )


def _fitting(keys: int, peers: int, lines: int | None) -> tuple[int, int]:
    """How many rows of each table there is room for; a table that is cut has a line that says so."""
    if lines is None:
        return keys, peers
    room = max(2, lines - _FIXED_LINES)
    if keys + peers <= room:
        return keys, peers
    for_keys = min(keys, max(room // 2, room - peers))
    for_peers = min(peers, room - for_keys)
    return _cut(keys, for_keys), _cut(peers, for_peers)


def _cut(rows: int, room: int) -> int:
    return rows if rows <= room else max(0, room - 1)


def _more(count: int) -> list[str]:
    return [f"and {count} more"] if count else []


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _rate(per_s: float | None) -> str:
    if per_s is None:
        return "-"
    return f"{per_s:.0f}" if per_s >= 100 else f"{per_s:.1f}"


def _latency(seconds: float | None, largest_s: float) -> str:
    """Two digits are as much as a histogram knows."""
    if seconds is None:
        return "-"
    if seconds == math.inf:
        return f">{_latency(largest_s, largest_s)}"
    if seconds < 0.001:
        return f"{seconds * 1_000_000:.0f} µs"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"


@cache
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)
