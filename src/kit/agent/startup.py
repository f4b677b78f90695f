"""What the launcher tells a new agent, and what the agent reports back: one line of JSON each way.

No secret is in either. The agent reads its line first, and reports once it can answer or cannot start.
"""

from __future__ import annotations

import json
from dataclasses import asdict, field

from kit.core import errors
from kit.core.errors import KitError
from kit.core.frozen import frozen

LINE_LIMIT = 64 * 1024


@frozen
class Limits:
    """What one client, or all of them, may take."""

    message_bytes: int = 256 * 1024  # OpenSSH's AGENT_MAX_LEN
    message_s: float = 10.0  # from the first byte of a message to its last
    unread_s: float = 30.0  # until the client has read its answer
    connections: int = 1024
    keys: int = 256


@frozen
class Configuration:
    """How an agent is to run; empty or 0 leaves it to the configuration file, or to the default."""

    usual_socket: str  # where neither the command line nor the configuration file says
    socket_path: str = ""
    detach: bool = (
        False  # into the background; else the agent ends when the launcher's end of the line closes
    )
    parent: int = 0  # the launcher's pid, if its death is to be the agent's
    log_path: str = ""  # "" is standard error
    config_path: str = ""
    user: str = ""
    workers: int = 0
    sandbox: str = ""
    audit: str = ""
    audit_strict: bool = False
    starter: int = 0  # the uid of whoever started it
    listening: tuple[int, ...] = ()  # sockets that a service manager opened
    pkcs11: str | None = None  # where programs find PKCS#11; "" is the usual place
    notify: str = ""  # where the service manager listens
    watchdog_s: float = 0
    # What the commands that confirm the use of a key find in their environment.
    environment: dict[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Configuration:
        fields = json.loads(line)
        limits, listening = Limits(**fields.pop("limits")), tuple(fields.pop("listening"))
        return cls(**fields, limits=limits, listening=listening)


@frozen
class Report:
    """Ready, as process `pid` on `socket_path`; or an error, with what KitError carries."""

    pid: int = 0
    socket_path: str = ""
    pkcs11_path: str = ""
    error: str = ""
    hint: str | None = None
    exit_status: int = 0

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Report:
        return cls(**json.loads(line))

    def as_error(self) -> KitError:
        """The agent's own error, as the launcher raises it."""
        kind = next((c for c in _CLASSES if c.exit_status == self.exit_status), KitError)
        return kind(self.error, hint=self.hint)


_CLASSES = (
    errors.UsageError,
    errors.Unavailable,
    errors.ProtocolError,
    errors.NotPermitted,
    errors.NegativeAnswer,
)
