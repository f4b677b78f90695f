"""How keys and the agent's state are shown: functions of their records, for tables and for JSON."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kit.core.errors import EXIT_DONE, EXIT_NO
from kit.core.output import Output
from kit.core.text import printable

if TYPE_CHECKING:
    from kit.agent.extension import AgentStatus, KeyRecord, Reloaded
    from kit.agent.launch import Running

_COUNTERS = ("accepted", "signed", "decrypted", "refused", "failed", "malformed", "rejected")


def show_keys(records: Sequence[KeyRecord], output: Output) -> None:
    """A row for each key, or a JSON object a line; nothing at all for none."""
    if output.as_json:
        for record in records:
            output.record(key_fields(record))
    elif records:
        head = ("NAME", "KIND", "FINGERPRINT", "PURPOSES", "SIGNED", "REFUSED", "EXPIRES")
        output.table(head, [_row(record, time.time()) for record in records])


def show_key(record: KeyRecord, output: Output) -> None:
    """The key that was just made or added."""
    if output.as_json:
        output.record(key_fields(record))
    else:
        output.line(f"{record.fingerprint or '-'} {printable(record.key_name)} ({record.kind})")


def key_fields(record: KeyRecord) -> dict[str, Any]:
    """What --json says of a key; times are seconds of the Unix epoch."""
    return {
        "name": record.key_name,
        "kind": record.kind,
        "fingerprint": record.fingerprint or None,
        "key_id": record.key_id.hex(),
        "purposes": list(record.purposes),
        "signed": record.signed,
        "decrypted": record.decrypted,
        "refused": record.refused,
        "refused_for": record.refused_for or None,
        "peers": list(record.peers),
        "added_s": record.added_s,
        "expires_s": record.expires_s or None,
    }


def _row(record: KeyRecord, now_s: float) -> tuple[str, ...]:
    left = duration(record.expires_s - now_s) if record.expires_s else "never"
    refused_for = f" ({printable(record.refused_for)})" if record.refused_for else ""
    counts = (str(record.signed), f"{record.refused}{refused_for}")
    # An agent that is no kit agent's may say anything; the terminal must not obey it.
    name, kind, purposes = map(printable, (record.key_name, record.kind, ",".join(record.purposes)))
    return (name, kind, record.fingerprint or "-", purposes, *counts, left)


def duration(seconds: float) -> str:
    """The two largest units: "7h59m", "12s"."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if left >= size or parts:
            parts.append(f"{left // size}{unit}")
        left %= size
    return "".join(parts[:2]) or "0s"


def show_status(status: AgentStatus, socket: str, output: Output) -> None:
    """The agent's state, then each hardening measure with what became of it and why."""
    if output.as_json:
        output.record(_status_fields(status, socket))
        return
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.started_s))
    rows = [
        ("socket", socket),
        ("version", status.version),
        ("pid", str(status.pid)),
        ("started", since),
        ("locked", "yes" if status.locked else "no"),
        ("keys", str(status.keys)),
        ("connections", str(status.connections)),
        *((name, str(getattr(status, name))) for name in _COUNTERS),
        ("restarts", str(status.restarts)),
        ("audit log", status.audit or "none"),
    ]
    output.table(("AGENT", ""), [(name, printable(value)) for name, value in rows])
    output.line()
    processes = [(p.role, str(p.pid), str(p.connections)) for p in status.processes]
    output.table(("PROCESS", "PID", "CONNECTIONS"), [tuple(map(printable, row)) for row in processes])
    output.line()
    measures = [(m.measure, m.state, m.detail) for m in status.measures]
    output.table(("MEASURE", "STATE", "DETAIL"), [tuple(map(printable, row)) for row in measures])


def _status_fields(status: AgentStatus, socket: str) -> dict[str, Any]:
    return {
        "socket": socket,
        "version": status.version,
        "pid": status.pid,
        "started_s": status.started_s,
        "locked": status.locked,
        "keys": status.keys,
        "connections": status.connections,
        **{name: getattr(status, name) for name in _COUNTERS},
        "restarts": status.restarts,
        "audit": status.audit or None,
        "processes": [{"role": p.role, "pid": p.pid, "connections": p.connections} for p in status.processes],
        "measures": [{"measure": m.measure, "state": m.state, "detail": m.detail} for m in status.measures],
    }


def show_reload(keys: Sequence[Reloaded], output: Output) -> int:
    """What became of each configured key; the exit status, 1 where one could not be loaded."""
    if output.as_json:
        for key in keys:
            output.record({"key": key.key_name, "result": key.result, "why": key.why or None})
    elif keys:
        rows = [(key.key_name, key.result, key.why) for key in keys]
        output.table(("KEY", "RESULT", ""), [tuple(map(printable, row)) for row in rows])
    return EXIT_NO if any(key.result == "failed" for key in keys) else EXIT_DONE


def show_start(running: Running, csh: bool, output: Output) -> None:
    """Commands for the shell that evaluates them, as ssh-agent prints them; with --json an object."""
    if output.as_json:
        pkcs11 = {"pkcs11": running.pkcs11_path} if running.pkcs11_path else {}
        output.record({"socket": running.socket_path, "pid": running.pid, **pkcs11})
        return
    for name, value in running.environment.items():
        quoted = shlex.quote(value)
        output.line(f"setenv {name} {quoted};" if csh else f"{name}={quoted}; export {name};")
