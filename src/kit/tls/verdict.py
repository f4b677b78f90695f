"""What the cells mean: findings in words and the exit status. Pure functions of the cells.

A twin that is missing is no fault: a server may well have one certificate, or one version. It is one when the
user wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from kit.core.errors import (
    EXIT_DONE,
    EXIT_NO,
    EXIT_PROTOCOL,
    EXIT_UNAVAILABLE,
    KitError,
    ProtocolError,
    Unavailable,
    UsageError,
)
from kit.core.frozen import frozen
from kit.tls.cells import Authentication, Cell, Ending, Outcome, Step


@frozen
class Finding:
    """Something worth a sentence. `name` is stable for programs; a `fault` makes the exit status 1."""

    name: str
    text: str
    cells: tuple[str, ...]
    fault: bool = True


def findings(cells: Sequence[Cell], wanted: Collection[Authentication] = ()) -> list[Finding]:
    """All findings, the gravest first."""
    return [
        *_grouped(cells, "key_does_not_sign", _does_not_sign, _names_no_handshake),
        *_grouped(cells, "wrong_signature", _wrong_signature),
        *_grouped(cells, "client_certificate_required", _client_certificate_required),
        *_grouped(cells, "handshake_fails", _fails_after_certificate),
        *_grouped(cells, "not_verified", _not_verified),
        *_grouped(cells, "no_answer", _fails_before_certificate),
        *_wanted(cells, wanted),
        *_nothing_served(cells),
        *_lone_versions(cells),
        *_grouped(cells, "not_forced", _not_forced, fault=False),
        *_grouped(cells, "not_checked", _not_checked, fault=False),
    ]


def exit_status(cells: Sequence[Cell], wanted: Collection[Authentication] = ()) -> int:
    """69 when nobody is there, 76 when the peer speaks another protocol, 1 for a fault, else 0."""
    if all(_is_unreachable(cell) for cell in cells):
        return EXIT_UNAVAILABLE
    if all(cell.ending is Ending.GARBAGE for cell in cells):
        return EXIT_PROTOCOL
    return EXIT_NO if any(finding.fault for finding in findings(cells, wanted)) else EXIT_DONE


def _is_unreachable(cell: Cell) -> bool:
    return cell.step in (Step.RESOLVE, Step.CONNECT)


# ---- one cell: the sentence that is true of it, or none


def _does_not_sign(cell: Cell) -> str | None:
    """The server itself gives up between its certificate and its signature."""
    if not _fails_with_certificate(cell) or cell.signed:
        return None
    if cell.ending not in (Ending.ALERT, Ending.CLOSED, Ending.RESET, Ending.TIMEOUT):
        return None
    return f"its key does not sign ({cell.error})"


def _wrong_signature(cell: Cell) -> str | None:
    if not _fails_with_certificate(cell) or cell.ending is not Ending.REJECTED or not cell.signed:
        return None
    return "the signature does not fit the certificate" if "signature" in cell.error else None


def _client_certificate_required(cell: Cell) -> str | None:
    refused = cell.ending in (Ending.ALERT, Ending.CLOSED) and cell.signed
    if not (_fails_with_certificate(cell) and refused and cell.client_certificate_requested):
        return None
    return f"the server signs, and then wants a certificate of the client ({cell.error})"


def _fails_after_certificate(cell: Cell) -> str | None:
    if not _fails_with_certificate(cell):
        return None
    if any(explain(cell) for explain in (_does_not_sign, _wrong_signature, _client_certificate_required)):
        return None
    return f"a certificate is shown, but the handshake fails: {cell.error}"


def _not_verified(cell: Cell) -> str | None:
    if cell.outcome is not Outcome.BROKEN or not cell.verify_error:
        return None
    sentence = f"the certificate does not verify: {cell.verify_error}"
    if "issuer certificate" in cell.verify_error and cell.chain:
        sentence += f" (the chain ends with a certificate of '{cell.chain[-1].issuer}')"
    return sentence


def _fails_before_certificate(cell: Cell) -> str | None:
    return cell.error if cell.outcome is Outcome.BROKEN and not cell.chain else None


def _not_forced(cell: Cell) -> str | None:
    if cell.forced:
        return None
    return "not forced: this Python's OpenSSL cannot be told what to offer, so the server chose"


def _not_checked(cell: Cell) -> str | None:
    return cell.error if cell.ending is Ending.UNCHECKED else None


def _fails_with_certificate(cell: Cell) -> bool:
    return cell.outcome is Outcome.BROKEN and bool(cell.chain) and cell.ending is not Ending.COMPLETED


# ---- all cells: the same sentence is said once


def _names_no_handshake(sentence: str, whole: bool) -> str:
    completes = "no handshake completes" if whole else "the handshake does not complete"
    return f"a certificate is shown, but {completes}: {sentence}"


def _grouped(
    cells: Sequence[Cell],
    name: str,
    explain: Callable[[Cell], str | None],
    word: Callable[[str, bool], str] = lambda sentence, _whole: sentence,
    *,
    fault: bool = True,
) -> Iterable[Finding]:
    """One finding for each sentence; `word` is told whether it holds for all cells of its types."""
    sentences: dict[str, list[Cell]] = {}
    for cell in cells:
        if sentence := explain(cell):
            sentences.setdefault(sentence, []).append(cell)
    for sentence, concerned in sentences.items():
        label, whole = _label(concerned, cells)
        yield Finding(name, f"{label}: {word(sentence, whole)}", _names(concerned), fault)


def _label(concerned: Sequence[Cell], cells: Sequence[Cell]) -> tuple[str, bool]:
    """`RSA` when every cell of the type is concerned, else `RSA over TLS 1.2`."""
    parts, whole = [], True
    for authentication in dict.fromkeys(cell.authentication for cell in concerned):
        mine = [cell for cell in concerned if cell.authentication is authentication]
        if len(mine) == sum(cell.authentication is authentication for cell in cells):
            parts.append(authentication.value)
        else:
            whole = False
            parts.append(f"{authentication} over " + " and ".join(f"TLS {cell.version}" for cell in mine))
    return ", ".join(parts), whole


def _wanted(cells: Sequence[Cell], wanted: Collection[Authentication]) -> Iterable[Finding]:
    def missing(cell: Cell) -> str | None:
        if cell.authentication not in wanted or cell.outcome in (Outcome.OK, Outcome.BROKEN):
            return None
        return "wanted, but " + (
            "not served" if cell.outcome is Outcome.NOT_SERVED else "not known to be served"
        )

    return _grouped(cells, "wanted_not_served", missing)


def _nothing_served(cells: Sequence[Cell]) -> Iterable[Finding]:
    if any(cell.outcome in (Outcome.OK, Outcome.BROKEN) for cell in cells):
        return
    reasons = " / ".join(dict.fromkeys(cell.error for cell in cells if cell.error))
    yield Finding("nothing_served", f"the server serves none of these cells: {reasons}", _names(cells))


def _lone_versions(cells: Sequence[Cell]) -> Iterable[Finding]:
    for authentication in Authentication:
        twins = [cell for cell in cells if cell.authentication is authentication]
        works = [cell for cell in twins if cell.outcome is Outcome.OK]
        if works and len(works) < len(twins):
            versions = " and ".join(f"TLS {cell.version}" for cell in works)
            yield Finding(
                "lone_version", f"{authentication}: works over {versions} only", _names(works), fault=False
            )


def _names(cells: Sequence[Cell]) -> tuple[str, ...]:
    return tuple(cell.name for cell in cells)


def complaint(target: object, cells: Sequence[Cell], starttls: str | None) -> KitError | None:
    """The error that stands in for a result where there was nobody to ask."""
    status, said = exit_status(cells), cells[0].error
    if status == EXIT_UNAVAILABLE:
        return Unavailable(f"nobody answers at '{target}': {said}")
    if status == EXIT_PROTOCOL:
        hint = None if starttls else "does a dialogue come before TLS here? try --starttls smtp"
        return ProtocolError(f"'{target}' does not speak {(starttls or 'TLS').upper()}: {said}", hint=hint)
    return None


def parse_wanted(text: str) -> tuple[Authentication, ...]:
    """`rsa,ecdsa` as a user writes it."""
    known = {authentication.value.lower(): authentication for authentication in Authentication}
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise UsageError(f"unknown kind of key '{word}'", hint=f"known are {', '.join(known)}")
    return tuple(dict.fromkeys(known[word] for word in words))
