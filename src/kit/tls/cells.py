"""The cells of a probe: what was asked of a server, and what came of it.

A server with an RSA and an ECDSA certificate is really four services, {TLS 1.2, 1.3} x {RSA, ECDSA}, and each
can break alone; ML-DSA over TLS 1.3 is a fifth. A `Cell` holds what was seen of one; everything that kit
prints about a server (table, JSON, findings, exit status) is a function of its cells and of nothing else.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from kit.core.frozen import frozen


class Version(StrEnum):
    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class Authentication(StrEnum):
    """What the server proves itself with."""

    RSA = "RSA"
    ECDSA = "ECDSA"
    ML_DSA = "ML-DSA"


# TLS 1.2 has no ML-DSA.
CELLS = tuple(
    (version, authentication)
    for version in Version
    for authentication in Authentication
    if version is Version.TLS_1_3 or authentication is not Authentication.ML_DSA
)


class Step(StrEnum):
    """How far a cell came."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    DIALOGUE = "dialogue"
    HANDSHAKE = "handshake"


class Ending(StrEnum):
    """How a cell's connection came to its end."""

    COMPLETED = "completed"
    ALERT = "alert"  # a fatal alert of the server
    CLOSED = "closed"  # the server closed without an alert
    REFUSED = "refused"  # the dialogue before TLS said no, or the server offers another version
    RESET = "reset"
    TIMEOUT = "timeout"
    REJECTED = "rejected"  # this client could not accept what the server sent
    GARBAGE = "garbage"  # the peer does not speak the protocol
    UNREACHABLE = "unreachable"
    UNCHECKED = "unchecked"  # the server went along with what this client cannot do to the end


class Outcome(StrEnum):
    OK = "ok"
    NOT_SERVED = "not served"
    BROKEN = "broken"
    UNKNOWN = "unknown"  # this interpreter could not force the question, or not check the answer


# RFC 8446, section 6.2: how a server says that it serves no client with these offers. Any other alert tells
# of a fault; internal_error (80) is "unrelated to the peer" by definition.
REFUSING_ALERTS = {
    40: "handshake_failure",
    47: "illegal_parameter",
    49: "access_denied",
    70: "protocol_version",
    71: "insufficient_security",
    112: "unrecognized_name",
    120: "no_application_protocol",
}


@frozen
class Certificate:
    """One certificate of the chain as sent. Texts are safe to print; `error` says what could not be read."""

    sha256: str
    authentication: Authentication | None = None
    key: str = ""
    key_sha256: str = ""
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_before: str = ""
    not_after: str = ""
    error: str = ""


@frozen
class Times:
    """Milliseconds; None where the cell did not come that far.

    `first_flight_ms` runs from the ClientHello to the first byte of the answer, `handshake_ms` from the
    ClientHello to the end.
    """

    connect_ms: float | None = None
    dialogue_ms: float | None = None
    first_flight_ms: float | None = None
    handshake_ms: float | None = None


@frozen
class Cell:
    """What one version with one kind of key came to. `signed`: the server's signature arrived."""

    version: Version
    authentication: Authentication
    ending: Ending
    step: Step = Step.HANDSHAKE
    error: str = ""
    alert: int | None = None
    forced: bool = True
    address: str = ""
    cipher: str = ""
    group: str = ""
    scheme: str = ""
    signed: bool = False
    hello_retry_request: bool = False
    client_certificate_requested: bool = False
    chain: tuple[Certificate, ...] = ()
    verified: bool | None = None
    verify_error: str = ""
    times: Times = field(default_factory=Times)

    @property
    def name(self) -> str:
        return f"TLS {self.version} {self.authentication}"

    @property
    def outcome(self) -> Outcome:
        if self.ending is Ending.UNCHECKED:
            return Outcome.UNKNOWN
        if not self.chain:
            return Outcome.NOT_SERVED if self._cleanly_refused else Outcome.BROKEN
        if not self.answers_the_question:
            return Outcome.NOT_SERVED if self.forced else Outcome.UNKNOWN
        good = self.ending is Ending.COMPLETED and self.verified
        return Outcome.OK if good else Outcome.BROKEN

    @property
    def answers_the_question(self) -> bool:
        """Is the certificate that was shown of the kind that was asked for? An unreadable one may be."""
        shown = self.chain[0].authentication if self.chain else None
        return shown is None or shown is self.authentication

    @property
    def _cleanly_refused(self) -> bool:
        if self.ending is Ending.ALERT:
            return self.alert in REFUSING_ALERTS
        # GnuTLS servers close without an alert when no certificate fits (seen with Debian 12's slapd).
        closed = self.ending is Ending.CLOSED and self.step is Step.HANDSHAKE
        return closed or self.ending is Ending.REFUSED
