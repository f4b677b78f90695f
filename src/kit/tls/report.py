"""How a probe is shown: a table for people, records for programs. Pure functions of the cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from kit.core.output import Output
from kit.tls.cells import Cell, Certificate, Outcome, Times
from kit.tls.target import Target
from kit.tls.verdict import Finding

_HEAD = ("TLS", "KEY", "OUTCOME", "CIPHER", "GROUP", "SCHEME", "CERTIFICATE", "VERIFIED", "MS")
# On a narrow terminal the table comes in two, the verdict first.
_VERDICT, _NEGOTIATED = (0, 1, 2, 6, 7, 8), (0, 1, 3, 4, 5)
_GAP = 2
Table = list[tuple[str, ...]]
_NAMES_SHOWN, _CHAIN_SHOWN = 4, 10


def render(
    output: Output,
    target: Target,
    cells: Sequence[Cell],
    found: Sequence[Finding],
    hybrids: Sequence[str] | None = None,
) -> None:
    """The whole result, as the user asked for it; `hybrids` is None where nobody asked for them."""
    if output.as_json:
        for fields in records(target, cells, found):
            output.record(fields)
        if hybrids is not None:
            output.record(groups_record(target, hybrids))
        return
    output.line(headline(target, cells))
    output.line()
    for head, *rows in tables(cells, output.width):
        output.table(head, rows)
        output.line()
    remarks = (*remark_lines(cells), *hybrid_lines(hybrids))
    for line in (*remarks, *chain_lines(cells), *verdict_lines(cells, found)):
        output.line(line)


def records(target: Target, cells: Sequence[Cell], found: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    """One record a cell, then one a finding; `kind` tells them apart."""
    for cell in cells:
        fields = asdict(cell)
        times = fields.pop("times")
        place = {"kind": "cell", "host": target.host, "port": target.port, "outcome": cell.outcome}
        yield place | fields | times
    for finding in found:
        yield {"kind": "finding", "host": target.host, "port": target.port} | asdict(finding)


def groups_record(target: Target, hybrids: Sequence[str]) -> dict[str, Any]:
    """The record about groups, of which a cell tells only the one that it got."""
    return {"kind": "groups", "host": target.host, "port": target.port, "hybrid": list(hybrids)}


def hybrid_lines(hybrids: Sequence[str] | None) -> Iterator[str]:
    """Groups whose secrets a quantum computer does not find out later."""
    if hybrids is not None:
        yield f"hybrid groups: {', '.join(hybrids) or 'none'}"
        yield ""


def headline(target: Target, cells: Sequence[Cell]) -> str:
    addresses = [a for a in dict.fromkeys(cell.address for cell in cells) if a and a != target.host]
    return f"{target} ({', '.join(addresses)})" if addresses else str(target)


def tables(cells: Sequence[Cell], width: int | None) -> list[Table]:
    """One table, or two where one is wider than the terminal; the first row of each is its head."""
    whole: Table = [_HEAD, *(row(cell) for cell in cells)]
    needed = sum(max(map(len, column)) + _GAP for column in zip(*whole, strict=True)) - _GAP
    if width is None or needed <= width:
        return [whole]
    return [[tuple(line[at] for at in part) for line in whole] for part in (_VERDICT, _NEGOTIATED)]


def row(cell: Cell) -> tuple[str, ...]:
    """One line of the table."""
    verified = {True: "yes", False: "no", None: "-"}[cell.verified]
    facts = (cell.cipher, cell.group, cell.scheme, cell.chain[0].key if cell.chain else "", verified)
    return (
        cell.version.value,
        cell.authentication.value,
        cell.outcome.value,
        *(fact or "-" for fact in facts),
        _milliseconds(cell.times),
    )


def remark_lines(cells: Sequence[Cell]) -> Iterator[str]:
    """What is unusual and no finding, each once, with the cells that it is true of."""
    remarks: dict[str, list[str]] = {}
    for cell in cells:
        for remark in _remarks(cell):
            remarks.setdefault(remark, []).append(cell.name)
    for remark, names in remarks.items():
        yield f"{', '.join(names)}: {remark}"
    if remarks:
        yield ""


def _remarks(cell: Cell) -> Iterator[str]:
    if cell.chain and not cell.answers_the_question:
        yield f"the server shows {cell.chain[0].key or 'another certificate'} instead"
    elif cell.outcome is Outcome.NOT_SERVED:
        yield f"not served, {cell.error}"
    if cell.hello_retry_request:
        yield "the server asks for another group first (HelloRetryRequest)"
    if cell.client_certificate_requested:
        yield "the server asks for a client certificate"


def _milliseconds(times: Times) -> str:
    known = [t for t in (times.connect_ms, times.dialogue_ms, times.handshake_ms) if t is not None]
    return f"{sum(known):.1f}" if known else "-"


def chain_lines(cells: Sequence[Cell]) -> Iterator[str]:
    """Each chain that was sent, once, with the cells that got it."""
    chains: dict[tuple[Certificate, ...], list[str]] = {}
    for cell in cells:
        if cell.chain:
            chains.setdefault(cell.chain, []).append(cell.name)
    for chain, names in chains.items():
        yield f"chain sent to {', '.join(names)}"
        for position, certificate in enumerate(chain[:_CHAIN_SHOWN]):
            yield from _certificate_lines(position, certificate)
        if len(chain) > _CHAIN_SHOWN:
            yield f"  and {len(chain) - _CHAIN_SHOWN} more"
        yield ""


def _certificate_lines(position: int, certificate: Certificate) -> Iterator[str]:
    yield f"  {position}  {_or_none(certificate.subject)}  {certificate.key}".rstrip()
    if certificate.names:
        more = len(certificate.names) - _NAMES_SHOWN
        shown = ", ".join(certificate.names[:_NAMES_SHOWN])
        yield f"     names   {shown}" + (f" and {more} more" if more > 0 else "")
    if certificate.not_after:
        yield f"     valid   {_day(certificate.not_before)} to {_day(certificate.not_after)}"
    yield f"     issuer  {_or_none(certificate.issuer)}"
    yield f"     sha256  {certificate.sha256}"
    if certificate.error:
        yield f"     error   {certificate.error}"


def verdict_lines(cells: Sequence[Cell], found: Sequence[Finding]) -> Iterator[str]:
    """Findings in words, then how many cells are what; the last line is what a person sees first."""
    for finding in found:
        yield f"{'fault' if finding.fault else 'note'}: {finding.text}"
    counts = {outcome: sum(cell.outcome is outcome for cell in cells) for outcome in Outcome}
    good = counts.pop(Outcome.OK)
    others = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    yield f"{good} of {len(cells)} cells ok" + (f", {others}" if others else "")


def _or_none(text: str) -> str:
    return text or "(empty)"


def _day(moment: str) -> str:
    return moment.replace("T", " ").replace("+00:00", " UTC")
