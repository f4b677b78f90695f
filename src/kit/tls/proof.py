"""What the demonstration saw, whether that is what it promises, and how it is told. Pure.

It promises: all cells are ok; the server's memory holds the public keys and no private one; and the same
scan finds the private keys in the control, a server that has them. Anything less is a no.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kit.core.errors import EXIT_DONE, EXIT_NO
from kit.core.frozen import frozen
from kit.tls.cells import Cell, Outcome
from kit.tls.memscan import Verdict

SCAN_HEAD = ("PROCESS", "PID", "PRIVATE KEY", "RESULT", "READ", "HANDSHAKES", "SEEN AS")
KEY_HEAD = ("KEY", "TYPE", "SIGNED", "REFUSED", "FINGERPRINT")


@frozen
class KeyUse:
    """What the agent says of one of its keys."""

    name: str
    kind: str
    fingerprint: str
    signed: int
    refused: int


@frozen
class Scan:
    """A process, looked into while it made `handshakes`; `expected` is the outcome that proves the point."""

    process: str
    pid: int
    expected: str
    handshakes: int
    failed: int
    bytes_read: int
    bytes_wanted: int
    verdicts: tuple[Verdict, ...]

    @property
    def as_expected(self) -> bool:
        outcomes = {verdict.outcome for verdict in self.verdicts}
        return outcomes == {self.expected} and self.handshakes > 0 and not self.failed


@frozen
class Proof:
    """Everything that the demonstration has to go by."""

    cells: tuple[Cell, ...]
    keys: tuple[KeyUse, ...]
    scans: tuple[Scan, ...]

    @property
    def holds(self) -> bool:
        return (
            bool(self.cells)
            and all(cell.outcome is Outcome.OK for cell in self.cells)
            and all(key.signed > 0 for key in self.keys)
            and bool(self.scans)
            and all(scan.as_expected for scan in self.scans)
        )

    @property
    def exit_status(self) -> int:
        return EXIT_DONE if self.holds else EXIT_NO


def key_rows(keys: Sequence[KeyUse]) -> list[tuple[str, ...]]:
    return [(key.name, key.kind, str(key.signed), str(key.refused), key.fingerprint) for key in keys]


def scan_rows(scans: Sequence[Scan]) -> list[tuple[str, ...]]:
    """One row for each key in each process."""
    return [
        (
            scan.process,
            str(scan.pid),
            verdict.key,
            verdict.outcome,
            f"{scan.bytes_read / 2**20:.1f} MiB",
            str(scan.handshakes),
            ", ".join(verdict.forms) or verdict.why or "-",
        )
        for scan in scans
        for verdict in scan.verdicts
    ]


def sentence(proof: Proof) -> str:
    """The last line."""
    if proof.holds:
        return (
            "ok: every handshake was signed by the agent; the scan finds a server's own keys, "
            "and none of the agent's in the server's memory"
        )
    return "not ok: " + "; ".join(_complaints(proof))


def records(proof: Proof) -> Iterator[dict[str, Any]]:
    """The keys, the scans and the verdict for programs; the cells have records of their own."""
    for key in proof.keys:
        yield {
            "kind": "key",
            "name": key.name,
            "type": key.kind,
            "fingerprint": key.fingerprint,
            "signed": key.signed,
            "refused": key.refused,
        }
    for scan in proof.scans:
        for verdict in scan.verdicts:
            yield _scan_record(scan, verdict)
    yield {"kind": "verdict", "ok": proof.holds, "complaints": list(_complaints(proof))}


def _scan_record(scan: Scan, verdict: Verdict) -> dict[str, Any]:
    return {
        "kind": "scan",
        "process": scan.process,
        "pid": scan.pid,
        "key": verdict.key,
        "outcome": verdict.outcome,
        "expected": scan.expected,
        "why": verdict.why or None,
        "forms": verdict.forms,
        "bytes_read": scan.bytes_read,
        "bytes_wanted": scan.bytes_wanted,
        "handshakes": scan.handshakes,
        "failed": scan.failed,
    }


def _complaints(proof: Proof) -> Iterator[str]:
    if not proof.cells or not proof.scans:
        yield "not everything was looked at"
    for cell in proof.cells:
        if cell.outcome is not Outcome.OK:
            yield f"{cell.name} is {cell.outcome}"
    for key in proof.keys:
        if not key.signed:
            yield f"the agent signed nothing with '{key.name}'"
    for scan in proof.scans:
        for verdict in scan.verdicts:
            if verdict.outcome != scan.expected:
                why = f" ({verdict.why})" if verdict.why else ""
                yield f"the {scan.process}'s {verdict.key} key is {verdict.outcome}, not {scan.expected}{why}"
        if scan.failed or not scan.handshakes:
            yield f"{scan.failed} handshakes with the {scan.process} failed, {scan.handshakes} did not"
