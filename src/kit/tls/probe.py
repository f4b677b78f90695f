"""The probe: all cells of one server, side by side in threads, each with its own time limit."""

from __future__ import annotations

import contextlib
import queue
import ssl
import threading
from dataclasses import replace
from pathlib import Path

from kit.core.errors import Unavailable, UsageError
from kit.core.frozen import frozen
from kit.core.text import printable
from kit.core.waiting import AWAKE_S
from kit.tls import facts, inquiry, libssl
from kit.tls.attempt import Attempt, ask, inquire
from kit.tls.cells import CELLS, Authentication, Cell, Certificate, Ending, Step, Version
from kit.tls.connection import Address, Deadline, resolve
from kit.tls.dialogue import DIALOGUES
from kit.tls.offer import Question
from kit.tls.target import Target, dns_name, parse_target

_HTTPS_PORT = 443
# The position of a cell, and what came of it.
_Done = tuple[int, Attempt | BaseException]
_UNCHECKED = f"the server goes along, and {ssl.OPENSSL_VERSION} cannot check it: ML-DSA takes 3.5 or newer"


@frozen
class Options:
    """How to ask; without `ca_file` the system's authorities are trusted."""

    starttls: str | None = None
    ca_file: str | None = None
    server_name: str | None = None
    timeout_s: float = 5.0


def probe(target: Target, options: Options | None = None) -> list[Cell]:
    """Ask every cell of the target. Whatever the server does ends up in the cells and raises nothing."""
    options = options or Options()
    if options.ca_file:
        _check_ca_file(options.ca_file)
    try:
        addresses = resolve(target, Deadline(options.timeout_s))
    except TimeoutError:
        return _unresolved(f"no answer about '{target.host}' within {options.timeout_s:g} s")
    except OSError as error:
        return _unresolved(printable((error.strerror or str(error)).lower()))
    attempts = _ask_all(target, options, addresses)
    certificates = _describe({der for attempt in attempts for der in attempt.facts.chain})
    return [_cell(*name, attempt, certificates) for name, attempt in zip(CELLS, attempts, strict=True)]


def probe_target(
    text: str, starttls: str | None, ca_file: str | None, server_name: str | None, timeout_s: float
) -> tuple[Target, list[Cell], tuple[str, ...] | None]:
    """Probe what a user wrote, for its hybrid groups too; the usual port follows from the dialogue."""
    target = parse_target(text, DIALOGUES[starttls].port if starttls else _HTTPS_PORT)
    name = dns_name(server_name) if server_name else None
    options = Options(starttls, ca_file, name, timeout_s)
    cells = probe(target, options)
    return target, cells, hybrid_groups(target, options) if _speaks_tls_1_3(cells) else None


def _speaks_tls_1_3(cells: list[Cell]) -> bool:
    """Was there an answer over TLS 1.3, be it one of refusal?"""
    endings = {cell.ending for cell in cells if cell.version is Version.TLS_1_3}
    return bool(endings & {Ending.COMPLETED, Ending.ALERT, Ending.REJECTED, Ending.UNCHECKED})


def _ask_all(target: Target, options: Options, addresses: list[Address]) -> list[Attempt]:
    """The threads are daemons: Ctrl-C ends the program without waiting for a server that hangs."""
    done: queue.SimpleQueue[_Done] = queue.SimpleQueue()

    def run(position: int, question: Question) -> None:
        try:
            done.put((position, _ask(question, options, addresses)))
        except BaseException as error:  # noqa: BLE001 -- raised again by the thread that waits
            done.put((position, error))

    for position, (version, authentication) in enumerate(CELLS):
        question = Question(
            version, authentication, options.server_name or target.server_name, options.ca_file
        )
        threading.Thread(target=run, args=(position, question), daemon=True).start()
    attempts: dict[int, Attempt] = {}
    for _ in CELLS:
        position, answer = _next(done)
        if isinstance(answer, BaseException):
            raise answer
        attempts[position] = answer
    return [attempts[position] for position in range(len(CELLS))]


def _next(done: queue.SimpleQueue[_Done]) -> _Done:
    """Awake now and then: a signal that comes right before a wait without end is not seen until that ends."""
    while True:
        with contextlib.suppress(queue.Empty):
            return done.get(timeout=AWAKE_S)


def _ask(question: Question, options: Options, addresses: list[Address]) -> Attempt:
    if question.authentication is Authentication.ML_DSA and not libssl.has_ml_dsa():
        attempt = inquire(inquiry.ml_dsa(), question, addresses, options.starttls, options.timeout_s)
        return replace(attempt, error=_UNCHECKED) if attempt.ending is Ending.UNCHECKED else attempt
    return ask(question, addresses, options.starttls, options.timeout_s)


def hybrid_groups(target: Target, options: Options | None = None) -> tuple[str, ...]:
    """The groups with ML-KEM that the server takes, in its order; none where it does not answer.

    Asked by hand, as an older OpenSSL has none of them: offered all, the server names one, then one of the
    others, until it refuses.
    """
    options = options or Options()
    question = Question(Version.TLS_1_3, Authentication.ECDSA, options.server_name or target.server_name)
    try:
        addresses = resolve(target, Deadline(options.timeout_s))
    except OSError:
        return ()
    left, found = list(inquiry.HYBRID_GROUPS), []
    while left:
        offer = inquiry.hybrid(tuple(left))
        attempt = inquire(offer, question, addresses, options.starttls, options.timeout_s)
        code = next((code for code in left if facts.GROUPS[code] == attempt.facts.group), None)
        if code is None:
            break
        left.remove(code)
        found.append(facts.GROUPS[code])
    return tuple(found)


def _describe(chain: set[bytes]) -> dict[bytes, Certificate]:
    """Imported late: a probe that meets no certificate need not wait for the X.509 parser."""
    if not chain:
        return {}
    from kit.tls.certificate_facts import describe

    return {der: describe(der) for der in chain}


def _cell(
    version: Version, authentication: Authentication, attempt: Attempt, certificates: dict[bytes, Certificate]
) -> Cell:
    return Cell(
        version,
        authentication,
        attempt.ending,
        step=attempt.step,
        error=attempt.error,
        alert=attempt.alert,
        forced=attempt.forced,
        address=attempt.address,
        cipher=attempt.cipher,
        group=attempt.facts.group,
        scheme=attempt.facts.scheme,
        signed=attempt.facts.signed,
        hello_retry_request=attempt.facts.hello_retry_request,
        client_certificate_requested=attempt.facts.client_certificate_requested,
        chain=tuple(certificates[der] for der in attempt.facts.chain),
        verified=attempt.verified,
        verify_error=attempt.verify_error,
        times=attempt.times,
    )


def _unresolved(error: str) -> list[Cell]:
    return [Cell(*name, Ending.UNREACHABLE, step=Step.RESOLVE, error=error) for name in CELLS]


def _check_ca_file(path: str) -> None:
    """Say what is wrong with the file once, before any cell does."""
    try:
        Path(path).read_bytes()
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise UsageError(f"'{path}' holds no certificates in PEM form") from None
    except OSError as error:
        raise Unavailable(f"cannot read '{path}': {(error.strerror or str(error)).lower()}") from None
